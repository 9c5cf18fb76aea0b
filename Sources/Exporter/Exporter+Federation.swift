internal import MetricModel
internal import MetricStore
internal import PromQL
internal import Runtime
internal import WebServer

extension Exporter {
    private struct Federated {
        var labels: Labels
        var value: Double
        var time: Int64
    }

    /// `/federate`: the latest sample of every series that fits any `match[]`.
    func federate(_ call: APICall) -> HTTPServerResponse {
        let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        var found: [Labels: Federated] = [:]
        do {
            for text in call.all("match[]") {
                let matchers = try Selector.matchers(text)
                for series in try latest(matchers, from: now - sources.engine.lookback, through: now) {
                    found[series.labels] = series
                }
            }
        } catch {
            return .text(error.message + "\n", status: error.kind.status)
        }
        let format = MetricsText.Format(accepting: call.request[header: "Accept"])
        var text = MetricsText(format)
        let external = sources.externalLabels()
        var current: String?
        for series in found.values.sorted(by: Self.precedes) {
            let name = series.labels.metricName ?? ""
            // Nothing without a name can be written.
            if name.isEmpty { continue }
            if current.map({ !ByteOrder.equal($0, name) }) ?? true {
                text.type(name, format == .openMetrics ? "unknown" : "untyped")
                current = name
            }
            text.line(name, Self.labels(of: series.labels, external), series.value, time: series.time)
        }
        text.end()
        return HTTPServerResponse(status: 200, headers: [("Content-Type", format.contentType)], body: text.bytes)
    }

    /// The newest sample of each series, unless the series has ended. Native histograms have no form in text.
    private func latest(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp
    ) throws(APIError) -> [Federated] {
        do {
            let series = try sources.store.select(
                matchers, from: from, through: through, sampleLimit: sources.engine.maximumSamples)
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

    private static func precedes(_ left: Federated, _ right: Federated) -> Bool {
        let names = (left.labels.metricName ?? "", right.labels.metricName ?? "")
        return ByteOrder.equal(names.0, names.1) ? left.labels < right.labels : ByteOrder.precedes(names.0, names.1)
    }

    /// Those of the series, the external ones it lacks, and an empty `instance` where there is none: without it the
    /// receiver would put its own there.
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
