internal import Glibc
internal import Synchronization

/// The segments that existed at a time. Their records stay readable while this exists.
struct PinnedSegments {
    fileprivate let segments: [Segment]

    /// The record at `place`, unless its segment was dropped before the pin or created after it.
    func record(at place: ChunkPlace) -> ChunkRecord? {
        guard let first = segments.first, place.segment >= first.number,
            place.segment - first.number < UInt32(segments.count)
        else { return nil }
        let segment = segments[Int(place.segment - first.number)]
        segment.noteRead()
        return unsafe segment.record(at: place.offset)
    }
}

/// All sealed chunks of a store, in the order in which they were sealed, in segments that are dropped oldest first.
///
/// Reclamation: a reader copies the list of segments (one reference) before it reads a lane's directory. A dropped
/// segment leaves the list at once. Its memory is freed with the last such copy, so no reader follows a place into
/// freed memory. The lock is taken once per query, per seal and per drop; never per sample.
///
/// Files are written with `pwrite` and read through a mapping, which on Linux see the same pages: only pages that
/// queries read count as the process's memory, and only until ``releaseRead()``. A lane's directory names a record
/// after it is written.
final class SegmentLog: Sendable {
    private struct Entry {
        let segment: Segment
        /// Bytes used.
        var used = Segment.headerSize
        var oldest = Int64.max
        var newest = Int64.min
        var sampleCount: UInt64 = 0
        /// The number of rows of each lane through its newest chunk here.
        var ends: [UInt32: Int] = [:]

        /// A record with this header was added.
        mutating func add(_ header: ChunkHeader) {
            oldest = min(oldest, header.oldest)
            newest = max(newest, header.newest)
            sampleCount += UInt64(header.sampleCount)
            let end = Int(header.chunk) * ColumnCodec.rows + Int(header.rowCount)
            ends[header.lane] = max(ends[header.lane] ?? 0, end)
        }

        /// Bytes used, rounded up to whole pages.
        var usedPages: Int { (used + Mapping.page - 1) & -Mapping.page }
    }

    private struct State: ~Copyable {
        /// With consecutive numbers.
        var entries: [Entry] = []
        /// The last segment's file; `nil` in memory, and until a record is added to a segment of an earlier process.
        var file: OpenFile?
        /// The newest lost chunk per lane since the last ``takeDropped()``.
        var dropped: [UInt32: UInt32] = [:]
        var nextNumber: UInt32 = 1
        /// Records of an earlier process that ``checkSome(_:_:)`` has not checked: from `from` to `end`.
        var unchecked: [(segment: Segment, from: Int, end: Int)] = []
        /// The places of damaged records, and the notes about those found since the last ``takeNotes()``.
        var damaged: Set<UInt64> = []
        var notes: [String] = []
        /// Segments with these rows are kept as they are.
        var unsent: UnsentRows?

        /// The size of all segments in bytes; for finished ones, the bytes in use.
        var byteCount: Int {
            entries.dropLast().reduce(entries.last?.segment.mapping.count ?? 0) { $0 + $1.usedPages }
        }
    }

    let directory: StoreDirectory?
    private let budget: Int
    private let segmentSize: Int
    /// The size of the first segment, unless the budget is small.
    private static let smallest = 1 << 20
    /// The maximum time range of a segment in milliseconds, unless one chunk is longer, so that retention by time is
    /// precise enough, and chunks are rewritten into blocks soon.
    private let longestSpan: Int64
    private let state = Mutex(State())

    init(directory: StoreDirectory?, budget: Int, retention: Int64, span: Int64) {
        self.directory = directory
        self.budget = budget
        longestSpan = min(max(retention / 12, 1), span)
        segmentSize = min(max(budget / 16 & -Mapping.page, 1 << 18), 64 << 20)
    }

    /// The current segments.
    func pin() -> PinnedSegments {
        PinnedSegments(segments: state.withLock { $0.entries.map(\.segment) })
    }

    /// The size of all segments in bytes.
    var byteCount: Int {
        state.withLock { $0.byteCount }
    }

    /// Samples in all segments.
    var sampleCount: UInt64 {
        state.withLock { state in state.entries.reduce(0) { $0 + $1.sampleCount } }
    }

    /// The oldest and the newest time in all segments.
    var timeRange: ClosedRange<Int64>? {
        state.withLock { state in
            let oldest = state.entries.reduce(Int64.max) { min($0, $1.oldest) }
            let newest = state.entries.reduce(Int64.min) { max($0, $1.newest) }
            return oldest <= newest ? oldest...newest : nil
        }
    }

