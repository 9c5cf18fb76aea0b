internal import Glibc
public import MetricModel

/// Reads OpenMetrics text with timestamps, such as a dump of another server's samples, piece by piece. A value; used by
/// one thread at a time.
///
/// Families may be in any order, and metadata and exemplars are skipped. Blanks between labels are allowed, as
/// `promtool tsdb dump-openmetrics` prints them. The last line must be `# EOF`, so that a dump that was cut short is
/// noticed. Memory is that of the series' labels and the longest line.
public struct OpenMetricsDump: Sendable {
    /// The limit of the length of a line, in bytes.
    public static let longestLine = 1 << 20

    /// The bytes of an incomplete line.
    private var rest: [UInt8] = []
    private var texts: SeriesTexts
    private var numbers: [Labels: Int32] = [:]
    private let maximumSeries: Int
    private var isEnded = false

    /// The labels of each series, by number.
    public private(set) var series: [Labels] = []
    /// Lines that were read.
    public private(set) var lineCount = 0
    /// Exemplars that were skipped.
    public private(set) var exemplarCount = 0

    /// A reader at the start of a dump.
    ///
    /// - Parameter maximumSeries: more are an error.
    public init(maximumSeries: Int) {
        self.maximumSeries = maximumSeries
        texts = SeriesTexts()
    }

    /// Reads the next bytes, which may end anywhere. Calls `take` with each sample: the number of its series, its time
    /// in milliseconds since 1970, and its value.
    ///
    /// - Throws: an error with its line. The samples before it were taken.
    public mutating func read(
        _ bytes: [UInt8], _ take: (_ series: Int32, _ time: Int64, _ value: Double) -> Void
    ) throws(ExpositionError) {
        guard let end = bytes.lastIndex(of: UInt8(ascii: "\n")) else {
            rest += bytes
            return try checkRest()
        }
        rest += bytes[...end]
        // Numbers are read in words.
        rest.append(contentsOf: repeatElement(0, count: ExpositionBody.padding))
        let lines = rest
        rest = Array(bytes[(end + 1)...])
        try parse(lines, take)
        try checkRest()
    }

    /// The dump ends here.
    public mutating func finish() throws(ExpositionError) {
        if rest == Array("# EOF".utf8) {
            (rest, isEnded) = ([], true)
            lineCount += 1
        }
        guard isEnded, rest.isEmpty else {
            throw ExpositionError(line: lineCount + 1, message: "the data does not end with # EOF: it may be cut short")
        }
    }

    private func checkRest() throws(ExpositionError) {
        if rest.count > Self.longestLine {
            throw ExpositionError(line: lineCount + 1, message: "the line is longer than \(Self.longestLine) bytes")
        }
    }

    private mutating func parse(
        _ lines: [UInt8], _ take: (_ series: Int32, _ time: Int64, _ value: Double) -> Void
    ) throws(ExpositionError) {
        let result = unsafe lines.withUnsafeBufferPointer { buffer -> Result<Void, ExpositionError> in
            Result { () throws(ExpositionError) in
                guard let base = buffer.baseAddress else { return }
                var parser = unsafe ExpositionParser(base, count: buffer.count - ExpositionBody.padding, format: .text)
                while parser.position < parser.count {
                    lineCount += 1
                    do throws(ExpositionError) { try line(&parser, take) } catch {
                        throw ExpositionError(line: lineCount, message: error.message)
                    }
                }
            }
        }
        try result.get()
    }

    private mutating func line(
        _ parser: inout ExpositionParser, _ take: (_ series: Int32, _ time: Int64, _ value: Double) -> Void
    ) throws(ExpositionError) {
        if isEnded { throw parser.fault("unexpected data after # EOF") }
        if parser.current == UInt8(ascii: "#") {
            let end = parser.lineEnd()
            isEnded = parser.starts(with: "# EOF") && end == parser.position + 5
            parser.position = end + 1
            return
        }
        let number = try series(&parser)
        guard parser.current == UInt8(ascii: " ") else { throw parser.expected("value after metric") }
        parser.position += 1
        let value = try parser.takeNumber()
        guard parser.current == UInt8(ascii: " "), parser.byte(parser.position + 1) != UInt8(ascii: "#") else {
            throw parser.fault("a sample without a timestamp")
        }
        parser.position += 1
        let time = try parser.takeMilliseconds()
        if parser.starts(with: " # {") {
            exemplarCount += 1
            parser.position = parser.lineEnd()
        }
        guard parser.current == UInt8(ascii: "\n") else { throw parser.expected("next entry after timestamp") }
        parser.position += 1
        take(number, time, value)
    }

