import MetricModel
import Synchronization
import Testing

@testable import MetricStore

/// Every kind of planted corruption is detected, and nothing is reported for intact data.
@Suite struct InvariantsTests {
    private static func index() -> SeriesIndex {
        var index = SeriesIndex()
        for number in 0..<200 {
            let labels = Labels(metric: "m\(number % 3)", [Label("a", "\(number % 7)"), Label("i", "\(number)")])
            let slot = RingSlot(UInt32(number))
            let (series, _) = index.bind(labels, lane: 1, slot: slot, birth: 0)
            if number % 10 == 0 { index.end(series, lane: 1, slot: slot, birth: 0, death: UInt32(number / 20)) }
        }
        _ = index.forget(lane: 1, through: 4)
        return index
    }

    private static let damageToIndex: [(String, @Sendable (inout SeriesIndex) -> Void)] = [
        ("a hash", { $0.hashes[11] ^= 1 }),
        ("a count of pairs", { $0.pairCounts[11] -= 1 }),
        ("the start of pairs", { $0.firstPair[11] += 1 }),
        ("a pair", { $0.pairPool[40] = $0.pairPool[50] }),
        ("a location used twice", { $0.firstLocation[11] = $0.firstLocation[12] }),
        (
            "a location that ends too early",
            {
                $0.locations[11].birth = 7; $0.locations[11].death = 6
            }
        ),
        ("a series both free and used", { $0.freeSeries.append(11) }),
        ("a death that retention does not know", { $0.ended = [:] }),
        ("a free location that is used", { $0.freeLocations.append(11) }),
        (
            "a table that has lost a series",
            { index in
                let hashes = index.hashes
                index.table.remove(11) { hashes[Int($0)] }
            }
        ),
        (
            "companions of no slot",
            { index in
                let key = SeriesIndex.CompanionKey(lane: 9, slot: RingSlot(9), birth: 9)
                index.companions[key] = SeriesIndex.Companions(times: (RingSlot(3), 0))
            }
        ),
        ("a posting too many", { $0.pairs.postings[5].append(12) }),
        ("postings that are cut", { $0.pairs.postings[1].bytes.removeLast() }),
        ("a step that never ends", { $0.pairs.postings[1].bytes[3] |= 0x80 }),
        ("the last series of a list", { $0.pairs.postings[1].last += 1 }),
        ("a pair at the wrong place of its name", { $0.pairs.positions[4] += 1 }),
        ("a text", { $0.pairs.symbols.texts[3] += "x" }),
        ("a count of references", { $0.pairs.symbols.references[3] += 1 }),
        (
            "a bucket",
            { index in
                let used = index.table.buckets.firstIndex { $0 != 0 } ?? 0
                index.table.buckets[used] = 0
            }
        ),
    ]

    @Test func aWholeIndexBreaksNoRule() {
        #expect(Self.index().brokenInvariants == [])
    }

    @Test(arguments: damageToIndex.indices) func damageToTheIndexIsFound(number: Int) {
        var index = Self.index()
        Self.damageToIndex[number].1(&index)
        #expect(!index.brokenInvariants.isEmpty, "\(Self.damageToIndex[number].0)")
    }

    /// A store with one lane that has sealed chunks, companions, free slots and rows in the active chunk.
    private static func store() throws -> (store: MetricStore, lane: Lane, active: ActiveChunk) {
        let store = try MetricStore(StoreConfiguration(), registry: nil)
        let lane = try store.openLane("lane")
        for row in 1...40 {
            let time = Timestamp(milliseconds: Int64(row) * 1000)
            var appender = lane.beginAppend(at: time)
            for series in row / 4..<40 {
                let slot = try lane.slot(for: ["__name__": "m", "i": "\(series)"])
                appender.append(
                    slot, Double(row), at: series % 5 == 0 ? Timestamp(milliseconds: Int64(row) * 1000 - 7) : time)
            }
            try appender.commit()
            if row % 4 == 0 { lane.retire(try lane.slot(for: ["__name__": "m", "i": "\(row / 4 - 1)"])) }
        }
        return (store, lane, try #require(lane.active))
    }

    private static let damageToLane: [(String, @Sendable (Lane, ActiveChunk) -> Void)] = [
        ("head beyond the chunk", { $1.header[ActiveChunk.Word.head].store(99, ordering: .relaxed) }),
        ("the number of the chunk", { $1.header[ActiveChunk.Word.chunk].store(1, ordering: .relaxed) }),
        ("the newest time", { $1.header[ActiveChunk.Word.newest].store(3, ordering: .relaxed) }),
        ("the oldest time", { $1.header[ActiveChunk.Word.oldest].store(39_999, ordering: .relaxed) }),
        ("the time of a row", { $1.header[ActiveChunk.Word.rowTimes].store(1 << 60, ordering: .relaxed) }),
        ("a sample in a row to come", { $1.blocks[0].masks[20].store(1 << 15, ordering: .relaxed) }),
        ("samples for a slot without series", { $1.blocks[1].states[31].newest = 0 }),
        ("a series that begins later", { $1.blocks[0].states[20].birth = 9 }),
        (
            "companions of another slot",
            { $1.blocks[0].states[21].companions = $1.blocks[0].states[20].companions == .max ? 0 : 1 }
        ),
        ("a slot that is lost", { lane, _ in lane.freeSlots.removeLast() }),
        ("a slot that is free twice", { lane, _ in lane.freeSlots.append(lane.freeSlots[0]) }),
        ("a used slot that is free", { lane, _ in lane.freeSlots[0].slot = RingSlot(20) }),
        ("rows that are not pending", { lane, _ in lane.pendingRows = 9 }),
        ("a pending time without a row", { lane, _ in lane.pendingOldest = 4 }),
        ("histogram words that are not mapped", { $1.histograms.used = 1 << 20 }),
        ("an unclaimed slot", { $1.blocks[0].states[20].isUnclaimed = true }),
        ("a series the index does not know", { $1.blocks[0].states[20].series = 0 }),
        (
            "another chunk's place",
            { lane, _ in
                if let place = lane.directory[1] { lane.directory.add(0, at: place) }
            }
        ),
        (
            "a place before the segments",
            { lane, _ in
                lane.directory.add(1, at: ChunkPlace(segment: 0, offset: 64))
            }
        ),
        ("an oldest chunk that comes later", { lane, _ in lane.directory.first.store(77, ordering: .relaxed) }),
    ]

    @Test func aWholeLaneBreaksNoRule() throws {
        let (store, lane, _) = try Self.store()
        #expect(store.brokenInvariants == [])
        #expect(lane.chunk == 2 && lane.companionList.count > 1 && lane.freeSlots.count > 1)
    }

    @Test(arguments: damageToLane.indices) func damageToALaneIsFound(number: Int) throws {
        let (store, lane, active) = try Self.store()
        Self.damageToLane[number].1(lane, active)
        #expect(!store.brokenInvariants.isEmpty, "\(Self.damageToLane[number].0)")
        // The lane is corrupt now, so its deinitialization must not touch its slots.
        lane.active = nil
    }
}