    /// Writes a record: `header`, and `body`, which follows it and fills the record up to its alignment.
    func append(_ header: ChunkHeader, _ body: UnsafeRawBufferPointer) throws(StoreError) -> ChunkPlace {
        var header = header
        header.length = UInt32(ChunkHeader.size + body.count)
        unsafe header.bodyChecksum = ByteHash.checksum(body)
        header.complete = header.checksum
        let place = try state.withLock { state throws(StoreError) in
            let offset = try makeRoom(header, &state)
            let last = state.entries.count - 1
            let segment = state.entries[last].segment
            if let path = segment.path {
                if state.file == nil { state.file = try OpenFile(path, create: false) }
                let head = unsafe withUnsafeBytes(of: &header) { unsafe Array($0) }
                unsafe try head.withBytes { (bytes) throws(StoreError) in
                    try unsafe state.file?.write(bytes, at: offset)
                }
                try unsafe state.file?.write(body, at: offset + ChunkHeader.size)
            } else {
                let start = unsafe segment.mapping.base + offset
                unsafe (start + ChunkHeader.size).copyMemory(from: body.baseAddress!, byteCount: body.count)
                unsafe start.storeBytes(of: header, as: ChunkHeader.self)
            }
            state.entries[last].used += Int(header.length)
            state.entries[last].add(header)
            return ChunkPlace(segment: segment.number, offset: offset)
        }
        while dropOldest(if: { state in
            state.entries.count > 1 && state.byteCount > budget
                && state.byteCount - Self.extra(state.entries[0], state.unsent) > budget
        }) {}
        return place
    }

    /// The offset for the record, in a new segment if necessary.
    private func makeRoom(_ header: ChunkHeader, _ state: inout State) throws(StoreError) -> Int {
        let length = Int(header.length)
        let hasRoom = state.entries.last.map { entry in
            entry.used + length <= entry.segment.mapping.count
                && (entry.sampleCount == 0 || header.newest &- entry.oldest <= longestSpan)
        }
        if hasRoom != true { try addSegment(atLeast: length, &state) }
        return state.entries[state.entries.count - 1].used
    }

    private func addSegment(atLeast length: Int, _ state: inout State) throws(StoreError) {
        // As long as twice the last one's content, so that small stores do not reserve much.
        let usual = max(2 * (state.entries.last?.usedPages ?? 0), Self.smallest)
        let size = max(min(segmentSize, usual), (Segment.headerSize + length + Mapping.page - 1) & -Mapping.page)
        let number = state.nextNumber
        let segment: Segment
        var opened: OpenFile?
        if let directory {
            let path = directory.segment(number)
            let identity = unsafe Segment.identity(store: directory.store, number: number).withUnsafeBytes {
                unsafe Array($0)
            }
            let file = try OpenFile.make(path) { (file) throws(StoreError) in
                try file.reserve(through: size)
                try file.append(identity)
            }
            segment = Segment(number: number, mapping: try Mapping(file, offset: 0, count: size), path: path)
            opened = consume file
        } else {
            segment = Segment(number: number, mapping: try Mapping(anonymous: size), path: nil)
        }
        // Unused space of the last segment is released.
        if let last = state.entries.last, let path = last.segment.path { unsafe truncate(path, last.usedPages) }
        state.entries.append(Entry(segment: segment))
        state.file = consume opened
        state.nextNumber += 1
    }

    /// Drops every segment whose newest sample is older than `time`.
    func drop(before time: Int64) {
        while dropOldest(if: { state in
            guard let first = state.entries.first, first.used > Segment.headerSize, first.newest < time else {
                return false
            }
            return Self.overdue(state, time) > Self.extra(first, state.unsent)
        }) {}
    }

    /// Segments with these rows are kept as they are; `nil` for none.
    func setUnsent(_ rows: UnsentRows?) {
        state.withLock { $0.unsent = rows }
    }

    /// The size of the segments whose samples are all older than `time`.
    private static func overdue(_ state: borrowing State, _ time: Int64) -> Int {
        state.entries.reduce(0) { $0 + ($1.newest < time ? $1.usedPages : 0) }
    }

