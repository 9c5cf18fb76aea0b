internal import Glibc

/// Reads bodies of one target, predicting each from the one before. A value; used by one thread at a time.
///
/// A target exposes the same series in the same order, scrape after scrape. So per sample the *segment* is remembered: the
/// bytes from the end of the previous sample's line to the beginning of the value, comments included. Where a segment comes
/// again, one `memcmp` tells the series, and only the number is parsed. Where it does not, the line is read in full, its
/// series is looked for among the next remembered lines and then in a hash table, and prediction goes on behind the line
/// that was found. The outcome is always that of reading everything in full (DESIGN §4; measured in docs/design/0041).
///
/// Each ``parse(_:format:into:)`` is followed by ``commit()`` or ``discard()``.
public struct SeriesMatcher: Sendable {
    /// A line with a value, as it was remembered. Offsets count from the beginning of `arena`.
    struct Line: Sendable {
        /// The segment: comments, name, labels, blanks.
        var segment: UInt32
        var segmentLength: UInt32
        /// Name and labels, within the segment.
        var text: UInt32
        var textLength: UInt32
        var series: Int32
        /// What of the lines before has a bearing on this one, and what of this one on those behind.
        var before: Context
        var after: Context
    }

    /// What the reading of a line depends on besides its bytes: the format and the last `# TYPE`.
    struct Context: Equatable, Sendable {
        var format: ExpositionFormat
        var type: MetricType
    }

    /// How many of the next remembered lines are compared before the hash table is asked.
    static let lookahead = 8

    /// The bytes of the remembered segments, with garbage between them.
    var arena: [UInt8] = []
    /// The lines of the last committed body.
    var lines: [Line] = []
    /// The lines of the body being read; only where it differs.
    var pending: [Line] = []
    private var isPending = false
    private var committedArena = 0
    var table = SeriesTable()
    /// The series that were given numbers since the last commit.
    var newNumbers: [Int32] = []

    /// A matcher that knows nothing yet.
    public init() {}

    /// The number of series of the last committed body.
    public var count: Int { lines.count }

    /// An upper bound for the numbers given to series, exclusive.
    public var numberLimit: Int { table.numberLimit }

    /// Reads a body. Where it is refused, ``discard()`` is still to be called.
    public mutating func parse(
        _ body: ExpositionBody, format: ExpositionFormat, into result: inout ScrapedBody
    ) throws(ExpositionError) {
        result.removeAll()
        result.values.reserveCapacity(lines.count)
        committedArena = arena.count
        isPending = false
        try body.withParser(format) { parser throws(ExpositionError) in
            var expected = 0
            while true {
                try predict(&parser, &expected, &result)
                guard try readInFull(&parser, &expected, &result) else { break }
            }
            if expected < lines.count || isPending { diverge(at: expected, &result) }
        }
        result.isUnchanged = !isPending
    }

    /// Remembers the body that was read, and forgets the series that were not in it.
    ///
    /// - Returns: The numbers of the forgotten series, which may be given to others from now on.
    @discardableResult
    public mutating func commit() -> [Int32] {
        guard isPending else { return [] }
        for (index, line) in pending.enumerated() { table.setLine(index, of: line.series) }
        let forgotten = table.forgetUnmarked()
        lines = pending
        finishPending()
        compactIfWorthwhile()
        return forgotten
    }

    /// Forgets the body that was read, as if it had never come.
    public mutating func discard() {
        for number in newNumbers { table.remove(number) }
        arena.removeLast(arena.count - committedArena)
        finishPending()
    }

    private mutating func finishPending() {
        pending = []
        newNumbers = []
        isPending = false
    }

    /// The last committed body's metadata, one entry per `# TYPE`, `# HELP` or `# UNIT` line.
    ///
    /// - Complexity: O(bytes of the body); for those who ask, not for every scrape.
    public func metadata() -> [ExpositionEntry] {
        var comments: [UInt8] = []
        for line in lines where line.text > line.segment {
            comments += arena[Int(line.segment)..<Int(line.text)]
            comments.append(UInt8(ascii: "\n"))
        }
        guard let format = lines.first?.before.format else { return [] }
        // The lines were accepted before; blank ones come of the cut before each name.
        let text = comments.split(separator: UInt8(ascii: "\n")).joined(separator: [UInt8(ascii: "\n")])
        let ending = format == .openMetrics ? Array("\n# EOF\n".utf8) : []
        // What was accepted once is accepted again.
        return (try? ExpositionBody(Array(text) + ending).entries(format)) ?? []
    }
}

