internal import MetricModel

/// The content of a catalog, for writing a series log. A value: the catalog may change while this is written.
struct SeriesSnapshot: Sendable {
    private let index: SeriesIndex
    private let lanes: [(id: UInt32, name: String, finalHead: Int?)]

    init(_ catalog: borrowing StoreCore.Catalog) {
        index = catalog.index
        lanes = catalog.lanes.values.map { ($0.id.rawValue, $0.name, $0.active == nil ? $0.finalHead : nil) }
    }

    /// Calls `body` with lanes, pairs and series, one frame of records at a time. Records about different series may
    /// come in any order. The locations of one series come oldest first.
    func write(
        _ revisions: LogRevisions, _ body: ([UInt8]) throws(StoreError) -> Void
    ) throws(StoreError) {
        var records: [UInt8] = []
        records.reserveCapacity(SeriesLog.frameSize + 1024)
        func endFrame() throws(StoreError) {
            try body(records)
            records.removeAll(keepingCapacity: true)
        }
        for range in revisions.lost { SeriesRecord.lostRevisions(range).write(to: &records) }
        SeriesRecord.revision(revisions.current).write(to: &records)
        SeriesRecord.listing(series: UInt32(index.count)).write(to: &records)
        for lane in lanes { SeriesRecord.lane(lane.id, name: lane.name).write(to: &records) }
        var isKnown = [Bool](repeating: false, count: Int(index.pairs.idBound))
        var pairs: [UInt32] = []
        var locations: [SeriesIndex.Location] = []
        for series in 0..<index.idBound where index.contains(series) {
            pairs.removeAll(keepingCapacity: true)
            for pair in index.pairs(of: series) {
                pairs.append(pair)
                if isKnown[Int(pair)] { continue }
                isKnown[Int(pair)] = true
                let label = Label(index.pairs.nameText(pair), index.pairs.valueText(pair))
                SeriesRecord.pair(id: pair, label).write(to: &records)
            }
            locations.removeAll(keepingCapacity: true)
            index.forEachLocation(of: series) { locations.append($0) }
            for location in locations.reversed() { add(location, pairs, to: &records) }
            if records.count >= SeriesLog.frameSize { try endFrame() }
        }
        SeriesRecord.listed.write(to: &records)
        for lane in lanes {
            if let head = lane.finalHead { SeriesRecord.closed(lane: lane.id, head: UInt64(head)).write(to: &records) }
        }
        try endFrame()
    }

    private func add(_ location: SeriesIndex.Location, _ pairs: [UInt32], to records: inout [UInt8]) {
        let companions = index.companions(of: location)
        let death = location.death == SeriesIndex.Location.alive ? nil : location.death
        SeriesRecord.bind(
            lane: location.lane, slot: location.slot, birth: location.birth, death: death, isNew: false, pairs: pairs
        ).write(to: &records)
        if let times = companions.times {
            SeriesRecord.companion(location, isTimes: true, column: times.slot, columnBirth: times.birth)
                .write(to: &records)
        }
        if let histograms = companions.histograms {
            SeriesRecord.companion(location, isTimes: false, column: histograms.slot, columnBirth: histograms.birth)
                .write(to: &records)
        }
    }
}
