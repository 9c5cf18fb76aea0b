internal import Glibc
internal import MetricModel

/// Reads protobuf bodies of one target, predicting each from the previous one. A value; used by one thread at a time.
///
/// Series are as predictable as in text: the bytes of name, labels, part and bound are compared with those of the next
/// expected line. The series is searched only if they differ. A body with all lines as expected decodes no label. Terms
/// and order of calls are those of ``BodyPredictor``.
struct FamilyPredictor: Sendable {
    /// A stored identity of a sample; see ``MetricFamilyParser/key``.
    private struct Line: Sendable {
        /// The offset of the bytes in `arena`: those of the family if the line is its first, then those of the series.
        var start: UInt32
        var family: UInt32
        var series: UInt32
        var number: Int32
        var type: MetricType

        var end: Int { Int(start + family + series) }
    }

    /// The number of stored lines that are compared before the hash table is used.
    private static let lookahead = 8

    private let options: ExpositionOptions
    /// The lines' bytes, with unused bytes between them; after `committedArena`, those of the body being read.
    private var arena: [UInt8] = []
    private var committedArena = 0
    /// The size of `arena` after the last compaction.
    private var compactArena = 0
    /// The lines of the last committed body, and of the one being read if it differs.
    private var lines: [Line] = []
    private var pending: [Line] = []
    private var isPending = false
    private var table = SeriesTable()
    private var newNumbers: [Int32] = []
    private var seenExemplars = ExemplarMemory()

    init(_ options: ExpositionOptions) {
        self.options = options
    }

    var numberLimit: Int { table.numberLimit }

    mutating func parse(
        _ body: ExpositionBody, into result: inout ScrapedBody, limits: ReadingLimits
    ) throws(ExpositionError) {
        result.removeAll()
        result.values.reserveCapacity(lines.count)
        committedArena = arena.count
        isPending = false
        var expected = 0
        try body.withFamilies(options) { parser throws(ExpositionError) in
            try parser.read { _ in
            } sample: { sample throws(ExpositionError) in
                if result.stop != nil { return }
                try read(&sample, &expected, &result)
                result.stop = limits.stop(samples: result.values.count, newSeries: result.newSeries.count)
                sample.isStopped = result.stop != nil
            }
        }
        if expected < lines.count || isPending { diverge(at: expected, &result) }
        result.isUnchanged = !isPending
    }

    mutating func commit() -> [Int32] {
        guard isPending else {
            seenExemplars.commit(forgotten: [])
            return []
        }
        for (index, line) in pending.enumerated() { table.setLine(index, of: line.number) }
        let forgotten = table.forgetUnmarked()
        seenExemplars.commit(forgotten: forgotten)
        lines = pending
        finishPending()
        compactIfWorthwhile()
        return forgotten
    }

    mutating func discard() {
        for number in newNumbers { table.remove(number) }
        seenExemplars.discard()
        arena.removeLast(arena.count - committedArena)
        finishPending()
    }

    private mutating func finishPending() {
        pending = []
        newNumbers = []
        isPending = false
    }

    private mutating func compactIfWorthwhile() {
        guard arena.count > compactArena + compactArena / 2 + 4096 || compactArena == 0 else { return }
        var compact: [UInt8] = []
        for index in lines.indices {
            let line = lines[index]
            lines[index].start = UInt32(compact.count)
            compact += arena[Int(line.start)..<line.end]
        }
        arena = compact.trimmed()
        lines = lines.trimmed()
        compactArena = arena.count
    }
}

// MARK: Reading

extension FamilyPredictor {
    private mutating func read(
        _ sample: inout MetricFamilyParser, _ expected: inout Int, _ result: inout ScrapedBody
    ) throws(ExpositionError) {
        if sample.histogram != nil, let problem = sample.countFault { throw sample.fault(problem) }
        let number: Int32
        if expected < lines.count, isSame(sample, lines[expected]) {
            number = lines[expected].number
            if isPending { pending.append(lines[expected]) }
            expected += 1
        } else {
            diverge(at: expected, &result)
            number = try find(sample, &expected, &result)
        }
        if isPending { result.series.append(number) }
        try note(sample, number, &result)
        result.values.append(sample.value)
    }

    /// Whether the sample is the stored one, including the family's metadata.
    private func isSame(_ sample: MetricFamilyParser, _ line: Line) -> Bool {
        let length = sample.keyEnd - sample.keyStart
        guard line.type == sample.type, Int(line.series) == sample.keyEnd - sample.seriesStart,
            Int(line.family) + Int(line.series) == length
        else { return false }
        return unsafe sample.key.withUnsafeBufferPointer { key in
            unsafe arena.withUnsafeBufferPointer { arena in
                // Neither a key nor a line is empty, so there are base addresses.
                unsafe memcmp(key.baseAddress! + sample.keyStart, arena.baseAddress! + Int(line.start), length) == 0
            }
        }
    }

