import MetricModel
import MetricStore
import Testing

@testable import Scraper

@Suite struct SlotCountsTests {
    @Test func aSlotIsGoneWithTheLastThatLeadsToIt() throws {
        let store = try MetricStore(StoreConfiguration(), registry: nil)
        let lane = try store.openLane("target")
        let slots = try (0..<1000).map { try lane.slot(for: ["__name__": "up", "number": "\($0)"]) }
        #expect(slots.map(\.ordinal) == Array(0..<1000))
        var counts = SlotCounts()
        counts.add(slots[999])
        counts.add(slots[3])
        counts.add(slots[3])
        #expect(counts[slots[3]] == 2 && counts[slots[4]] == 0 && counts[slots[999]] == 1)
        let removals = [slots[3], slots[3], slots[500]].map { counts.remove($0) }
        #expect(removals == [false, true, true])
        #expect(counts[slots[3]] == 0 && counts[slots[999]] == 1)
    }
}
