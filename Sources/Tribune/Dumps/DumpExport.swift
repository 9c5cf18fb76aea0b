internal import MetricModel
internal import MetricStore

/// Prints the samples of a store as OpenMetrics, series by series. A value.
struct DumpExport {
    /// Counts of printed samples, and of those that cannot be.
    struct Figures: Equatable {
        var series = 0
        var samples = 0
        var histograms = 0
    }

    let store: MetricStore
    let selectors: [[Matcher]]
    let from: Timestamp
    let through: Timestamp

    /// Calls `print` with pieces of the text, in order. Memory is that of the samples of one series.
    func run(_ print: ([UInt8]) throws(CommandFailure) -> Void) throws(CommandFailure) -> Figures {
        var figures = Figures()
        var text: [UInt8] = []
        let all = try selecting { () throws(SelectError) in
            try store.labelSets(matching: selectors, from: from, through: through)
        }
        for labels in all {
            let matchers = labels.pairs.map { Matcher($0.name, .equal, $0.value) }
            let found = try selecting { () throws(SelectError) in
                try store.select(matchers, from: from, through: through, sampleLimit: .max)
            }
            for series in found where series.labels == labels { figures.add(series, to: &text) }
            guard text.count >= 1 << 20 else { continue }
            try print(text)
            text.removeAll(keepingCapacity: true)
        }
        try print(text + Array("# EOF\n".utf8))
        return figures
    }

    private func selecting<Result>(
        _ body: () throws(SelectError) -> Result
    ) throws(CommandFailure) -> Result {
        do throws(SelectError) { return try body() } catch { throw CommandFailure(error.description) }
    }
}

extension DumpExport.Figures {
    fileprivate mutating func add(_ samples: SeriesSamples, to text: inout [UInt8]) {
        let head = Array(samples.labels.seriesText.utf8)
        var isEmpty = true
        for index in samples.timestamps.indices {
            if !samples.histograms.isEmpty, samples.histograms[index] != nil {
                histograms += 1
                continue
            }
            isEmpty = false
            self.samples += 1
            text += head
            text.append(UInt8(ascii: " "))
            text += FloatText.general(samples.values[index]).utf8
            text.append(UInt8(ascii: " "))
            text += Self.seconds(samples.timestamps[index]).utf8
            text.append(UInt8(ascii: "\n"))
        }
        if !isEmpty { series += 1 }
    }

    /// A time in seconds with three digits after the point.
    private static func seconds(_ milliseconds: Int64) -> String {
        let magnitude = milliseconds.magnitude
        let fraction = String(magnitude % 1000)
        let sign = milliseconds < 0 ? "-" : ""
        return "\(sign)\(magnitude / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
    }
}

extension Labels {
    /// The series as in an exposition. A name with other characters is quoted inside the braces.
    fileprivate var seriesText: String {
        func quoted(_ text: String) -> String {
            var result = "\""
            for character in text.unicodeScalars {
                switch character {
                case "\\": result += "\\\\"
                case "\"": result += "\\\""
                case "\n": result += "\\n"
                default: result.unicodeScalars.append(character)
                }
            }
            return result + "\""
        }
        func isPlain(_ name: String, colon: Bool) -> Bool {
            name.utf8.enumerated().allSatisfy { index, byte in
                byte | 0x20 &- 0x61 < 26 || byte == UInt8(ascii: "_") || colon && byte == UInt8(ascii: ":")
                    || index > 0 && byte &- 0x30 < 10
            } && !name.isEmpty
        }
        let name = metricName ?? ""
        var parts = isPlain(name, colon: true) ? [] : [quoted(name)]
        for pair in pairs where pair.name != Labels.metricName {
            parts.append((isPlain(pair.name, colon: false) ? pair.name : quoted(pair.name)) + "=" + quoted(pair.value))
        }
        let braces = parts.isEmpty ? "" : "{" + parts.joined(separator: ",") + "}"
        return (isPlain(name, colon: true) ? name : "") + braces
    }
}
