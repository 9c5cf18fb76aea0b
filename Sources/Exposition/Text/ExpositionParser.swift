internal import Glibc
internal import MetricModel

/// Reads a body line by line without allocating. Used by one thread, inside ``ExpositionBody/withParser(_:_:)``.
/// The pointer is valid only there. ``ExpositionBody/padding`` zero bytes follow the body.
@safe struct ExpositionParser {
    /// The kind of line that was read.
    enum Token {
        /// The body ends here, correctly.
        case end
        case type
        case help
        case unit
        case comment
        case sample
    }

    let base: UnsafePointer<UInt8>
    let count: Int
    let format: ExpositionFormat
    let numbers = DecimalNumber.tables
    /// The start of the next line.
    var position = 0

    /// The last `# TYPE`. As in Prometheus, it applies to the following series whatever their names.
    var type = MetricType.unknown
    /// The metric name of a metadata line, with its quotes.
    var name = 0..<0
    /// The text of a metadata line or comment.
    var text = 0..<0
    /// A sample's name and labels.
    var series = 0..<0
    /// The start of a sample's value.
    var valueStart = 0
    /// A sample's value.
    var value = 0.0
    /// Milliseconds, if ``hasTimestamp``.
    var timestampMilliseconds: Int64 = 0
    var hasTimestamp = false
    /// The braces of an exemplar; empty if there is none.
    var exemplarLabels = 0..<0
    /// An exemplar up to the end of its line; empty if there is none.
    var exemplarText: Range<Int> { exemplarLabels.isEmpty ? exemplarLabels : exemplarLabels.lowerBound..<position }
    var exemplarValue = 0.0
    var exemplarTimestamp: Timestamp?

    init(_ base: UnsafePointer<UInt8>, count: Int, format: ExpositionFormat) {
        unsafe self.base = unsafe base
        self.count = count
        self.format = format
    }

    /// Reads the next line.
    mutating func next() throws(ExpositionError) -> Token {
        switch format {
        case .text: try nextInText()
        case .openMetrics: try nextInOpenMetrics()
        // Protobuf has a parser of its own.
        case .protobuf: throw fault("not a text format")
        }
    }

    /// The rest of a sample's line after its value, with the line end.
    mutating func finishSample() throws(ExpositionError) {
        switch format {
        case .text: try finishTextSample()
        case .openMetrics: try finishOpenMetricsSample()
        case .protobuf: throw fault("not a text format")
        }
    }

    /// The sample's own timestamp.
    var timestamp: Timestamp? { hasTimestamp ? Timestamp(milliseconds: timestampMilliseconds) : nil }
}

// MARK: Bytes

extension ExpositionParser {
    /// The byte at `index`; 0 after the body.
    @inline(__always)
    func byte(_ index: Int) -> UInt8 { unsafe base[index] }

    /// The byte at the current position.
    @inline(__always)
    var current: UInt8 { byte(position) }

    func buffer(_ range: Range<Int>) -> UnsafeBufferPointer<UInt8> {
        unsafe UnsafeBufferPointer(start: base + range.lowerBound, count: range.count)
    }

    /// An error in the current line.
    func fault(_ message: String) -> ExpositionError {
        let line = unsafe 1 + buffer(0..<min(position, count)).count { $0 == UInt8(ascii: "\n") }
        return ExpositionError(line: line, message: message)
    }

    /// `expected value after metric, got "x"`.
    func expected(_ what: String) -> ExpositionError {
        guard position < count else { return fault("expected \(what), got the end of the body") }
        let found = unsafe String(decoding: buffer(position..<min(position + 10, count)), as: UTF8.self)
        return fault("expected \(what), got \(MetricText.quoted(String(found.prefix(5))))")
    }

    /// Whether the bytes at the current position are `word`.
    func starts(with word: StaticString) -> Bool {
        guard word.utf8CodeUnitCount <= count - position else { return false }
        return (0..<word.utf8CodeUnitCount).allSatisfy { unsafe byte(position + $0) == word.utf8Start[$0] }
    }

    /// Skips blanks and tabs.
    mutating func skipBlanks() {
        while current == UInt8(ascii: " ") || current == UInt8(ascii: "\t") { position += 1 }
    }

    /// The end of the current line, without its newline.
    func lineEnd() -> Int {
        var end = position
        while end < count && byte(end) != UInt8(ascii: "\n") { end += 1 }
        return end
    }

