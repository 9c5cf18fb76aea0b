internal import JSON
internal import MetricModel
internal import MetricStore
internal import PromQL
internal import WebCore

extension PrometheusAPI {
    /// `/api/v1/series`
    func series(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        if call.all("match[]").isEmpty { throw APIError(.badData, "no match[] parameter provided") }
        let window = try window(of: call)
        let found = try limited(call) { limit throws(SelectError) in
            try sources.store.labelSets(
                matching: window.selectors, from: window.from, through: window.through, limit: limit)
        }
        return found.result(IncrementalJSONList(found.elements) { $0.labels($1) })
    }

    /// `/api/v1/labels`
    func labelNames(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let window = try window(of: call)
        let found = try limited(call) { limit throws(SelectError) in
            try sources.store.labelNames(
                matching: window.selectors, from: window.from, through: window.through, limit: limit)
        }
        return found.result(IncrementalJSONList(found.elements) { $0.string($1) })
    }

    /// `/api/v1/label/<name>/values`
    func labelValues(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let name = EscapedName.decoded(call.pathParameters[0])
        if name.isEmpty { throw APIError(.badData, "invalid label name: \(MetricText.quoted(name))") }
        let window = try window(of: call)
        let found = try limited(call) { limit throws(SelectError) in
            try sources.store.labelValues(
                name, matching: window.selectors, from: window.from, through: window.through, limit: limit)
        }
        return found.result(IncrementalJSONList(found.elements) { $0.string($1) })
    }

    /// Selectors with the window of a request.
    struct Window {
        var selectors: [[Matcher]]
        var from: Timestamp
        var through: Timestamp
    }

    func window(of call: APIRequest) throws(APIError) -> Window {
        let from = try call.time("start", default: .distantPast)
        let through = try call.time("end", default: .distantFuture)
        var selectors: [[Matcher]] = []
        let limits = call.labelConditions
        for text in call.all("match[]") {
            selectors.append(try Selector.matchers(text, needsCondition: true) + limits)
        }
        if selectors.isEmpty, !limits.isEmpty { selectors = [limits] }
        return Window(selectors: selectors, from: from, through: through)
    }

    /// Results up to the limit of the request.
    private struct Limited<Element> {
        var elements: ArraySlice<Element>
        var isTruncated = false

        func result(_ body: any IncrementalJSON) -> APIResult {
            APIResult(warnings: isTruncated ? [APIResult.truncated] : [], body: body)
        }
    }

    /// Requests one more than needed, to detect whether there are more.
    private func limited<Element>(
        _ call: APIRequest, _ find: (Int) throws(SelectError) -> [Element]
    ) throws(APIError) -> Limited<Element> {
        let limit = try call.limit()
        do {
            let found = try find(limit > 0 ? min(limit, .max - 1) + 1 : 0)
            guard limit > 0, found.count > limit else { return Limited(elements: found[...]) }
            return Limited(elements: found.prefix(limit), isTruncated: true)
        } catch {
            switch error.code {
            case .badMatcher: throw .invalid("match[]", error)
            case .sampleLimit: throw APIError(.execution, error.message)
            case .unavailable: throw APIError(.internal, error.message)
            }
        }
    }

    /// `/api/v1/status/tsdb`
    func statusStore(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let limit: Int
        switch call["limit"] {
        case "": limit = 10
        case let text:
            guard let number = Int(text), (1...10_000).contains(number) else {
                throw APIError(.badData, "limit must be a positive number not above 10000")
            }
            limit = number
        }
        let statistics = sources.store.statistics(top: limit)
        writer.object { writer in
            writer.name("headStats")
            writer.object {
                $0.member("numSeries", statistics.seriesCount)
                $0.member("numLabelPairs", statistics.labelPairCount)
                $0.member("chunkCount", statistics.laneCount)
                // An empty store has no times. Prometheus then returns the ends of its calendar.
                $0.member("minTime", statistics.timeRange?.lowerBound.milliseconds ?? .max)
                $0.member("maxTime", statistics.timeRange?.upperBound.milliseconds ?? .min)
            }
            Self.write("seriesCountByMetricName", statistics.seriesCountByMetricName, into: &writer)
            Self.write("labelValueCountByLabelName", statistics.valueCountByLabelName, into: &writer)
            Self.write("memoryInBytesByLabelName", statistics.bytesByLabelName, into: &writer)
            Self.write("seriesCountByLabelValuePair", statistics.seriesCountByLabelPair, into: &writer)
        }
        return APIResult()
    }

    private static func write(_ name: String, _ entries: [StoreStatistics.Entry], into writer: inout JSONWriter) {
        writer.name(name)
        writer.array(entries) { writer, entry in
            writer.object {
                $0.member("name", entry.name)
                $0.member("value", entry.value)
            }
        }
    }
}