    /// The size of overdue segments up to which `entry` is kept.
    private static func extra(_ entry: Entry, _ unsent: UnsentRows?) -> Int {
        guard let unsent, unsent.has(rowsBefore: entry.ends) else { return 0 }
        return unsent.bytes
    }

    /// The oldest segments in which nothing is written any more and all samples are older than `time`, with their
    /// chunks: one, or several with at most `bytes` and a time range of `span` together. Those with unsent rows, and
    /// those after them, are not among them until there are too many of them.
    func settled(
        before time: Int64, span: Int64, bytes: Int
    ) -> [(number: UInt32, chunks: [(header: ChunkHeader, place: ChunkPlace)])] {
        let entries = state.withLock { state in
            var oldest = Int64.max
            var newest = Int64.min
            var total = 0
            var overdue = Self.overdue(state, time)
            return Array(
                state.entries.dropLast().prefix { entry in
                    oldest = min(oldest, entry.oldest)
                    newest = max(newest, entry.newest)
                    let isFirst = total == 0
                    total += entry.used
                    guard entry.newest < time, isFirst || newest &- oldest <= span && total <= bytes else {
                        return false
                    }
                    defer { overdue -= entry.usedPages }
                    return overdue > Self.extra(entry, state.unsent)
                })
        }
        return entries.map { entry in
            var chunks: [(header: ChunkHeader, place: ChunkPlace)] = []
            var offset = Segment.headerSize
            while offset < entry.used {
                let header = unsafe entry.segment.record(at: offset).header
                chunks.append((header, ChunkPlace(segment: entry.segment.number, offset: offset)))
                offset += Int(header.length)
            }
            return (entry.segment.number, chunks)
        }
    }

    /// Removes the segments up to `number`, whose chunks are in blocks.
    func release(through number: UInt32) {
        let released = state.withLock { state in
            let count = state.entries.dropLast().prefix { $0.segment.number <= number }.count
            defer { state.entries.removeFirst(count) }
            state.unchecked.removeAll { $0.segment.number <= number }
            return state.entries.prefix(count).map(\.segment)
        }
        for path in released.compactMap(\.path) { unsafe unlink(path) }
    }

    /// Drops the oldest segment if `condition` returns true. Returns whether it did.
    private func dropOldest(if condition: (borrowing State) -> Bool) -> Bool {
        let dropped: Entry? = state.withLock { state in
            guard condition(state) else { return nil }
            let entry = state.entries.removeFirst()
            if state.unchecked.first?.segment === entry.segment { state.unchecked.removeFirst() }
            return entry
        }
        guard let entry = dropped else { return false }
        // Readers keep the pages of the segment; its name can be removed.
        if let path = entry.segment.path { unsafe unlink(path) }
        var lost: [UInt32: UInt32] = [:]
        for header in entry.segment.headers(through: entry.used) {
            lost[header.lane] = max(lost[header.lane] ?? 0, header.chunk)
        }
        state.withLock { $0.dropped.merge(lost) { max($0, $1) } }
        return true
    }

    /// Releases the pages that queries have read since the last call from the process's memory. Queries may run
    /// meanwhile: pages that they still use return automatically, 16 per page fault, while the system keeps the files'
    /// pages.
    func releaseRead() {
        for segment in pin().segments { segment.releaseIfRead() }
    }

    /// The newest chunk that each lane has lost since the last call.
    func takeDropped() -> [UInt32: UInt32] {
        state.withLock { state in
            let dropped = state.dropped
            state.dropped = [:]
            return dropped
        }
    }
}

extension SegmentLog {
    /// Opens the segments of an earlier process, oldest first, and calls `found` with every record that has a valid
    /// header. ``isWhole(_:at:)`` and ``checkSome(_:_:)`` check the bodies later: a start reads about one page of each
    /// record.
    ///
    /// - Returns: a note for each file or record that was renamed or skipped.
    func recover(_ found: (ChunkHeader, ChunkPlace) -> Void) -> [String] {
        guard let directory else { return [] }
        var notes: [String] = []
        var numbers = StoreDirectory.numbers(in: "\(directory.path)/segments")
        // Segments are found by their distance from the first one, so numbers must be consecutive.
        if let gap = numbers.indices.dropFirst().last(where: { numbers[$0] != numbers[$0 - 1] + 1 }) {
            for number in numbers[..<gap] {
                let aside = StoreDirectory.setAside(directory.segment(number))
                notes.append("segment \(number) is not followed by the next one: \(aside)")
            }
            numbers.removeFirst(gap)
        }
        for number in numbers {
            do throws(StoreError) {
                let entry = try open(number, directory, &notes, found)
                state.withLock { state in
                    state.entries.append(entry)
                    state.unchecked.append((entry.segment, Segment.headerSize, entry.used))
                    state.nextNumber = number + 1
                }
            } catch {
                // Older segments cannot be found by number any more.
                let older = state.withLock { state in
                    defer { (state.entries, state.unchecked) = ([], []) }
                    state.nextNumber = number + 1
                    return state.entries.map(\.segment)
                }
                for path in older.compactMap(\.path) + [directory.segment(number)] {
                    notes.append("\(error.message): \(StoreDirectory.setAside(path))")
                }
            }
        }
        return notes
    }

