internal import MetricModel
internal import MetricStore
internal import PromQL
internal import Runtime
internal import WebCore
internal import WebServer

extension Exporter {
    /// A series with its latest sample.
    private struct Federated {
        var labels: Labels
        var value: Double
        var time: Int64
    }

    /// `/federate`: the latest sample of every series that any `match[]` selects.
    func federate(_ call: APIRequest) -> HTTPServerResponse {
        let format = ExpositionFormat(accepting: call.request[header: "Accept"])
        do throws(APIError) {
            let series = try latest(selectors(call))
            return HTTPServerResponse(
                status: 200, headers: [("Content-Type", format.contentType)], body: text(series, format))
        } catch {
            return .text(error.message + "\n", status: error.kind.status)
        }
    }

    private func selectors(_ call: APIRequest) throws(APIError) -> [[Matcher]] {
        var selectors: [[Matcher]] = []
        for text in call.all("match[]") {
            do throws(ParseError) {
                selectors.append(try Expression.parseSelector(text) + call.labelConditions)
            } catch {
                throw .invalid("match[]", error)
            }
        }
        return selectors
    }

    /// The latest sample of each series, sorted by name, then by labels.
    private func latest(_ selectors: [[Matcher]]) throws(APIError) -> [Federated] {
        let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        var found: [Labels: Federated] = [:]
        for matchers in selectors {
            for series in try latest(matchers, from: now - sources.lookback, through: now) {
                found[series.labels] = series
            }
        }
        return found.values.sorted(by: Self.precedes)
    }

    /// The latest sample of each series that has not ended. Native histograms cannot be written as text.
    private func latest(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp
    ) throws(APIError) -> [Federated] {
        do {
            let series = try sources.store.select(
                matchers, from: from, through: through, sampleLimit: sources.maximumSamples)
            return series.compactMap { series in
                guard let time = series.timestamps.last, let value = series.values.last, !value.isStaleMarker,
                    series.histograms.last.map({ $0 == nil }) ?? true
                else { return nil }
                return Federated(labels: series.labels, value: value, time: time)
            }
        } catch {
            throw APIError(error.code == .badMatcher ? .badData : .internal, error.message)
        }
    }

    private func text(_ series: [Federated], _ format: ExpositionFormat) -> [UInt8] {
        var text = MetricsText(format.syntax)
        let external = sources.externalLabels()
        var current: String?
        for series in series {
            // A series without a name cannot be written.
            guard let name = series.labels.metricName.map(format.escaping.escaped), !name.isEmpty else { continue }
            if current.map({ !ByteOrder.equal($0, name) }) ?? true {
                text.type(name, format.syntax == .openMetrics ? "unknown" : "untyped")
                current = name
            }
            let labels = Self.labels(of: series.labels, external).map {
                (name: format.escaping.escaped($0.name), value: $0.value)
            }
            text.line(name, labels, series.value, time: series.time)
        }
        text.end()
        return text.bytes
    }

    private static func precedes(_ left: Federated, _ right: Federated) -> Bool {
        let names = (left.labels.metricName ?? "", right.labels.metricName ?? "")
        return ByteOrder.equal(names.0, names.1) ? left.labels < right.labels : ByteOrder.precedes(names.0, names.1)
    }

    /// The labels of the series, the external labels that it lacks, and an empty `instance` if it has none: otherwise
    /// the receiver would add its own.
    private static func labels(of series: Labels, _ external: Labels) -> [(name: String, value: String)] {
        var labels = external.setting(series)
        labels.remove(Labels.metricName)
        var pairs = labels.pairs.map { (name: $0.name, value: $0.value) }
        if labels["instance"] == nil {
            let place = pairs.firstIndex { ByteOrder.precedes("instance", $0.name) } ?? pairs.endIndex
            pairs.insert(("instance", ""), at: place)
        }
        return pairs
    }
}