    /// The number of the series at the parser's position.
    private mutating func series(_ parser: inout ExpositionParser) throws(ExpositionError) -> Int32 {
        let expected = unsafe texts.predicted(parser.base + parser.position, count: parser.count - parser.position)
        if let (number, length) = expected {
            parser.position += length
            return number
        }
        try parser.takeSeries()
        let text = unsafe parser.buffer(parser.series)
        if let known = unsafe texts.find(text) { return known }
        let labels = try parser.seriesLabels(like: series.last ?? .empty)
        let number: Int32
        if let known = numbers[labels] {
            number = known
        } else {
            guard series.count < maximumSeries else {
                throw parser.fault("there are more than \(maximumSeries) series")
            }
            number = Int32(series.count)
            series.append(labels)
            numbers[labels] = number
        }
        unsafe texts.add(text, number)
        return number
    }
}

extension ExpositionParser {
    /// Reads a time in seconds, to the millisecond. Digits are not rounded.
    mutating func takeMilliseconds() throws(ExpositionError) -> Int64 {
        let start = position
        let isNegative = current == UInt8(ascii: "-")
        if isNegative { position += 1 }
        var (whole, digits) = (Int64(0), 0)
        while byte(position) &- 0x30 < 10, digits < 15 {
            whole = whole * 10 + Int64(byte(position) &- 0x30)
            (position, digits) = (position + 1, digits + 1)
        }
        var (fraction, places) = (Int64(0), 0)
        if digits > 0, current == UInt8(ascii: ".") {
            position += 1
            while byte(position) &- 0x30 < 10 {
                if places < 3 { fraction = fraction * 10 + Int64(byte(position) &- 0x30) }
                (position, places) = (position + 1, places + 1)
            }
        }
        if digits > 0, current == UInt8(ascii: " ") || current == UInt8(ascii: "\n") {
            for _ in min(places, 3)..<3 { fraction *= 10 }
            let time = whole * 1000 + fraction
            return isNegative ? -time : time
        }
        // With an exponent, say.
        position = start
        let seconds = try takeNumber()
        guard let time = Int64(exactly: (seconds * 1000).rounded()) else { throw fault("invalid timestamp") }
        return time
    }
}

/// The texts of series with their numbers. A value.
///
/// A dump has its samples series by series or time by time: the text after one is the same, or the one that followed
/// it the last time. Others are found by hash, with open addressing and linear probing.
struct SeriesTexts: Sendable {
    private struct Known {
        var start: Int
        var length: Int
        var number: Int32
        var hash: Int
        /// The text that followed this one the last time.
        var next: Int
    }

    private var bytes: [UInt8] = []
    private var known: [Known] = []
    private var cells = [Int32](repeating: -1, count: 1024)
    private var last = -1

    /// The number of the series that `text` begins with and its length, if it is one of the expected ones.
    mutating func predicted(_ text: UnsafePointer<UInt8>, count: Int) -> (Int32, Int)? {
        if last < 0 { return nil }
        if unsafe starts(text, count, with: last) { return (known[last].number, known[last].length) }
        let next = known[last].next
        guard next >= 0, unsafe starts(text, count, with: next) else { return nil }
        last = next
        return (known[next].number, known[next].length)
    }

    /// Whether the series in `text` is the known one.
    private func starts(_ text: UnsafePointer<UInt8>, _ count: Int, with index: Int) -> Bool {
        let entry = known[index]
        guard entry.length < count, unsafe text[entry.length] == UInt8(ascii: " ") else { return false }
        return unsafe bytes.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return false }
            return unsafe memcmp(text, base + entry.start, entry.length) == 0
        }
    }

    private static func hash(_ text: UnsafeBufferPointer<UInt8>) -> Int {
        var hasher = Hasher()
        unsafe hasher.combine(bytes: UnsafeRawBufferPointer(text))
        return hasher.finalize()
    }

    /// The number of a known text, which is the last one from now on.
    mutating func find(_ text: UnsafeBufferPointer<UInt8>) -> Int32? {
        let hash = unsafe Self.hash(text)
        var cell = hash & (cells.count - 1)
        while cells[cell] >= 0 {
            let index = Int(cells[cell])
            if known[index].hash == hash, known[index].length == text.count,
                unsafe bytes[known[index].start..<known[index].start + text.count].elementsEqual(text)
            {
                follow(with: index)
                return known[index].number
            }
            cell = (cell + 1) & (cells.count - 1)
        }
        return nil
    }

    /// Adds a text, which is the last one from now on.
    mutating func add(_ text: UnsafeBufferPointer<UInt8>, _ number: Int32) {
        let hash = unsafe Self.hash(text)
        if (known.count + 1) * 2 > cells.count { grow() }
        known.append(Known(start: bytes.count, length: text.count, number: number, hash: hash, next: -1))
        unsafe bytes.append(contentsOf: text)
        enter(known.count - 1)
        follow(with: known.count - 1)
    }

    private mutating func follow(with index: Int) {
        if last >= 0 { known[last].next = index }
        last = index
    }

    private mutating func enter(_ index: Int) {
        var cell = known[index].hash & (cells.count - 1)
        while cells[cell] >= 0 { cell = (cell + 1) & (cells.count - 1) }
        cells[cell] = Int32(index)
    }

    private mutating func grow() {
        cells = [Int32](repeating: -1, count: cells.count * 2)
        for index in known.indices { enter(index) }
    }
}
