import Instrumentation
import Testing

@Suite struct RegistryTests {
    @Test func theSameNameAndLabelsGiveTheSameInstrument() {
        let registry = Registry()
        registry.counter("x_total", "X.", labels: ["job": "a"]).add()
        registry.counter("x_total", "X.", labels: ["job": "a"]).add(2)
        registry.counter("x_total", "X.", labels: ["job": "b"]).add()
        let families = registry.snapshot()
        #expect(families.map(\.name) == ["x_total"])
        #expect(families[0].members.map { $0.labels[0].value } == ["a", "b"])
        guard case .number(3) = families[0].members[0].value else {
            Issue.record("expected 3")
            return
        }
    }

    @Test func histogramsCountIntoTheFirstBucketThatHolds() {
        let histogram = Histogram(bounds: [1, 2])
        for value in [0.5, 1, 1.5, 2, 3, .infinity] { histogram.observe(value) }
        #expect(histogram.snapshot.counts == [2, 2, 2])
        #expect(histogram.snapshot.sum == .infinity)
    }

    @Test func collectorsRunBeforeEverySnapshot() {
        let registry = Registry()
        let gauge = registry.gauge("g", "G.")
        registry.onSnapshot { gauge.add(1) }
        _ = registry.snapshot()
        _ = registry.snapshot()
        #expect(gauge.value == 2)
    }

    @Test func removedMembersAreGone() {
        let registry = Registry()
        registry.gauge("g", "G.", labels: ["t": "1"]).set(1)
        registry.gauge("g", "G.", labels: ["t": "2"]).set(2)
        registry.remove("g", labels: ["t": "1"])
        #expect(registry.snapshot()[0].members.map { $0.labels[0].value } == ["2"])
    }
}
