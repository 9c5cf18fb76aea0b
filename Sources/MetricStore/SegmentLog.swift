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
    private struct State {
        /// With consecutive numbers.
        var segments: [Segment] = []
        /// Parallel to `segments`: the times and the number of their samples.
        var oldest: [Int64] = []
        var newest: [Int64] = []
        var sampleCounts: [UInt64] = []
        /// Bytes taken of the last segment.
        var used = 0
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
        PinnedSegments(segments: state.withLock { $0.segments })
    }

    /// Bytes of all segments.
    var byteCount: Int {
        state.withLock { state in state.segments.reduce(0) { $0 + $1.mapping.count } }
    }

    /// From the oldest to the newest time in all segments.
    var timeRange: ClosedRange<Int64>? {
        state.withLock { state in
            guard let oldest = state.oldest.min(), let newest = state.newest.max(), oldest <= newest else { return nil }
            return oldest...newest
        }
    }

    /// Samples in all segments.
    var sampleCount: UInt64 {
        state.withLock { $0.sampleCounts.reduce(0, +) }
    }

    /// Writes a record: `header`, and `body` which begins after it.
    func append(_ header: ChunkHeader, _ body: UnsafeRawBufferPointer) throws(StoreError) -> ChunkPlace {
        var header = header
        let length =
            (ChunkHeader.size + body.count + ColumnCodec.slack + ChunkHeader.alignment - 1)
            & -ChunkHeader.alignment
        header.length = UInt32(length)
        unsafe header.bodyChecksum = ByteHash.checksum(body)
        let (segment, offset, overBudget) = try reserve(header)
        let start = unsafe segment.mapping.base + offset
        unsafe (start + ChunkHeader.size).copyMemory(from: body.baseAddress!, byteCount: body.count)
        // A crash before this line leaves a record whose length is known and whose content is not trusted.
        header.complete = header.checksum
        unsafe start.storeBytes(of: header, as: ChunkHeader.self)
        for _ in 0..<overBudget { dropOldest() }
        return ChunkPlace(segment: segment.number, offset: offset)
    }

    /// Takes room for the record and writes its header, so that the records behind it can be found whatever happens.
    private func reserve(_ header: ChunkHeader) throws(StoreError) -> (Segment, Int, overBudget: Int) {
        let length = Int(header.length)
        return try state.withLock { state throws(StoreError) in
            if state.segments.isEmpty || state.used + length > state.segments[state.segments.count - 1].mapping.count {
                try addSegment(atLeast: length, &state)
            }
            let last = state.segments.count - 1
            let segment = state.segments[last]
            let offset = state.used
            state.used += length
            state.oldest[last] = min(state.oldest[last], header.oldest)
            state.newest[last] = max(state.newest[last], header.newest)
            state.sampleCounts[last] += UInt64(header.sampleCount)
            unsafe (segment.mapping.base + offset).storeBytes(of: header, as: ChunkHeader.self)
            var total = state.segments.reduce(0) { $0 + $1.mapping.count }
            var overBudget = 0
            while total > budget, overBudget < last {
                total -= state.segments[overBudget].mapping.count
                overBudget += 1
            }
            return (segment, offset, overBudget)
        }
    }

    private func addSegment(atLeast length: Int, _ state: inout State) throws(StoreError) {
        let size = max(segmentSize, (length + Mapping.page - 1) & -Mapping.page)
        let number = state.nextNumber
        let segment = Segment(number: number, mapping: try Mapping(anonymous: size), path: nil)
        state.segments.append(segment)
        state.oldest.append(.max)
        state.newest.append(.min)
        state.sampleCounts.append(0)
        state.used = 0
        state.nextNumber += 1
    }

    /// Drops every segment whose newest sample is older than `time`; the last one only if it is not empty.
    func drop(before time: Int64) {
        while state.withLock({ state in
            guard let newest = state.newest.first else { return false }
            return newest < time && (state.segments.count > 1 || state.used > 0)
        }) {
            dropOldest()
        }
    }

    private func dropOldest() {
        let (segment, used) = state.withLock { state in
            let isLast = state.segments.count == 1
            let used = isLast ? state.used : state.segments[0].mapping.count
            state.oldest.removeFirst()
            state.newest.removeFirst()
            state.sampleCounts.removeFirst()
            if isLast { state.used = 0 }
            return (state.segments.removeFirst(), used)
        }
        var lost: [UInt32: UInt32] = [:]
        for header in segment.headers(through: used) {
            lost[header.lane] = max(lost[header.lane] ?? 0, header.chunk)
        }
        state.withLock { $0.dropped.merge(lost) { max($0, $1) } }
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
