internal import Glibc

/// Reads bodies of one target, predicting each from the one before. A value; used by one thread at a time.
///
/// A target exposes the same series in the same order, scrape after scrape. So per sample the *prefix* is remembered:
/// the bytes from the end of the previous sample's line to the beginning of the value, comments included. Where a
/// prefix comes again, comparing bytes identifies the series, and only the number is parsed. Where it does not, the
/// line is read in full, its series is looked for among the next remembered lines and then in a hash table, and
/// prediction goes on behind the line that was found. The outcome is always that of reading everything in full (DESIGN
/// §4; measured in docs/design/0041).
///
/// Neighbouring lines begin alike, so of a line's text only what differs from the line before is kept; the rest is
/// compared with the line before in the body itself, which has just been found to be the remembered one.
///
/// Each ``parse(_:format:into:)`` is followed by ``commit()`` or ``discard()``.
public struct BodyPredictor: Sendable {
    /// A line with a value, as it was remembered: lead, text (name and labels), blanks.
    struct Line: Sendable {
        /// Where the line's own bytes begin in `arena`: the lead, the text without its first `shared` bytes, the
        /// blanks.
        var own: UInt32
        /// Bytes before the text: comments, empty lines, blanks.
        var lead: UInt32
        /// How many bytes the text has in common with that of the line before.
        var shared: UInt32
        var textLength: UInt32
        /// Bytes between the text and the value.
        var blanks: UInt32
        var series: Int32
        /// The context in which this line is read, and the one it leaves for the lines after it.
        var before: Context
        var after: Context

        /// The number of bytes at `own`.
        var ownLength: Int { Int(lead) + Int(textLength - shared) + Int(blanks) }
    }

    /// Lines of the body being read that were taken over from the last one.
    struct Run: Sendable {
        /// Index of the first of them in `pending`, and in `lines`.
        var start: Int
        var source: Int
    }

    /// The context of a line besides its bytes: the format and the last `# TYPE`.
    struct Context: Equatable, Sendable {
        var format: ExpositionFormat
        var type: MetricType
    }

    /// How many of the next remembered lines are compared before the hash table is asked.
    static let lookahead = 8

    /// The lines' own bytes, with unused bytes between them; after `committedArena` those of the body being read.
    var arena: [UInt8] = []
    /// The lines of the last committed body.
    var lines: [Line] = []
    /// The lines of the body being read; only where it differs.
    var pending: [Line] = []
    private var runs: [Run] = []
    private var isPending = false
    private var committedArena = 0
    /// The size of `arena` after the last compaction.
    var compactArena = 0
    var table = SeriesTable()
    private var seenExemplars = ExemplarMemory()
    /// The series that were given numbers since the last commit.
    var newNumbers: [Int32] = []

    /// A predictor that knows nothing yet.
    public init() {}

    /// The number of series of the last committed body.
    public var count: Int { lines.count }

    /// An upper bound for the numbers given to series, exclusive.
    public var numberLimit: Int { table.numberLimit }

    /// Reads a body. Where it is refused, or ``ScrapedBody/stop`` says that it was not read to its end, ``discard()``
    /// is still to be called.
    public mutating func parse(
        _ body: ExpositionBody, format: ExpositionFormat, into result: inout ScrapedBody,
        limits: ReadingLimits = ReadingLimits()
    ) throws(ExpositionError) {
        result.removeAll()
        result.values.reserveCapacity(lines.count)
        committedArena = arena.count
        isPending = false
        try body.withParser(format) { parser throws(ExpositionError) in
            var place = Place()
            while true {
                try predict(&parser, &place, &result)
                guard try readInFull(&parser, &place, &result) else { break }
                result.stop = limits.stop(samples: result.values.count, newSeries: result.newSeries.count)
                if result.stop != nil { break }
            }
            if place.expected < lines.count || isPending { diverge(at: place.expected, &result) }
        }
        result.isUnchanged = !isPending
    }

    /// Remembers the body that was read, and forgets the series that were not in it.
    ///
    /// - Returns: The numbers of the forgotten series, which may be given to others from now on.
    @discardableResult
    public mutating func commit() -> [Int32] {
        guard isPending else {
            seenExemplars.commit(forgotten: [])
            return []
        }
        for run in runs { unchain(run) }
        for (index, line) in pending.enumerated() { table.setLine(index, of: line.series) }
        let forgotten = table.forgetUnmarked()
        lines = pending
        seenExemplars.commit(forgotten: forgotten)
        finishPending()
        compactIfWorthwhile()
        return forgotten
    }

    /// Forgets the body that was read, as if it had never come.
    public mutating func discard() {
        for number in newNumbers { table.remove(number) }
        seenExemplars.discard()
        arena.removeLast(arena.count - committedArena)
        finishPending()
    }

    private mutating func finishPending() {
        pending = []
        runs = []
        newNumbers = []
        isPending = false
    }

    /// The last committed body's metadata, one entry per `# TYPE`, `# HELP` or `# UNIT` line.
    ///
    /// - Complexity: O(bytes of the body); for those who ask, not for every scrape.
    public func metadata() -> [ExpositionEntry] {
        var comments: [UInt8] = []
        for line in lines where line.lead > 0 {
            comments += arena[Int(line.own)..<Int(line.own + line.lead)]
            comments.append(UInt8(ascii: "\n"))
        }
        guard let format = lines.first?.before.format else { return [] }
        // The lines were accepted before; blank ones come of the cut before each name.
        let text = comments.split(separator: UInt8(ascii: "\n")).joined(separator: [UInt8(ascii: "\n")])
        let ending = format == .openMetrics ? Array("\n# EOF\n".utf8) : []
        // Bytes that were accepted once are accepted again.
        return (try? ExpositionBody(Array(text) + ending).entries(format)) ?? []
    }
}

