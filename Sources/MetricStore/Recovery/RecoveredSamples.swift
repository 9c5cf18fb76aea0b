/// The contents of the segments and the row log, by lane.
struct RecoveredSamples: Sendable {
    /// A sealed chunk.
    struct SealedChunk {
        var number: UInt32
        var newest: Int64
        var place: ChunkPlace
    }

    /// The samples of one lane.
    struct OfLane {
        /// Ascending.
        fileprivate(set) var sealed: [SealedChunk] = []
        /// The chunk that was being written, with its rows; `nil` if there is none.
        fileprivate(set) var active: ActiveChunk?
        fileprivate(set) var rows = RestoredRows(chunk: 0)

        /// The newest chunk in a block, and the time of the newest sample there.
        fileprivate(set) var moved: (chunk: UInt32, newest: Int64)?

        /// Time of the newest sealed sample.
        var newestSealed: Int64 { sealed.reduce(moved?.newest ?? .min) { max($0, $1.newest) } }
        /// The chunk after the last one that is sealed.
        var nextChunk: Int { max(sealed.last.map { Int($0.number) + 1 } ?? 0, moved.map { Int($0.chunk) + 1 } ?? 0) }
    }

    private(set) var lanes: [UInt32: OfLane] = [:]
    /// The newest revision of the series log that any data name.
    private(set) var newestRevision: UInt32 = 0
    /// The number of chunks and row records that were ignored, by their index in ``LogRevisions/lost``. The last
    /// element counts those after the current revision.
    private(set) var leftOut: [Int]
    /// A note for each file or record that was renamed or skipped.
    private(set) var notes: [String] = []

    private let revisions: LogRevisions

    private init(_ revisions: LogRevisions) {
        self.revisions = revisions
        leftOut = Array(repeating: 0, count: revisions.lost.count + 1)
    }

    /// Reads the data of an earlier process in the files of `core`, if they name one of these revisions.
    static func read(_ core: StoreCore, _ revisions: LogRevisions) -> Result<RecoveredSamples, StoreError> {
        Result { () throws(StoreError) in
            var result = RecoveredSamples(revisions)
            result.readSegments(core.segments)
            result.readBlocks(core.blocks)
            if let rowLog = core.rowLog { try result.readRows(rowLog) }
            return result
        }
    }

    private mutating func isKnown(_ revision: UInt32) -> Bool {
        newestRevision = max(newestRevision, revision)
        if revisions.contains(revision) { return true }
        leftOut[revisions.lost.firstIndex { $0.contains(revision) } ?? revisions.lost.count] += 1
        return false
    }

    private mutating func readSegments(_ segments: SegmentLog) {
        notes += segments.recover { header, place in
            guard isKnown(header.revision) else { return }
            lanes[header.lane, default: OfLane()].sealed.append(
                SealedChunk(number: header.chunk, newest: header.newest, place: place))
        }
        let pinned = segments.pin()
        func isWhole(_ chunk: SealedChunk) -> Bool {
            guard let record = unsafe pinned.record(at: chunk.place) else { return false }
            return unsafe segments.isWhole(record, at: chunk.place)
        }
        for id in lanes.keys {
            var sealed = lanes[id]?.sealed ?? []
            sealed.sort { $0.number < $1.number }
            // The row log may still have the rows of the newest chunk, so it is checked now: a kill between writing its
            // header and its body loses nothing. Readers and `maintain` check the other chunks.
            while let last = sealed.last, !isWhole(last) { sealed.removeLast() }
            if let last = sealed.popLast() {
                sealed.append(SealedChunk(number: last.number, newest: last.newest, place: last.place.checked))
            }
            lanes[id] = OfLane(sealed: sealed)
        }
        notes += segments.takeNotes()
    }

    private mutating func readBlocks(_ blocks: BlockStore) {
        notes += blocks.recover { isKnown($0) }
        let list = blocks.pin()
        for id in list.laneIDs {
            for place in list.stretches(of: id) {
                let former = lanes[id]?.moved ?? (0, .min)
                lanes[id, default: OfLane()].moved = (
                    max(former.chunk, place.header.lastChunk), max(former.newest, place.header.newest)
                )
            }
        }
        for (id, lane) in lanes { lanes[id]?.rows = RestoredRows(chunk: lane.nextChunk) }
    }

    /// Reads rows that are not sealed into chunks.
    private mutating func readRows(_ rowLog: RowLog) throws(StoreError) {
        var failure: StoreError?
        notes += unsafe rowLog.recover { header, record, file in
            guard isKnown(header.revision) else { return }
            do throws(StoreError) {
                try unsafe lanes[header.lane, default: OfLane()].take(header, record, file)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }
}

extension RecoveredSamples.OfLane {
    fileprivate mutating func take(
        _ header: RowRecordHeader, _ record: UnsafeRawBufferPointer, _ file: UInt32
    ) throws(StoreError) {
        guard Int(header.chunk) >= rows.chunk else { return }
        if active == nil { active = try ActiveChunk() }
        if let active { unsafe rows.take(header, record, file, active) }
    }
}
