import MetricModel
import Testing

@testable import MetricStore

/// Appending a row has the same result as appending its values one by one.
@Suite struct SlotRowTests {
    @Test func theSlotsOfARowAreThoseItWasMadeOf() {
        let slots: [RingSlot?] = [
            nil, nil, RingSlot(block: 4, column: 254), RingSlot(block: 4, column: 255), RingSlot(block: 5, column: 0),
            RingSlot(block: 5, column: 0), nil, RingSlot(block: 5, column: 2), RingSlot(block: 5, column: 1),
        ]
        let row = SlotRow(slots)
        #expect(Array(row) == slots && slots.indices.map { row[$0] } == slots)
        #expect(row.count == 9 && row.slotCount == 6 && row.runs.count == 7)
        #expect(Array(SlotRow()).isEmpty)
    }

    /// Series that come and go in any order, twice in a row, with timestamps of their own, and commits out of order.
    @Test(arguments: 0..<20) func rowsAreAppendedAsTheirValuesAre(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        let stores = try (0..<2).map { _ in try MetricStore(StoreConfiguration(), registry: nil) }
        let lanes = try stores.map { try $0.openLane("a") }
        let labels = (0..<700).map { ["__name__": "m", "i": "\($0)"] as Labels }
        var slots = try lanes.map { lane in try labels.map { try lane.slot(for: $0) } }
        var time: Int64 = 1_000_000
        for _ in 0..<40 {
            time += Int64.random(in: -1...30, using: &random) * 1000
            var order = Array(labels.indices)
            if Bool.random(using: &random) { order.swapAt(3, 600) }
            if Bool.random(using: &random) { order.append(5) }
            let places = order.map { $0 % 50 == 49 ? nil as Int? : $0 }
            let values = order.map { Double($0 % 7) }
            let own = labels.indices.randomElement(using: &random) ?? 0
            var refused = [0, 0]
            for (index, lane) in lanes.enumerated() {
                var appender = lane.beginAppend(at: Timestamp(milliseconds: time))
                appender.append(slots[index][own], 3, at: Timestamp(milliseconds: time - 7))
                let row = places.map { place in place.map { slots[index][$0] } }
                if index == 0 {
                    refused[0] = appender.append(SlotRow(row), values)
                } else {
                    for (slot, value) in zip(row, values) {
                        guard let slot else { continue }
                        let outcome = appender.append(slot, value)
                        if outcome != .appended && outcome != .alreadyPresent { refused[1] += 1 }
                    }
                }
                if time % 9000 == 0 { appender.rollback() } else { try appender.commit() }
                if time % 4000 == 0 {
                    lane.retire(slots[index][own])
                    slots[index][own] = try lane.slot(for: labels[own])
                }
            }
            #expect(refused[0] == refused[1])
        }
        let found = try stores.map { store in
            try store.select(
                [Matcher("__name__", .equal, "m")], from: .distantPast, through: .distantFuture, sampleLimit: 1 << 20
            ).map { "\($0.labels) \($0.timestamps) \($0.values)" }.sorted()
        }
        #expect(found[0].count > 600 && found[0] == found[1])
    }
}