// MARK: Reading

extension BodyPredictor {
    /// How far the reading of a body has come.
    struct Place {
        /// The line expected next.
        var expected = 0
        /// The position in the body of the text of the line before that one.
        var anchor = 0
    }

    /// Takes lines as long as they come as expected.
    private mutating func predict(
        _ parser: inout ExpositionParser, _ place: inout Place, _ result: inout ScrapedBody
    ) throws(ExpositionError) {
        // An array without room is the one that all empty ones share: adding no room to it would write its length, in
        // every thread.
        guard place.expected < lines.count else { return }
        var context = Context(format: parser.format, type: parser.type)
        let numbers = parser.numbers
        let (base, count) = unsafe (parser.base, parser.count)
        var position = parser.position
        var (expected, anchor) = (place.expected, place.anchor)
        // Taken out of the result, so that nothing is asked of an array per line.
        var values = result.values
        result.values = []
        defer { result.values = values }
        let first = values.count
        let isText = parser.format == .text
        let isBlank = { (byte: UInt8) in byte == UInt8(ascii: " ") || (isText && byte == UInt8(ascii: "\t")) }
        try values.append(addingCapacity: lines.count - expected) { values throws(ExpositionError) in
            try unsafe arena.withUnsafeBufferPointer { arena throws(ExpositionError) in
                try unsafe lines.withUnsafeBufferPointer { lines throws(ExpositionError) in
                    while expected < lines.count {
                        let line = unsafe lines[expected]
                        let text = position + Int(line.lead)
                        let rest = text + Int(line.shared)
                        let end = text + Int(line.textLength) + Int(line.blanks)
                        // There is a line, so there is an arena.
                        guard line.before == context, end < count,
                            // A name that the value follows at once may be longer this time.
                            unsafe line.blanks > 0 || base[end - 1] == UInt8(ascii: "}"),
                            unsafe memcmp(base + text, base + anchor, rest - text) == 0,
                            unsafe memcmp(
                                base + rest, arena.baseAddress! + Int(line.own) + Int(line.lead), end - rest) == 0,
                            unsafe line.lead == 0
                                || memcmp(base + position, arena.baseAddress! + Int(line.own), Int(line.lead)) == 0
                        else { break }
                        var value = 0.0
                        let taken = unsafe numbers.read(base + end, &value)
                        let after = end + taken
                        guard taken > 0, after < count else { break }
                        if unsafe base[after] == UInt8(ascii: "\n") {
                            position = after + 1
                        } else {
                            guard unsafe isBlank(base[after]) else { break }
                            parser.position = after
                            parser.series = text..<text + Int(line.textLength)
                            parser.type = line.after.type
                            try parser.finishSample()
                            position = parser.position
                            try note(parser, line.series, at: first + values.count, &result)
                        }
                        values.append(value)
                        context = line.after
                        anchor = text
                        expected += 1
                    }
                }
            }
        }
        parser.position = position
        parser.type = context.type
        if isPending && expected > place.expected {
            runs.append(Run(start: pending.count, source: place.expected))
            pending += lines[place.expected..<expected]
            result.series += lines[place.expected..<expected].map(\.series)
        }
        place = Place(expected: expected, anchor: anchor)
    }

    /// Reads one sample with the comments before it. Returns false at the end of the body.
    private mutating func readInFull(
        _ parser: inout ExpositionParser, _ place: inout Place, _ result: inout ScrapedBody
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
        diverge(at: place.expected, &result)
        let after = Context(format: parser.format, type: parser.type)
        let own = arena.count
        let text = parser.series
        let number: Int32
        if let known = find(parser, after, place) {
            number = known.number
            if let line = known.line { place = Place(expected: line + 1, anchor: text.lowerBound) }
        } else {
            number = try learn(parser, after, at: own + text.lowerBound - start, &result)
        }
        unsafe arena += unsafe parser.buffer(start..<parser.valueStart)
        pending.append(
            Line(
                own: UInt32(own), lead: UInt32(text.lowerBound - start), shared: 0, textLength: UInt32(text.count),
                blanks: UInt32(parser.valueStart - text.upperBound), series: number, before: before, after: after))
        result.series.append(number)
        try note(parser, number, at: result.values.count, &result)
        result.values.append(parser.value)
        return true
    }

    private mutating func note(
        _ parser: ExpositionParser, _ number: Int32, at index: Int, _ result: inout ScrapedBody
    ) throws(ExpositionError) {
        if let timestamp = parser.timestamp { result.timestamps.append(.init(index: index, value: timestamp)) }
        if parser.exemplarText.isEmpty { return }
        let hash = unsafe table.hash64(parser.buffer(parser.exemplarText), ExemplarMemory.start)
        guard seenExemplars.isNew(hash, of: number) else { return }
        if let exemplar = try parser.exemplar() { result.exemplars.append(.init(index: index, value: exemplar)) }
    }

    /// From here on the body is not the last one any more.
    private mutating func diverge(at expected: Int, _ result: inout ScrapedBody) {
        guard !isPending else { return }
        isPending = true
        pending = Array(lines[..<expected])
        runs = []
        result.series = pending.map(\.series)
    }
}