    private func open(
        _ number: UInt32, _ directory: StoreDirectory, _ notes: inout [String],
        _ found: (ChunkHeader, ChunkPlace) -> Void
    ) throws(StoreError) -> Entry {
        let path = directory.segment(number)
        let file = try OpenFile(path, create: false)
        // Segments consist of whole pages.
        let size = file.size & -Mapping.page
        guard size > 0 else { throw StoreError(.system, "\(path) is empty") }
        let mapping = try Mapping(file, offset: 0, count: size)
        for (index, word) in Segment.identity(store: directory.store, number: number).enumerated() {
            guard unsafe mapping.words(at: 8 * index).pointee.load(ordering: .relaxed) == word else {
                throw StoreError(.system, "\(path) is not a segment of this store")
            }
        }
        let segment = Segment(number: number, mapping: mapping, path: path)
        var entry = Entry(segment: segment)
        if size < file.size { notes.append("\(path) is truncated") }
        while entry.used + ChunkHeader.size <= size {
            let header = unsafe segment.record(at: entry.used).header
            let length = Int(header.length)
            guard header.magic == ChunkHeader.mark, length % ChunkHeader.alignment == 0, length > ChunkHeader.size,
                length <= size - entry.used
            else {
                if header.magic != 0 {
                    notes.append("\(path) is damaged from byte \(entry.used) on; the rest is ignored")
                }
                break
            }
            if header.isWhole {
                found(header, ChunkPlace(segment: number, offset: entry.used, isChecked: false))
                entry.add(header)
            } else {
                notes.append(damage(at: ChunkPlace(segment: number, offset: entry.used)))
            }
            entry.used += length
        }
        mapping.release()
        return entry
    }

    private func damage(at place: ChunkPlace) -> String {
        let path = directory?.segment(place.segment) ?? "segment \(place.segment)"
        return "\(path): the record at byte \(place.offset) is torn or damaged and skipped"
    }

    /// Verifies the checksum of a record with a valid header. Damage is noted once for ``takeNotes()``.
    func isWhole(_ record: ChunkRecord, at place: ChunkPlace) -> Bool {
        if unsafe record.bodyChecksum == record.header.bodyChecksum { return true }
        state.withLock { state in
            if state.damaged.insert(place.checked.word).inserted { state.notes.append(damage(at: place)) }
        }
        return false
    }

    /// Verifies the checksums of the next records of an earlier process, about `bytes` bytes, and calls `found` with
    /// each result. Called from one thread at a time. Costs nothing when all have been checked.
    func checkSome(_ bytes: Int, _ found: (ChunkHeader, ChunkPlace, _ isWhole: Bool) -> Void) {
        var rest = bytes
        while rest > 0, let next = state.withLock({ $0.unchecked.first }) {
            var offset = next.from
            while offset < next.end, rest > 0 {
                let record = unsafe next.segment.record(at: offset)
                let header = unsafe record.header
                if header.isWhole {
                    let place = ChunkPlace(segment: next.segment.number, offset: offset, isChecked: false)
                    found(header, place, unsafe isWhole(record, at: place))
                }
                offset += Int(header.length)
                rest -= Int(header.length)
            }
            next.segment.mapping.release()
            state.withLock { state in
                // Retention may have dropped it in the meantime.
                guard state.unchecked.first?.segment === next.segment else { return }
                if offset < next.end { state.unchecked[0].from = offset } else { state.unchecked.removeFirst() }
            }
        }
    }

    /// A note for each damage found since the last call.
    func takeNotes() -> [String] {
        state.withLock { state in
            defer { state.notes = [] }
            return state.notes
        }
    }
}