    private mutating func find(
        _ sample: MetricFamilyParser, _ expected: inout Int, _ result: inout ScrapedBody
    ) throws(ExpositionError) -> Int32 {
        let context = BodyPredictor.Context(format: .protobuf, type: sample.type)
        let start = arena.count
        let family = sample.seriesStart - sample.keyStart
        let length = sample.keyEnd - sample.seriesStart
        let number: Int32
        let hash = unsafe sample.key.withUnsafeBufferPointer { key in
            // The key has padding after it for whole words.
            unsafe table.hash(UnsafeBufferPointer(rebasing: key[sample.seriesStart..<sample.keyEnd]))
        }
        if let near = (expected..<min(expected + Self.lookahead, lines.count)).first(where: {
            lines[$0].type == sample.type && has(lines[$0].start + lines[$0].family, Int(lines[$0].series), sample)
        }) {
            number = lines[near].number
            expected = near + 1
        } else if let known = table.find(hash, length: length, context, { has(text(of: $0), length, sample) }) {
            number = known
            if let line = table.line(of: known) { expected = line + 1 }
        } else {
            let labels = try sample.seriesLabels()
            number = table.insert(text: UInt32(start + family), length: UInt32(length), context: context, hash: hash)
            newNumbers.append(number)
            result.newSeries.append(.init(number: number, labels: labels, type: sample.type))
        }
        arena += sample.key[sample.keyStart..<sample.keyEnd]
        pending.append(
            Line(
                start: UInt32(start), family: UInt32(family), series: UInt32(length), number: number,
                type: sample.type))
        return number
    }

    private func text(of known: SeriesTable.Known) -> UInt32 {
        known.state == .line ? lines[Int(known.place)].start + lines[Int(known.place)].family : known.place
    }

    /// Whether the series of the sample is the one at `start` of the arena.
    private func has(_ start: UInt32, _ length: Int, _ sample: MetricFamilyParser) -> Bool {
        guard length == sample.keyEnd - sample.seriesStart else { return false }
        return unsafe sample.key.withUnsafeBufferPointer { key in
            unsafe arena.withUnsafeBufferPointer { arena in
                unsafe memcmp(key.baseAddress! + sample.seriesStart, arena.baseAddress! + Int(start), length) == 0
            }
        }
    }

    private mutating func note(
        _ sample: MetricFamilyParser, _ number: Int32, _ result: inout ScrapedBody
    ) throws(ExpositionError) {
        let index = result.values.count
        if let timestamp = sample.timestamp { result.timestamps.append(.init(index: index, value: timestamp)) }
        if let start = sample.startTimestamp { result.startTimestamps.append(.init(index: index, value: start)) }
        if let histogram = sample.histogram { result.histograms.append(.init(index: index, value: histogram)) }
        if sample.exemplars.isEmpty { return }
        var hash = ExemplarMemory.start
        for range in sample.exemplars { hash = unsafe table.hash64(sample.buffer(range), hash) }
        guard seenExemplars.isNew(hash, of: number) else { return }
        for range in sample.exemplars {
            if let exemplar = try sample.exemplar(range) {
                result.exemplars.append(.init(index: index, value: exemplar))
            }
        }
    }

    /// From here on, the body differs from the last one.
    private mutating func diverge(at expected: Int, _ result: inout ScrapedBody) {
        guard !isPending else { return }
        isPending = true
        pending = Array(lines[..<expected])
        result.series = pending.map(\.number)
    }
}

// MARK: Metadata

extension FamilyPredictor {
    /// The last committed body's metadata.
    func metadata() -> [ExpositionEntry] {
        var entries: [ExpositionEntry] = []
        for line in lines where line.family > 0 {
            // The bytes before the first series of a family, as written by `MetricFamilyParser`.
            var rest = arena[Int(line.start)..<Int(line.start + line.family)].dropFirst()
            var texts: [String] = []
            for _ in 0..<3 {
                let length = rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
                rest = rest.dropFirst(4)
                texts.append(String(decoding: rest.prefix(length), as: UTF8.self))
                rest = rest.dropFirst(length)
            }
            entries.append(.type(metric: texts[0], line.type))
            entries.append(.help(metric: texts[0], texts[1]))
            if !texts[2].isEmpty { entries.append(.unit(metric: texts[0], texts[2])) }
        }
        return entries
    }
}