    /// Reads an unquoted name. Returns false if there is none.
    mutating func takeName(colon: Bool) -> Bool {
        let start = position
        while true {
            let byte = current
            let letter = byte | 0x20 &- 0x61 < 26 || byte == UInt8(ascii: "_") || (colon && byte == UInt8(ascii: ":"))
            let digit = byte &- 0x30 < 10 && position > start
            guard letter || digit else { return position > start }
            position += 1
        }
    }

    /// Reads a quoted string with its quotes. Returns false if it does not end (or contains a newline, unless
    /// `newlines`).
    mutating func takeQuoted(newlines: Bool) -> Bool {
        var place = position + 1
        while place < count {
            switch byte(place) {
            case UInt8(ascii: "\""):
                position = place + 1
                return true
            case UInt8(ascii: "\\"): place += 2
            case UInt8(ascii: "\n") where !newlines: return false
            default: place += 1
            }
        }
        return false
    }

    /// Reads a number that ends at a blank or newline.
    mutating func takeNumber() throws(ExpositionError) -> Double {
        var number = 0.0
        let length = unsafe numbers.read(base + position, &number)
        let after = byte(position + length)
        let ends =
            after == UInt8(ascii: "\n") || after == UInt8(ascii: " ") || position + length == count
            || (format == .text && after == UInt8(ascii: "\t"))
        guard length > 0, ends, position + length <= count else { throw expected("a number") }
        position += length
        return number
    }
}

// MARK: Decoding

extension ExpositionParser {
    /// The metric name of a metadata line.
    ///
    /// Only the lexer has read it: as in Prometheus, invalid UTF-8 in it does not fail the scrape.
    func metricName() -> String {
        let isQuoted = byte(name.lowerBound) == UInt8(ascii: "\"")
        // A name with invalid escapes is shown unchanged.
        if isQuoted, let unquoted = try? unquoted(name) { return unquoted }
        return unsafe String(decoding: buffer(name), as: UTF8.self)
    }

    /// The help text without its escapes.
    func helpText() throws(ExpositionError) -> String {
        try unescaped(text, quotes: format == .openMetrics)
    }

    /// The text, unchanged.
    func plainText() throws(ExpositionError) -> String {
        try string(text)
    }

    /// A comment, which may contain anything.
    func commentText() -> String {
        unsafe String(decoding: buffer(text), as: UTF8.self)
    }

    func string(_ range: Range<Int>) throws(ExpositionError) -> String {
        guard let string = unsafe String(validating: buffer(range), as: UTF8.self) else {
            throw fault("invalid UTF-8 text")
        }
        return string
    }

    /// The same; returns `former` if it has these bytes, which takes no memory.
    func string(_ range: Range<Int>, like former: String?) throws(ExpositionError) -> String {
        if let former, former.utf8.count == range.count, has(range, former) { return former }
        return try string(range)
    }

    private func has(_ range: Range<Int>, _ text: String) -> Bool {
        unsafe text.utf8.withContiguousStorageIfAvailable { text in
            let own = unsafe buffer(range)
            guard let left = own.baseAddress, let right = text.baseAddress else { return own.isEmpty }
            return unsafe memcmp(left, right, text.count) == 0
        } ?? false
    }

    /// The text between the quotes of `range`; returns `former` if it equals that text.
    func unquoted(_ range: Range<Int>, like former: String? = nil) throws(ExpositionError) -> String {
        let text = range.lowerBound + 1..<range.upperBound - 1
        // A text with a backslash has escapes.
        if let former, former.utf8.count == text.count, has(text, former),
            unsafe !buffer(text).contains(UInt8(ascii: "\\"))
        {
            return former
        }
        return try unescaped(text, quotes: true)
    }

    /// Resolves `\\`, `\n` and, with `quotes`, `\"`. Other backslashes are kept.
    private func unescaped(_ range: Range<Int>, quotes: Bool) throws(ExpositionError) -> String {
        guard unsafe buffer(range).contains(UInt8(ascii: "\\")) else { return try string(range) }
        var bytes: [UInt8] = []
        var place = range.lowerBound
        while place < range.upperBound {
            let escaped = place + 1 < range.upperBound && byte(place) == UInt8(ascii: "\\") ? byte(place + 1) : 0
            switch escaped {
            case UInt8(ascii: "\\"): bytes.append(escaped)
            case UInt8(ascii: "n"): bytes.append(UInt8(ascii: "\n"))
            case UInt8(ascii: "\"") where quotes: bytes.append(escaped)
            default:
                bytes.append(byte(place))
                place -= 1
            }
            place += 2
        }
        guard let string = String(validating: bytes, as: UTF8.self) else { throw fault("invalid UTF-8 text") }
        return string
    }
}
