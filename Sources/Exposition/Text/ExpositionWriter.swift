public import Instrumentation
public import MetricModel

/// Writes metrics in a text format. A value; used by one thread.
///
/// ```
/// var writer = ExpositionWriter(.openMetrics)
/// writer.write(registry.snapshot())
/// let body = writer.finish()
/// ```
public struct ExpositionWriter: Sendable {
    /// The format.
    public let format: ExpositionFormat
    private var bytes: [UInt8] = []

    /// A writer without output.
    public init(_ format: ExpositionFormat) {
        self.format = format
    }

    /// The whole body.
    public consuming func finish() -> [UInt8] {
        if format == .openMetrics { bytes += "# EOF\n".utf8 }
        return bytes
    }

    /// Writes Tribune's own metrics.
    public mutating func write(_ families: [FamilySnapshot]) {
        for family in families { write(family) }
    }

    private mutating func write(_ family: FamilySnapshot) {
        let type: MetricType =
            switch family.kind {
            case .counter: .counter
            case .gauge: .gauge
            case .histogram: .histogram
            }
        describe(family.name, type: type, help: family.help)
        for member in family.members {
            let labels = member.labels.map { Label($0.name, $0.value) }
            switch member.value {
            case .number(let value): sample(family.name, labels, value)
            case .histogram(let histogram): write(histogram, name: family.name, labels)
            }
        }
    }

    private mutating func write(_ histogram: HistogramSnapshot, name: String, _ labels: [Label]) {
        var total: UInt64 = 0
        for (index, count) in histogram.counts.enumerated() {
            total += count
            let bound = index < histogram.bounds.count ? OpenMetricsNumber.text(histogram.bounds[index]) : "+Inf"
            sample(name + "_bucket", labels + [Label("le", bound)], Double(total))
        }
        sample(name + "_sum", labels, histogram.sum)
        sample(name + "_count", labels, Double(total))
    }

    /// Writes `# HELP` and `# TYPE` of the family whose series are named `name` (a counter's with `_total`).
    public mutating func describe(_ name: String, type: MetricType, help: String) {
        var family = name
        var word = type.name
        switch (format, type) {
        case (.openMetrics, .counter):
            // The specification requires the suffix on the series, not on the family.
            if name.hasSuffix("_total") { family.removeLast(6) } else { word = MetricType.unknown.name }
        case (.text, .unknown), (.text, .info), (.text, .stateset), (.text, .gaugehistogram): word = "untyped"
        default: break
        }
        let written = MetricText.isLegacyMetricName(family) ? family : quoted(family)
        if !help.isEmpty {
            bytes += "# HELP \(written) ".utf8
            escape(help, quotes: format == .openMetrics)
            bytes.append(UInt8(ascii: "\n"))
        }
        bytes += "# TYPE \(written) \(word)\n".utf8
    }

    /// Writes one line of the series `labels`.
    public mutating func sample(_ labels: Labels, _ value: Double, at timestamp: Timestamp? = nil) {
        let others = labels.pairs.filter { $0.name != Labels.metricName }
        sample(labels.metricName ?? "", others, value, at: timestamp)
    }

    private mutating func sample(_ name: String, _ labels: [Label], _ value: Double, at timestamp: Timestamp? = nil) {
        let isPlain = MetricText.isLegacyMetricName(name)
        if isPlain { bytes += name.utf8 }
        if !labels.isEmpty || !isPlain {
            var separator = UInt8(ascii: "{")
            if !isPlain, !name.isEmpty {
                bytes.append(separator)
                bytes += quoted(name).utf8
                separator = UInt8(ascii: ",")
            }
            for label in labels {
                bytes.append(separator)
                separator = UInt8(ascii: ",")
                bytes += (MetricText.isLegacyLabelName(label.name) ? label.name : quoted(label.name)).utf8
                bytes += "=\"".utf8
                escape(label.value, quotes: true)
                bytes.append(UInt8(ascii: "\""))
            }
            bytes.append(UInt8(ascii: "}"))
        }
        bytes.append(UInt8(ascii: " "))
        bytes += (format == .openMetrics ? OpenMetricsNumber.text(value) : FloatText.general(value)).utf8
        if let timestamp {
            bytes.append(UInt8(ascii: " "))
            let isText = format == .text
            bytes += (isText ? String(timestamp.milliseconds) : FloatText.plain(timestamp.seconds)).utf8
        }
        bytes.append(UInt8(ascii: "\n"))
    }

    private func quoted(_ text: String) -> String {
        var writer = ExpositionWriter(format)
        writer.escape(text, quotes: true)
        return "\"" + String(decoding: writer.bytes, as: UTF8.self) + "\""
    }

    private mutating func escape(_ text: String, quotes: Bool) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes += "\\\\".utf8
            case UInt8(ascii: "\n"): bytes += "\\n".utf8
            case UInt8(ascii: "\"") where quotes: bytes += "\\\"".utf8
            default: bytes.append(byte)
            }
        }
    }
}
