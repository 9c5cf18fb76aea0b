/// Keeps every segment alive that a query has read.
final class SegmentPins {
    private let segments: SegmentLog
    private var pins: [PinnedSegments]

    init(_ segments: SegmentLog) {
        self.segments = segments
        pins = [segments.pin()]
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
