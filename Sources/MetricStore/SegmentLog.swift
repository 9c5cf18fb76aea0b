internal import Glibc
internal import Synchronization

/// A fixed stretch of memory or file that sealed chunks are appended to. Freed as a whole when nobody holds it.
final class Segment: Sendable {
    /// Counts up from 1.
    let number: UInt32
    let mapping: Mapping
    let path: String?

    init(number: UInt32, mapping: Mapping, path: String?) {
        self.number = number
        self.mapping = mapping
        self.path = path
    }

    /// The record at `offset`, which the lane's directory names.
    func record(at offset: Int) -> ChunkRecord {
        unsafe ChunkRecord(base: UnsafeRawPointer(mapping.base + offset))
    }

    /// The headers of the records in the first `used` bytes.
    func headers(through used: Int) -> [ChunkHeader] {
        var found: [ChunkHeader] = []
        var offset = 0
        while offset < used {
            let header = unsafe record(at: offset).header
            found.append(header)
            offset += Int(header.length)
        }
        return found
    }
}

/// Where a sealed chunk lies, in one word; 0 is nowhere.
struct ChunkPlace: Equatable {
    let word: UInt64

    init(word: UInt64) {
        self.word = word
    }

    init(segment: UInt32, offset: Int) {
        word = UInt64(segment) << 32 | UInt64(offset / ChunkHeader.alignment)
    }

    var segment: UInt32 { UInt32(truncatingIfNeeded: word >> 32) }
    var offset: Int { Int(word & 0xffff_ffff) * ChunkHeader.alignment }
}

/// The segments that existed at one moment. Holding this keeps every record in them readable.
struct PinnedSegments {
    fileprivate let segments: [Segment]

    /// The record at `place`, unless its segment was dropped before the pin or made after it.
    func record(at place: ChunkPlace) -> ChunkRecord? {
        guard let first = segments.first, place.segment >= first.number,
            place.segment - first.number < UInt32(segments.count)
        else { return nil }
        return unsafe segments[Int(place.segment - first.number)].record(at: place.offset)
    }
}

/// All sealed chunks of a store, in the order in which they were sealed, in segments that are dropped oldest first.
///
/// Reclamation: a reader takes a copy of the list of segments (one reference) before it looks into a lane's directory. A
/// dropped segment leaves the list at once, and its memory goes when the last such copy does, so no reader ever follows a
/// place into memory that is gone. The lock is taken once per query, per seal and per drop; never per sample.
final class SegmentLog: Sendable {
    private struct Entry {
        let segment: Segment
        /// Bytes taken.
        var used = 0
        var oldest = Int64.max
        var newest = Int64.min
        var sampleCount: UInt64 = 0
    }

    private struct State {
        /// With consecutive numbers.
        var entries: [Entry] = []
        /// Newest chunk lost per lane since the last ``takeDropped()``.
        var dropped: [UInt32: UInt32] = [:]
        var nextNumber: UInt32 = 1
    }

    let directory: String?
    private let budget: Int
    private let segmentSize: Int
    private let state = Mutex(State())

    init(directory: String?, budget: Int) {
        self.directory = directory
        self.budget = budget
        segmentSize = min(max(budget / 16 & -Mapping.page, 1 << 18), 64 << 20)
    }

    /// The segments as they are now.
    func pin() -> PinnedSegments {
        PinnedSegments(segments: state.withLock { $0.entries.map(\.segment) })
    }

    /// Bytes of all segments.
    var byteCount: Int {
        state.withLock { state in state.entries.reduce(0) { $0 + $1.segment.mapping.count } }
    }

    /// Samples in all segments.
    var sampleCount: UInt64 {
        state.withLock { state in state.entries.reduce(0) { $0 + $1.sampleCount } }
    }

    /// From the oldest to the newest time in all segments.
    var timeRange: ClosedRange<Int64>? {
        state.withLock { state in
            let oldest = state.entries.reduce(Int64.max) { min($0, $1.oldest) }
            let newest = state.entries.reduce(Int64.min) { max($0, $1.newest) }
            return oldest <= newest ? oldest...newest : nil
        }
    }

    /// Writes a record: `header`, and `body` which begins after it.
    func append(_ header: ChunkHeader, _ body: UnsafeRawBufferPointer) throws(StoreError) -> ChunkPlace {
        var header = header
        let length =
            (ChunkHeader.size + body.count + ColumnCodec.slack + ChunkHeader.alignment - 1)
            & -ChunkHeader.alignment
        header.length = UInt32(length)
        unsafe header.bodyChecksum = ByteHash.checksum(body)
        let (segment, offset) = try reserve(header)
        let start = unsafe segment.mapping.base + offset
        unsafe (start + ChunkHeader.size).copyMemory(from: body.baseAddress!, byteCount: body.count)
        // A crash before this line leaves a record whose length is known and whose content is not trusted.
        header.complete = header.checksum
        unsafe start.storeBytes(of: header, as: ChunkHeader.self)
        while dropOldest(if: { state in
            state.entries.count > 1 && state.entries.reduce(0) { $0 + $1.segment.mapping.count } > budget
        }) {}
        return ChunkPlace(segment: segment.number, offset: offset)
    }

    /// Takes room for the record and writes its header, so that the records behind it can be found whatever happens.
    private func reserve(_ header: ChunkHeader) throws(StoreError) -> (Segment, Int) {
        let length = Int(header.length)
        return try state.withLock { state throws(StoreError) in
            let room = state.entries.last.map { $0.segment.mapping.count - $0.used } ?? 0
            if room < length { try addSegment(atLeast: length, &state) }
            let last = state.entries.count - 1
            let offset = state.entries[last].used
            let segment = state.entries[last].segment
            state.entries[last].used += length
            state.entries[last].oldest = min(state.entries[last].oldest, header.oldest)
            state.entries[last].newest = max(state.entries[last].newest, header.newest)
            state.entries[last].sampleCount += UInt64(header.sampleCount)
            unsafe (segment.mapping.base + offset).storeBytes(of: header, as: ChunkHeader.self)
            return (segment, offset)
        }
    }

    private func addSegment(atLeast length: Int, _ state: inout State) throws(StoreError) {
        let size = max(segmentSize, (length + Mapping.page - 1) & -Mapping.page)
        let segment = Segment(number: state.nextNumber, mapping: try Mapping(anonymous: size), path: nil)
        state.entries.append(Entry(segment: segment))
        state.nextNumber += 1
    }

    /// Drops every segment whose newest sample is older than `time`.
    func drop(before time: Int64) {
        while dropOldest(if: { $0.entries.first.map { $0.used > 0 && $0.newest < time } ?? false }) {}
    }

    /// Drops the oldest segment if `condition` holds. Whether it did.
    private func dropOldest(if condition: (borrowing State) -> Bool) -> Bool {
        guard let entry = state.withLock({ condition($0) ? $0.entries.removeFirst() : nil }) else { return false }
        var lost: [UInt32: UInt32] = [:]
        for header in entry.segment.headers(through: entry.used) {
            lost[header.lane] = max(lost[header.lane] ?? 0, header.chunk)
        }
        state.withLock { $0.dropped.merge(lost) { max($0, $1) } }
        return true
    }

    /// The newest chunk each lane has lost since the last call.
    func takeDropped() -> [UInt32: UInt32] {
        state.withLock { state in
            let dropped = state.dropped
            state.dropped = [:]
            return dropped
        }
    }
}
