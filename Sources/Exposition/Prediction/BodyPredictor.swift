internal import Glibc

/// Reads bodies of one target, predicting each from the previous one. A value; used by one thread at a time.
///
/// A target exposes the same series in the same order at every scrape. For each sample the *prefix* is stored: the
/// bytes from the end of the previous sample's line to the start of the value, including comments. If a prefix is
/// repeated, comparing bytes identifies the series, and only the number is parsed. If it is not, the line is read
/// completely, its series is searched among the next stored lines and then in a hash table, and prediction continues
/// after the line that was found. The result always equals that of reading everything completely (measured in
/// docs/design/0041).
///
/// Adjacent lines have a common prefix, so only the part of a line's text that differs from the previous line is
/// stored. The rest is compared with the previous line in the body, which has just been found equal to the stored one.
///
/// Each ``parse(_:format:into:)`` is followed by ``commit()`` or ``discard()``.
public struct BodyPredictor: Sendable {
    /// A stored line with a value: lead, text (name and labels), blanks.
    struct Line: Sendable {
        /// The offset of the line's own bytes in `arena`: the lead, the text without its first `shared` bytes, the
        /// blanks.
        var own: UInt32
        /// Bytes before the text: comments, empty lines, blanks.
        var lead: UInt32
        /// The length of the text's common prefix with the previous line.
        var shared: UInt32
        var textLength: UInt32
        /// Bytes between the text and the value.
        var blanks: UInt32
        var series: Int32
        /// The context in which this line is read, and the one after it.
        var before: Context
        var after: Context

        /// The number of bytes at `own`.
        var ownLength: Int { Int(lead) + Int(textLength - shared) + Int(blanks) }
    }

    /// Lines of the body being read that are equal to lines of the last one.
    struct Run: Sendable {
        /// The index of the first of them in `pending`, and in `lines`.
        var start: Int
        var source: Int
    }

    /// The context of a line besides its bytes: the format and the last `# TYPE`.
    struct Context: Equatable, Sendable {
        var format: ExpositionFormat
        var type: MetricType
    }

    /// The number of stored lines that are compared before the hash table is used.
    static let lookahead = 8

    /// The lines' own bytes, with unused bytes between them; after `committedArena`, those of the body being read.
    var arena: [UInt8] = []
    /// The lines of the last committed body.
    var lines: [Line] = []
    /// The lines of the body being read; used only if it differs.
    var pending: [Line] = []
    private var runs: [Run] = []
    private var isPending = false
    private var committedArena = 0
    /// The size of `arena` after the last compaction.
    var compactArena = 0
    var table = SeriesTable()
    private var seenExemplars = ExemplarMemory()
    /// The series that got numbers since the last commit.
    var newNumbers: [Int32] = []

    /// A predictor without known series.
    public init() {}

    /// The number of series of the last committed body.
    public var count: Int { lines.count }

    /// An upper bound for the numbers given to series, exclusive.
    public var numberLimit: Int { table.numberLimit }

    /// Reads a body. If it throws, or ``ScrapedBody/stop`` says that the body was not read completely, ``discard()``
    /// must still be called.
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

    /// Remembers the body that was read, and removes the series that it does not contain.
    ///
    /// - Returns: the numbers of the removed series, which may be reused.
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

    /// Discards the body that was read.
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

    /// The metadata of the last committed body, one entry per `# TYPE`, `# HELP` or `# UNIT` line.
    ///
    /// - Complexity: O(bytes of the body); for requests, not for every scrape.
    public func metadata() -> [ExpositionEntry] {
        var comments: [UInt8] = []
        for line in lines where line.lead > 0 {
            comments += arena[Int(line.own)..<Int(line.own + line.lead)]
            comments.append(UInt8(ascii: "\n"))
        }
        guard let format = lines.first?.before.format else { return [] }
        // These lines were accepted before. Blank lines result from the cut before each name.
        let text = comments.split(separator: UInt8(ascii: "\n")).joined(separator: [UInt8(ascii: "\n")])
        let ending = format == .openMetrics ? Array("\n# EOF\n".utf8) : []
        // Bytes that were accepted once are accepted again.
        return (try? ExpositionBody(Array(text) + ending).entries(format)) ?? []
    }
}

// MARK: Reading

extension BodyPredictor {
    /// The progress of reading a body.
    struct Place {
        /// The line expected next.
        var expected = 0
        /// The position in the body of the text of the previous line.
        var anchor = 0
    }

    /// Reads lines as long as they are as predicted.
    private mutating func predict(
        _ parser: inout ExpositionParser, _ place: inout Place, _ result: inout ScrapedBody
    ) throws(ExpositionError) {
        // An array without capacity is the shared empty one. Appending nothing to it would write its length, in every
        // thread.
        guard place.expected < lines.count else { return }
        var context = Context(format: parser.format, type: parser.type)
        let numbers = parser.numbers
        let (base, count) = unsafe (parser.base, parser.count)
        var position = parser.position
        var (expected, anchor) = (place.expected, place.anchor)
        // Moved out of the result, so that no array is accessed per line.
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
                            // If the value follows the name directly, the name may be longer this time.
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

    /// From here on, the body differs from the last one.
    private mutating func diverge(at expected: Int, _ result: inout ScrapedBody) {
        guard !isPending else { return }
        isPending = true
        pending = Array(lines[..<expected])
        runs = []
        result.series = pending.map(\.series)
    }
}
