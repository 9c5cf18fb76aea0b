internal import MetricModel

/// A `load` command with its series.
struct ScriptLoad: Sendable {
    private struct Line: Sendable {
        var notation: SeriesNotation
        /// The start timestamp of each value, relative to the value's own time.
        var starts: [Milliseconds?]?
    }

    private let interval: Milliseconds
    private let withClassicHistograms: Bool
    private var lines: [Line] = []
    /// The start timestamps for the series on the next line.
    private(set) var pendingStarts: (labels: Labels, values: [Milliseconds?])?

    init(interval: Milliseconds, withClassicHistograms: Bool) {
        self.interval = interval
        self.withClassicHistograms = withClassicHistograms
    }

    mutating func add(_ text: String) throws(ScriptFault) {
        if let (metric, values) = Self.splitStarts(text) {
            let labels = try Self.reading { () throws(ParseError) in try SeriesNotation.metric(metric) }
            pendingStarts = (labels, try StartNotation.parse(values))
            return
        }
        let notation = try Self.reading { () throws(ParseError) in try SeriesNotation(parsing: text) }
        if let starts = pendingStarts,
            starts.labels != notation.labels || starts.values.count != notation.values.count
        {
            throw ScriptFault("start timestamps and values of \(notation.labels) do not belong together")
        }
        // Of two lines with the same labels, the later one is used.
        lines.removeAll { $0.notation.labels == notation.labels }
        lines.append(Line(notation: notation, starts: pendingStarts?.values))
        pendingStarts = nil
    }

    private static func reading<Value>(_ body: () throws(ParseError) -> Value) throws(ScriptFault) -> Value {
        do {
            return try body()
        } catch {
            throw ScriptFault(error.description)
        }
    }

    /// The metric and the values of a line whose metric ends in `@st`.
    private static func splitStarts(_ line: String) -> (metric: String, values: Substring)? {
        let bytes = Array(line.utf8)
        var quote: UInt8?
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if let open = quote {
                if byte == UInt8(ascii: "\\"), open != UInt8(ascii: "`") { index += 1 }
                if byte == open { quote = nil }
            } else if [UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`")].contains(byte) {
                quote = byte
            } else if byte == UInt8(ascii: "@") {
                let behind = bytes[index...].dropFirst(3)
                guard bytes[index...].starts(with: "@st".utf8), behind.first.map({ $0 == 0x20 || $0 == 0x09 }) ?? true
                else { return nil }
                let text = String(decoding: behind, as: UTF8.self)
                return (String(decoding: bytes[..<index], as: UTF8.self), text[...])
            }
            index += 1
        }
        return nil
    }

    func apply(to source: MemorySource) throws(ScriptFault) {
        for line in lines {
            for (index, value) in line.notation.values.enumerated() {
                let time = Timestamp.epoch + interval * Int64(index)
                let start = line.starts?[index].map { time + $0 }
                switch value {
                case .missing: break
                case .float(let number):
                    source.append(.init(time: time, value: number, start: start), to: line.notation.labels)
                case .histogram(let histogram, _):
                    source.append(.init(time: time, histogram: histogram, start: start), to: line.notation.labels)
                }
            }
        }
        guard withClassicHistograms else { return }
        for series in try ClassicHistograms.converted(lines.map(\.notation)) {
            source.append(series, interval: interval)
        }
    }
}

/// The notation of start timestamps: `_ _x3 -30s -30sx2 -30s-1mx2`.
enum StartNotation {
    static func parse(_ text: Substring) throws(ScriptFault) -> [Milliseconds?] {
        var values: [Milliseconds?] = []
        for item in text.split(whereSeparator: { $0 == " " || $0 == "\t" }) { try add(item, to: &values) }
        return values
    }

    private static func add(_ item: Substring, to values: inout [Milliseconds?]) throws(ScriptFault) {
        let fault = ScriptFault("invalid start timestamp \(MetricText.quoted(String(item)))")
        let parts = item.split(separator: "x", omittingEmptySubsequences: false)
        var repetitions = 0
        if parts.count == 2 {
            guard let count = Int(parts[1]), (0...SeriesNotation.valueLimit).contains(count) else { throw fault }
            repetitions = count
        }
        guard parts.count <= 2 else { throw fault }
        if parts[0] == "_" {
            values += repeatElement(nil, count: parts.count == 2 ? repetitions : 1)
            return
        }
        guard let (first, rest) = signedDuration(parts[0]) else { throw fault }
        var current = first
        var increase = Milliseconds.zero
        if !rest.isEmpty {
            guard parts.count == 2, let (length, nothing) = signedDuration(rest), nothing.isEmpty else { throw fault }
            increase = length
        }
        for _ in 0...repetitions {
            values.append(current)
            current = current + increase
        }
    }

    /// A duration with an optional sign, and the rest of the text.
    private static func signedDuration(_ text: Substring) -> (Milliseconds, Substring)? {
        let unsigned = text.first == "-" || text.first == "+" ? text.dropFirst() : text
        let body = unsigned.prefix { $0 != "-" && $0 != "+" }
        guard let length = Milliseconds(parsing: body) else { return nil }
        return (text.first == "-" ? .zero - length : length, unsigned[body.endIndex...])
    }
}
