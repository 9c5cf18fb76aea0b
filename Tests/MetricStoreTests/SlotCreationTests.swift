import MetricModel
import Testing

@testable import MetricStore

/// Creating many series at once must do what creating them one by one does.
@Suite struct SlotCreationTests {
    private static func labels(_ number: Int) -> Labels {
        var labels = Labels(
            metric: "m\(number / 40 % 3)",
            [Label("a", "value \(number % 7)"), Label("job", "api"), Label("z", "\(number)")])
        if number % 3 == 0 { labels.set("code", to: "\(number % 5)") }
        if number % 5 == 0 { labels.set("", to: "no name") }
        if number % 11 == 0 { labels.remove("__name__") }
        return labels
    }

    @Test(arguments: [false, true]) func manyAtOnceAreThoseMadeOneByOne(isDurable: Bool) throws {
        let directories = try (TemporaryDirectory(), TemporaryDirectory())
        let all = (0..<700).map { Self.labels($0 % 600) } + [.empty]
        var found: [[Labels: [Double]]] = []
        for (directory, isOneByOne) in [(directories.0, true), (directories.1, false)] {
            let configuration = StoreConfiguration(directory: isDurable ? directory.path : nil)
            var open: MetricStore? = try MetricStore(configuration, registry: nil)
            for round in 1...3 {
                let store = try #require(open)
                let lane = try store.openLane("lane")
                var slots: [RingSlot] = []
                if isOneByOne {
                    for labels in all { slots.append(try lane.slot(for: labels)) }
                } else {
                    try lane.appendSlots(for: all, to: &slots)
                }
                #expect(slots.count == all.count)
                #expect(Set(slots).count == 601)
                #expect(Array(slots[600..<700]) == Array(slots[..<100]))
                var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(round) * 1000))
                for (index, slot) in slots.enumerated() { appender.append(slot, Double(index % 600 + round)) }
                try appender.commit()
                // Some end, and come again in the next round.
                for slot in slots[..<50] { lane.retire(slot) }
                #expect(store.brokenInvariants == [])
                lane.close()
            }
            if isDurable {
                open?.close()
                open = nil
                open = try MetricStore(configuration, registry: nil)
            }
            let store = try #require(open)
            #expect(store.brokenInvariants == [])
            let series = try store.select([], from: .distantPast, through: .distantFuture, sampleLimit: .max)
            #expect(series.count == 601)
            found.append(Dictionary(uniqueKeysWithValues: series.map { ($0.labels, $0.values) }))
        }
        #expect(found[0] == found[1])
        #expect(found[1][Self.labels(7)] == [8, 9, 10])
    }

    @Test func whatWasMadeBeforeTheLimitStays() throws {
        var configuration = StoreConfiguration()
        configuration.maximumSeries = 300
        let store = try MetricStore(configuration, registry: nil)
        let lane = try store.openLane("lane")
        var slots: [RingSlot] = []
        #expect(throws: StoreError(.seriesLimit, "the limit of 300 series is reached")) {
            try lane.appendSlots(for: (0..<400).map(Self.labels), to: &slots)
        }
        #expect(slots.count == 300)
        #expect(store.brokenInvariants == [])
        var more: [RingSlot] = []
        try lane.appendSlots(for: (100..<200).map(Self.labels), to: &more)
        #expect(more == Array(slots[100..<200]))
        for slot in slots { lane.retire(slot) }
        try lane.appendSlots(for: (300..<400).map(Self.labels), to: &more)
        #expect(Set(more[100...]).count == 100)
        #expect(store.brokenInvariants == [])
    }

    @Test func aChangeOfTheIndexIsNoticedForEveryMetricOfABatch() throws {
        let store = try MetricStore(StoreConfiguration(), registry: nil)
        let lane = try store.openLane("lane")
        var slots: [RingSlot] = []
        for first in stride(from: 0, to: 200, by: 50) {
            for metric in ["m0", "m1", "m2"] {
                var selection: StoreSelection?
                _ = try store.scan(
                    matching: [Matcher("__name__", .equal, metric)], from: .distantPast, through: .distantFuture,
                    remembering: &selection)
                let before = try #require(selection)
                // The next series of the same metric are in no earlier selection.
                try lane.appendSlots(
                    for: (0..<3).map { Labels(metric: metric, [Label("n", "\(first) \($0)")]) }, to: &slots)
                _ = try store.scan(
                    matching: [Matcher("__name__", .equal, metric)], from: .distantPast, through: .distantFuture,
                    remembering: &selection)
                #expect(selection !== before)
                #expect(selection?.count == before.count + 3)
            }
        }
    }
}