// MARK: Reading

extension SeriesMatcher {
    /// Takes lines as long as they come as expected.
    private mutating func predict(
        _ parser: inout ExpositionParser, _ expected: inout Int, _ result: inout ScrapedBody
    ) throws(ExpositionError) {
        var context = Context(format: parser.format, type: parser.type)
        let numbers = parser.numbers
        let (base, count) = unsafe (parser.base, parser.count)
        var position = parser.position
        let first = expected
        let isText = parser.format == .text
        let isBlank = { (byte: UInt8) in byte == UInt8(ascii: " ") || (isText && byte == UInt8(ascii: "\t")) }
        try unsafe arena.withUnsafeBufferPointer { arena throws(ExpositionError) in
            try unsafe lines.withUnsafeBufferPointer { lines throws(ExpositionError) in
                while expected < lines.count {
                    let line = unsafe lines[expected]
                    let length = Int(line.segmentLength)
                    guard line.before == context, position + length < count,
                        // There is a segment, so there is an arena.
                        unsafe memcmp(base + position, arena.baseAddress! + Int(line.segment), length) == 0
                    else { break }
                    var value = 0.0
                    let taken = unsafe numbers.read(base + position + length, &value)
                    let end = position + length + taken
                    guard taken > 0, end < count else { break }
                    if unsafe base[end] == UInt8(ascii: "\n") {
                        position = end + 1
                    } else {
                        guard unsafe isBlank(base[end]) else { break }
                        parser.position = end
                        let text = position + Int(line.text - line.segment)
                        parser.series = text..<text + Int(line.textLength)
                        parser.type = line.after.type
                        try parser.finishSample()
                        position = parser.position
                        try note(parser, &result)
                    }
                    result.values.append(value)
                    context = line.after
                    expected += 1
                }
            }
        }
        parser.position = position
        parser.type = context.type
        if isPending {
            pending += lines[first..<expected]
            result.series += lines[first..<expected].map(\.series)
        }
    }

    /// Reads one sample with the comments before it. Returns false at the end of the body.
    private mutating func readInFull(
        _ parser: inout ExpositionParser, _ expected: inout Int, _ result: inout ScrapedBody
    ) throws(ExpositionError) -> Bool {
        let start = parser.position
        let before = Context(format: parser.format, type: parser.type)
        while true {
            switch try parser.next() {
            case .end: return false
            case .type, .help, .unit, .comment: continue
            case .sample: break
            }
            break
        }
        diverge(at: expected, &result)
        let after = Context(format: parser.format, type: parser.type)
        let segment = arena.count
        let text = segment + parser.series.lowerBound - start
        let number: Int32
        if let known = find(parser, after, near: expected) {
            number = known.number
            if let line = known.line { expected = line + 1 }
        } else {
            number = try learn(parser, after, at: text, &result)
        }
        unsafe arena += unsafe parser.buffer(start..<parser.valueStart)
        pending.append(
            Line(
                segment: UInt32(segment), segmentLength: UInt32(parser.valueStart - start), text: UInt32(text),
                textLength: UInt32(parser.series.count), series: number, before: before, after: after))
        result.series.append(number)
        try note(parser, &result)
        result.values.append(parser.value)
        return true
    }

    private func note(_ parser: ExpositionParser, _ result: inout ScrapedBody) throws(ExpositionError) {
        let index = result.values.count
        if let timestamp = parser.timestamp { result.timestamps.append(.init(index: index, value: timestamp)) }
        if let exemplar = try parser.exemplar() { result.exemplars.append(.init(index: index, value: exemplar)) }
    }

    /// From here on the body is not the last one any more.
    private mutating func diverge(at expected: Int, _ result: inout ScrapedBody) {
        guard !isPending else { return }
        isPending = true
        pending = Array(lines[..<expected])
        result.series = pending.map(\.series)
    }
}
