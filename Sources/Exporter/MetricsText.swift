internal import Instrumentation
internal import MetricModel

/// Writes metric families in Prometheus's text format or as OpenMetrics.
struct MetricsText {
    let format: ExpositionFormat.Syntax
    private(set) var bytes: [UInt8] = []

    init(_ format: ExpositionFormat.Syntax) {
        self.format = format
    }

    /// The text of `families`.
    static func text(of families: [FamilySnapshot], _ format: ExpositionFormat.Syntax) -> [UInt8] {
        var text = MetricsText(format)
        for family in families where !family.members.isEmpty { text.write(family) }
        if format == .openMetrics { text.put("# EOF\n") }
        return text.bytes
    }

    private mutating func write(_ family: FamilySnapshot) {
        let isCounter = family.kind == .counter
        let bare = isCounter && family.name.hasSuffix("_total") ? String(family.name.dropLast(6)) : family.name
        let title = format == .openMetrics ? bare : family.name
        let sample = isCounter && format == .openMetrics ? bare + "_total" : family.name
        put("# HELP \(title) \(escaped(family.help, quotes: format == .openMetrics))\n")
        put("# TYPE \(title) \(family.kind.rawValue)\n")
        for member in family.members {
            switch member.value {
            case .number(let value): line(sample, member.labels, value)
            case .histogram(let histogram): write(histogram, family.name, member.labels)
            }
        }
    }

    private mutating func write(
        _ histogram: HistogramSnapshot, _ name: String, _ labels: [(name: String, value: String)]
    ) {
        var total: UInt64 = 0
        for (index, count) in histogram.counts.enumerated() {
            total += count
            let bound = index < histogram.bounds.count ? boundText(histogram.bounds[index]) : "+Inf"
            line(name + "_bucket", labels + [("le", bound)], Double(total))
        }
        line(name + "_sum", labels, histogram.sum)
        line(name + "_count", labels, Double(total))
    }

    /// OpenMetrics requires bounds in the form of a float.
    private func boundText(_ bound: Double) -> String {
        let text = FloatText.general(bound)
        return format == .openMetrics && !text.contains(where: { $0 == "." || $0 == "e" }) ? text + ".0" : text
    }

    /// One sample; `time` in milliseconds.
    mutating func line(
        _ name: String, _ labels: [(name: String, value: String)], _ value: Double, time: Int64? = nil
    ) {
        // A UTF-8 name is written in quotes inside the braces.
        let isPlain = MetricText.isLegacyMetricName(name)
        if isPlain { put(name) }
        if !isPlain || !labels.isEmpty {
            var pieces = isPlain ? [] : ["\"\(escaped(name, quotes: true))\""]
            for label in labels {
                let plain = MetricText.isLegacyLabelName(label.name)
                let name = plain ? label.name : "\"\(escaped(label.name, quotes: true))\""
                pieces.append("\(name)=\"\(escaped(label.value, quotes: true))\"")
            }
            put("{\(pieces.joined(separator: ","))}")
        }
        put(" \(FloatText.general(value))")
        if let time {
            bytes.append(UInt8(ascii: " "))
            switch format {
            case .prometheus: put(String(time))
            case .openMetrics: put(Self.seconds(time))
            }
        }
        put("\n")
    }

    /// Milliseconds as seconds, with three decimals if there is a fraction.
    private static func seconds(_ milliseconds: Int64) -> String {
        let (seconds, fraction) = milliseconds.magnitude.quotientAndRemainder(dividingBy: 1000)
        let digits = fraction == 0 ? "" : "." + String(String(1000 + fraction).dropFirst())
        return (milliseconds < 0 ? "-" : "") + String(seconds) + digits
    }

    /// A comment line with a family's type.
    mutating func type(_ name: String, _ type: String) {
        let isPlain = MetricText.isLegacyMetricName(name)
        put("# TYPE \(isPlain ? name : "\"\(escaped(name, quotes: true))\"") \(type)\n")
    }

    /// The end mark of OpenMetrics.
    mutating func end() {
        if format == .openMetrics { put("# EOF\n") }
    }

    private mutating func put(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    private func escaped(_ text: String, quotes: Bool) -> String {
        guard text.utf8.contains(where: { $0 == 0x5c || $0 == 0x0a || (quotes && $0 == 0x22) }) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
