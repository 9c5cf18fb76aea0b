internal import JSON
internal import MetricModel
internal import PromQL

/// Reads the answers of `/api/v1/query`.
enum QueryAnswer {
    /// The value in `body`, the answer to a query at `time`.
    ///
    /// An answer of which the server says that it is not whole is a fault: values over a part of the data look like
    /// health.
    static func value(in body: [UInt8], at time: Timestamp) throws(QueryFault) -> QueryValue {
        let json: JSON
        do throws(JSONError) { json = try JSON(parsing: body) } catch {
            throw QueryFault(.shape, "the answer is not JSON: \(error)")
        }
        guard json["status"]?.text == "success", let data = json["data"] else {
            throw QueryFault(
                .shape, "the answer has no status \"success\": \(message(in: json) ?? "no error is given")")
        }
        if json["isPartial"]?.bool == true {
            throw QueryFault(.partial, "the answer is partial: the server says isPartial")
        }
        // Remarks of the language are about the query; other warnings are about data that could not be read.
        let warnings = (json["warnings"]?.elements ?? []).compactMap(\.text).filter { !$0.hasPrefix("PromQL warning") }
        if let first = warnings.first { throw QueryFault(.partial, "the answer may be partial: \(first)") }
        switch (data["resultType"]?.text, data["result"]) {
        case ("vector", let result?): return .vector(try elements(result, at: time))
        case ("matrix", let result?): return .matrix(try series(result))
        case ("scalar", let result?): return .scalar(try value(of: result, at: time), time)
        case ("string", let result?): return .string(result.elements?.last?.text ?? "", time)
        default: throw QueryFault(.shape, "the answer has no known resultType")
        }
    }

    /// The error text of an answer, if it has one.
    static func message(in body: [UInt8]) -> String? {
        // A text that is not JSON, or was cut off, is not an error of Prometheus's form: its status is reported alone.
        guard let json = try? JSON(parsing: Array(body.prefix(1 << 16))) else { return nil }
        return message(in: json)
    }

    private static func message(in json: JSON) -> String? {
        guard let error = json["error"]?.text else { return nil }
        return json["errorType"]?.text.map { "\($0): \(error)" } ?? error
    }

    // MARK: Values

    private static func elements(_ result: JSON, at time: Timestamp) throws(QueryFault) -> [VectorElement] {
        guard let elements = result.elements else { throw QueryFault(.shape, "the vector is no list") }
        var found: [VectorElement] = []
        found.reserveCapacity(elements.count)
        for element in elements {
            let labels = try labels(of: element)
            guard let pair = element["value"] else { throw noFloat(element, labels) }
            found.append(VectorElement(labels: labels, timestamp: time, value: try value(of: pair, at: time)))
        }
        return found
    }

    private static func noFloat(_ element: JSON, _ labels: Labels) -> QueryFault {
        guard element["histogram"] == nil, element["histograms"] == nil else {
            return QueryFault(
                .shape,
                "\(labels) is a native histogram, which the query API does not return exactly: "
                    + "use histogram_quantile, histogram_count or histogram_sum")
        }
        return QueryFault(.shape, "\(labels) has no value")
    }

    /// The value of `[time, "text"]`, which must be of the time that was asked for.
    private static func value(of pair: JSON, at time: Timestamp) throws(QueryFault) -> Double {
        let point = try point(pair)
        let asked = time.seconds
        guard (point.seconds - asked).magnitude < 1 else {
            throw QueryFault(
                .shape,
                "the answer is of the time \(FloatText.general(point.seconds)) instead of "
                    + "\(FloatText.general(asked)): the server, or a cache before it, moves the time of queries")
        }
        return point.value
    }

    private static func point(_ pair: JSON) throws(QueryFault) -> (seconds: Double, value: Double) {
        guard let parts = pair.elements, parts.count == 2, let seconds = parts[0].number, seconds.magnitude < 1e12,
            let text = parts[1].text, let value = Double(text)
        else { throw QueryFault(.shape, "a value is not a pair of a time and a number") }
        return (seconds, value)
    }

    private static func series(_ result: JSON) throws(QueryFault) -> [SeriesSamples] {
        guard let elements = result.elements else { throw QueryFault(.shape, "the matrix is no list") }
        var found: [SeriesSamples] = []
        for element in elements {
            let labels = try labels(of: element)
            guard element["histograms"] == nil, let pairs = element["values"]?.elements else {
                throw noFloat(element, labels)
            }
            var samples = SeriesSamples(labels: labels)
            samples.timestamps.reserveCapacity(pairs.count)
            samples.values.reserveCapacity(pairs.count)
            for pair in pairs {
                let point = try point(pair)
                let time = Int64((point.seconds * 1000).rounded())
                if let last = samples.timestamps.last, time <= last {
                    throw QueryFault(.shape, "the samples of \(labels) are not in order")
                }
                samples.timestamps.append(time)
                samples.values.append(point.value)
            }
            found.append(samples)
        }
        return found
    }

    private static func labels(of element: JSON) throws(QueryFault) -> Labels {
        guard let members = element["metric"]?.members else { throw QueryFault(.shape, "an element has no labels") }
        var labels: [Label] = []
        labels.reserveCapacity(members.count)
        var names = Set<String>(minimumCapacity: members.count)
        for member in members {
            guard let value = member.value.text, names.insert(member.name).inserted else {
                throw QueryFault(.shape, "the label \(member.name) has no text, or is repeated")
            }
            if !value.isEmpty { labels.append(Label(member.name, value)) }
        }
        return Labels(labels)
    }
}
