/// Keeps every segment and block alive that a query has read.
final class SegmentPins {
    private let core: StoreCore
    private let segments: SegmentLog
    private var pins: [PinnedSegments]
    private(set) var blocks: BlockList
    private var readers: [Int: StretchReader?] = [:]

    init(_ core: StoreCore) {
        self.core = core
        segments = core.segments
        // In this order: a chunk that is not in these segments any more is in these blocks.
        pins = [core.segments.pin()]
        blocks = core.blocks.pin()
    }

    /// The oldest chunk of `lane` that can still be read.
    func oldestChunk(of lane: Lane) -> Int { core.oldestChunk(of: lane, blocks) }

    /// The stretch with chunk `number` of `lane`; `nil` if there is none, or it is damaged.
    ///
    /// - Parameter hasMoved: whether the chunk was in a segment before, so that newer blocks may have it.
    func stretch(of number: Int, in lane: Lane, hasMoved: Bool = false) -> StretchReader? {
        if let place = blocks.stretch(of: number, in: lane.id.rawValue) { return reader(place, lane) }
        guard hasMoved else { return nil }
        let now = core.blocks.pin()
        guard now !== blocks, let place = now.stretch(of: number, in: lane.id.rawValue) else { return nil }
        blocks = now
        readers = [:]
        return reader(place, lane)
    }

    private func reader(_ place: StretchPlace, _ lane: Lane) -> StretchReader? {
        // A query reads lane by lane, and the same stretch for many series.
        let key = Int(place.header.lane) << 32 | Int(place.header.firstChunk)
        if let known = readers[key] { return known }
        let reader = StretchReader(place)
        readers[key] = .some(reader)
        return reader
    }

    /// The sealed chunk `number` of `lane`, if it exists, is valid and was not dropped by retention. Valid as long as
    /// these pins.
    func record(of number: Int, in lane: Lane) -> ChunkRecord? {
        guard let place = lane.directory[number], let record = unsafe find(place) else { return nil }
        let header = unsafe record.header
        guard header.lane == lane.id.rawValue, header.chunk == UInt32(number) else { return nil }
        if !place.isChecked {
            let isWhole = unsafe segments.isWhole(record, at: place)
            lane.directory.replace(place, of: number, by: isWhole ? place.checked : nil)
            guard isWhole else { return nil }
        }
        return unsafe record
    }

    private func find(_ place: ChunkPlace) -> ChunkRecord? {
        for pin in pins.reversed() {
            if let record = unsafe pin.record(at: place) { return unsafe record }
        }
        // The segment is newer than the pins, or was dropped.
        pins.append(segments.pin())
        return unsafe pins[pins.count - 1].record(at: place)
    }
}
