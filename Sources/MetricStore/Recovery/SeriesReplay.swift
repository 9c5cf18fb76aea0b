internal import MetricModel

/// Replays the series log: the records about lanes and series, up to the first invalid one.
struct SeriesReplay {
    private(set) var index = SeriesIndex()
    private(set) var lanes: [RecoveredLane] = []
    /// The revisions in the log, and those that it lists as lost.
    private(set) var revisions = LogRevisions()
    /// Indices in `lanes`, by id.
    private var places: [UInt32: Int] = [:]
    /// The lane of the previous record.
    private var last: (lane: UInt32, place: Int)?
    /// The index's pair id, by the log's pair id; ``SeriesIndex/none`` for a pair that no series has had yet.
    private var ids: [UInt32] = []
    /// The labels that no series has had yet, by the log's pair id.
    private var labels: [UInt32: Label] = [:]
    /// Whether the next series are distinct, as in a rewritten log.
    private var isListing = false
    /// Whether a series has ended. The index that wrote the log may have removed it: a series that was new then may be
    /// known here.
    private var hasEnded = false
    /// The pairs of a series, by the index's ids.
    private var own: [UInt32] = []

    /// The limit of pairs in a valid log.
    private static let mostPairs: UInt32 = 1 << 26
    /// The minimum number of bytes in a log of a series, and of a pair of a series.
    private static let leastBytes = (series: 10, pair: 2)

    /// Replays the frames in `bytes`, a log with its header. Returns the offset after the last valid one.
    mutating func replay(_ bytes: UnsafeRawBufferPointer) -> Int {
        var offset = SeriesLog.headerSize
        // Reserved memory that is not written costs nothing. Growing step by step would copy the data repeatedly.
        let most = (bytes.count - offset) / Self.leastBytes.series
        index.reserve(series: most, pairs: (bytes.count - offset) / Self.leastBytes.pair)
        while offset < bytes.count {
            guard let frame = unsafe SeriesLog.frame(bytes, at: offset), unsafe replay(frame: frame) else { break }
            offset += 8 + frame.count
        }
        index.enterListed()
        return offset
    }

    /// The lost revisions that the start of the log lists.
    static func lostRevisions(_ bytes: UnsafeRawBufferPointer) -> [ClosedRange<UInt32>] {
        guard let frame = unsafe SeriesLog.frame(bytes, at: SeriesLog.headerSize) else { return [] }
        var reader = unsafe SeriesRecordReader(frame)
        var found: [ClosedRange<UInt32>] = []
        while case .lostRevisions(let range) = unsafe reader.next() { found.append(range) }
        return found
    }

    /// Returns the index and removes it from this value.
    mutating func takeIndex() -> SeriesIndex {
        defer { index = SeriesIndex() }
        return index
    }

    /// Replays the records of a frame, up to the first invalid one. Returns whether all were valid.
    private mutating func replay(frame: UnsafeRawBufferPointer) -> Bool {
        var reader = unsafe SeriesRecordReader(frame)
        while let record = unsafe reader.next() {
            guard unsafe replay(record, reader) else { return false }
        }
        return unsafe reader.isAtEnd
    }

    private mutating func replay(_ record: SeriesRecordReader.Item, _ reader: borrowing SeriesRecordReader) -> Bool {
        switch unsafe record {
        case .bind(let location, let isNew):
            guard let place = place(of: location.lane) else { return true }
            guard unsafe translate(reader.pairs) else { return false }
            bind(location, place, isNew: isNew)
        case .listing:
            guard index.idBound == 0 else { return false }
            isListing = true
        case .listed: isListing = false
        case .lane(let id, let name):
            places[id] = lanes.count
            lanes.append(RecoveredLane(id: id, name: name))
            last = nil
        case .pair(let id, let name, let value):
            guard id < Self.mostPairs else { return false }
            while ids.count <= id { ids.append(SeriesIndex.none) }
            ids[Int(id)] = SeriesIndex.none
            labels[id] = unsafe Label(String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self))
        case .companion(let location, let isTimes, let column, let birth):
            guard let place = place(of: location.lane) else { return true }
            var companions = index.companions(of: location)
            if isTimes {
                companions.times = (column, birth)
            } else {
                companions.histograms = (column, birth)
            }
            index.setCompanions(companions, lane: location.lane, slot: location.slot, birth: location.birth)
            if location.death == SeriesIndex.Location.alive {
                lanes[place].take(column, companionsOf: location.slot, companions)
            } else {
                lanes[place].free(column, after: location.death)
            }
        case .end(let location):
            guard let place = place(of: location.lane) else { return true }
            hasEnded = true
            lanes[place].end(location.slot, birth: location.birth, death: location.death, &index)
        case .closed(let lane, let head):
            guard let place = place(of: lane) else { return true }
            hasEnded = true
            lanes[place].close(head: head, &index)
        case .revision(let number): revisions.current = number
        case .lostRevisions(let range): revisions.lost.append(range)
        }
        return true
    }

    /// Records that the series with the pairs in `own` is at `location`.
    private mutating func bind(_ location: SeriesIndex.Location, _ place: Int, isNew: Bool) {
        let (lane, slot, birth) = (location.lane, location.slot, location.birth)
        let series =
            isListing || isNew && !hasEnded
            ? index.recover(listed: own, lane: lane, slot: slot, birth: birth)
            : index.recover(own, lane: lane, slot: slot, birth: birth)
        if location.death == SeriesIndex.Location.alive {
            lanes[place].take(slot, series, birth: birth)
        } else {
            hasEnded = true
            index.end(series, lane: lane, slot: slot, birth: birth, death: location.death)
            lanes[place].free(slot, after: location.death)
        }
    }

    /// The index of `lane` in `lanes`. Most records are about the same lane as the previous one.
    @inline(__always)
    private mutating func place(of lane: UInt32) -> Int? {
        if let last, last.lane == lane { return last.place }
        guard let place = places[lane] else { return nil }
        last = (lane, place)
        return place
    }

    /// Translates the log's pair ids into the index's. Returns whether the log has defined all of them.
    private mutating func translate(_ logged: [UInt32]) -> Bool {
        own.removeAll(keepingCapacity: true)
        for id in logged {
            guard id < ids.count else { return false }
            var pair = ids[Int(id)]
            if pair == SeriesIndex.none {
                guard let label = labels.removeValue(forKey: id) else { return false }
                pair = index.makePair(label)
                ids[Int(id)] = pair
            }
            own.append(pair)
        }
        return true
    }
}
