import MetricModel
import MetricStore
import Testing

@Suite struct MetricStoreTests {
    @Test func committedSamplesAreVisibleAtOnceAndRolledBackOnesNever() throws {
        let store = try MetricStore(StoreConfiguration(), registry: nil)
        let lane = try store.openLane("target")
        let slot = try lane.slot(for: ["__name__": "up", "job": "api"])
        var first = lane.beginAppend(at: Timestamp(milliseconds: 1000))
        #expect(first.append(slot, 1) == .appended)
        try first.commit()
        var second = lane.beginAppend(at: Timestamp(milliseconds: 2000))
        second.append(slot, 0)
        second.rollback()
        let found = try store.select(
            [Matcher("__name__", .equal, "up")], from: .distantPast, through: .distantFuture, sampleLimit: 10)
        #expect(found.map(\.timestamps) == [[1000]])
        #expect(found.map(\.values) == [[1]])
    }
}
