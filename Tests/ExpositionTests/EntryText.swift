import Exposition
import JSON
import MetricModel

/// One line per entry, from the conformance material's JSON and from what was read, with start timestamps and
/// histograms.
enum EntryText {
    static func text(_ entry: JSON) -> String {
        let metric = entry["metric"]?.text ?? ""
        switch entry["entry"]?.text {
        case "type": return "type \(metric) \(entry["type"]?.text ?? "")"
        case "help": return "help \(metric) \(MetricText.quoted(entry["help"]?.text ?? ""))"
        case "unit": return "unit \(metric) \(entry["unit"]?.text ?? "")"
        case "histogram":
            return line(
                labels(entry["labels"]),
                entry["histogram_deltas"].map { histogram($0, deltas: true) }
                    ?? entry["float_histogram"].map { histogram($0, deltas: false) } ?? "", entry)
        default: return line(labels(entry["labels"]), number(entry["value"]), entry)
        }
    }

    private static func line(_ labels: Labels, _ value: String, _ entry: JSON) -> String {
        var line = "\(labels) \(value)"
        if let timestamp = entry["timestamp_ms"]?.integer { line += " \(timestamp)" }
        if let start = entry["start_timestamp_ms"]?.integer { line += " since \(start)" }
        for exemplar in entry["exemplars"]?.elements ?? [] {
            line += " # \(Self.labels(exemplar["labels"])) \(number(exemplar["value"]))"
            if let timestamp = exemplar["timestamp_ms"]?.integer { line += " \(timestamp)" }
        }
        return line
    }

    private static func labels(_ json: JSON?) -> Labels {
        Labels(
            (json?.members ?? []).compactMap {
                ($0.value.text ?? "").isEmpty ? nil : Label($0.name, $0.value.text ?? "")
            })
    }

    private static func number(_ json: JSON?) -> String { json?.text ?? FloatText.general(json?.number ?? 0) }

    private static func histogram(_ json: JSON, deltas: Bool) -> String {
        var histogram = FloatHistogram()
        histogram.schema = Int32(json["Schema"]?.number ?? 0)
        histogram.count = json["Count"]?.number ?? 0
        histogram.sum = json["Sum"]?.number ?? 0
        histogram.zeroCount = json["ZeroCount"]?.number ?? 0
        histogram.zeroThreshold = json["ZeroThreshold"]?.number ?? 0
        if json["CounterResetHint"]?.text == "gauge" { histogram.counterResetHint = .gauge }
        func spans(_ name: String) -> [FloatHistogram.Span] {
            (json[name]?.elements ?? []).map {
                .init(offset: Int32($0["Offset"]?.number ?? 0), length: UInt32($0["Length"]?.number ?? 0))
            }
        }
        func counts(_ name: String) -> [Double] {
            var last = 0.0
            return (json[name]?.elements ?? []).map {
                last = ($0.number ?? 0) + (deltas ? last : 0)
                return last
            }
        }
        histogram.positiveSpans = spans("PositiveSpans")
        histogram.negativeSpans = spans("NegativeSpans")
        histogram.positiveBuckets = counts("PositiveBuckets")
        histogram.negativeBuckets = counts("NegativeBuckets")
        histogram.customValues = (json["CustomValues"]?.elements ?? []).map { $0.number ?? 0 }
        return text(histogram)
    }

    private static func text(_ histogram: FloatHistogram) -> String {
        // Empty buckets are optional.
        let histogram = histogram.compacted
        return "\(histogram) \(histogram.positiveSpans) \(histogram.negativeSpans) \(histogram.counterResetHint)"
    }

    static func text(_ entry: ExpositionEntry) -> String {
        switch entry {
        case .type(let metric, let type): return "type \(metric) \(type.name)"
        case .help(let metric, let help): return "help \(metric) \(MetricText.quoted(help))"
        case .unit(let metric, let unit): return "unit \(metric) \(unit)"
        case .comment(let text): return text
        case .sample(let sample):
            return line(
                sample.labels, FloatText.general(sample.value), sample.timestamp, sample.startTimestamp,
                sample.exemplar.map { [$0] } ?? [])
        case .histogram(let sample):
            return line(
                sample.labels, text(sample.histogram), sample.timestamp, sample.startTimestamp, sample.exemplars)
        }
    }

    private static func line(
        _ labels: Labels, _ value: String, _ timestamp: Timestamp?, _ start: Timestamp?, _ exemplars: [Exemplar]
    ) -> String {
        var line = "\(labels) \(value)"
        if let timestamp { line += " \(timestamp.milliseconds)" }
        if let start { line += " since \(start.milliseconds)" }
        for exemplar in exemplars {
            line += " # \(exemplar.labels) \(FloatText.general(exemplar.value))"
            if let timestamp = exemplar.timestamp { line += " \(timestamp.milliseconds)" }
        }
        return line
    }
}
