import Instrumentation
import MetricModel
import MetricStore
import PromQL
import RuleModel
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import RuleEngine

/// Alerts that advance at scrapes, between evaluations by the clock.
@Suite struct AdvanceTests {
    private let fixture: RuleFixture
    private let sink: Sink

    init() throws {
        fixture = try RuleFixture()
        sink = Sink(LaneSink("g", store: fixture.store, sinks: Received().sinks))
    }

    /// Stores like the service, and keeps the alerts.
    private final class Sink: RuleSink {
        let lane: LaneSink
        var sent: [Alert] = []

        init(_ lane: LaneSink) { self.lane = lane }
        func store(_ samples: [RuleSample], at time: Timestamp) throws(RuleFailure) {
            try lane.store(samples, at: time)
        }
        func send(_ alerts: [Alert]) { sent += alerts }
        func measured(_ measurement: RollbackMeasurement) {}
        func tripped(_ rule: String) -> [ActiveAlertSnapshot] { [] }
    }

    private func evaluation(_ rules: String) throws -> GroupEvaluation {
        let text = "groups:\n- name: g\n  interval: 10s\n  rules:\n" + rules
        return GroupEvaluation(
            try RuleFixture.group(text), engine: QueryEngine(), settings: RuleSettings(), restoring: false)
    }

    private func at(_ seconds: Int64) -> Timestamp { Timestamp(milliseconds: seconds * 1000) }

    private let metric: Labels = ["__name__": "m", "i": "a"]

    private func active(_ evaluation: GroupEvaluation, _ index: Int = 0) -> [String] {
        evaluation.states[index].alerts.active.map { "\($0.state)".split(separator: "(")[0] + " \($0.value)" }
    }

    @Test("at a scrape an alert appears and fires, and is sent; nothing is stored")
    func appears() throws {
        let evaluation = try evaluation("  - {alert: A, expr: m > 0}\n  - {alert: Later, expr: m > 0, for: 8s}\n")
        try fixture.scrape(100, [(metric, 0)])
        evaluation.evaluate(at: at(100), from: fixture.store, into: sink)
        try fixture.scrape(102, [(metric, 5)])
        evaluation.advance(at: at(102), from: fixture.store, into: sink)
        #expect(active(evaluation) == ["firing 5.0"])
        #expect(active(evaluation, 1) == ["pending 5.0"])
        #expect(sink.sent.map { $0.labels["alertname"] } == ["A"])
        #expect(try fixture.samples("ALERTS").isEmpty)
        #expect(evaluation.states[0].lastEvaluation == at(100))
        try fixture.scrape(109, [(metric, 6)])
        evaluation.advance(at: at(109), from: fixture.store, into: sink)
        #expect(active(evaluation, 1) == ["pending 6.0"], "7 of 8 seconds")
        evaluation.evaluate(at: at(110), from: fixture.store, into: sink)
        #expect(active(evaluation, 1) == ["firing 6.0"])
        #expect(try fixture.samples("ALERTS").count == 2)
    }

    @Test("a scrape at which the condition does not hold ends and resets nothing")
    func waits() throws {
        let evaluation = try evaluation("  - {alert: A, expr: m > 0}\n  - {alert: Later, expr: m > 0, for: 30s}\n")
        try fixture.scrape(100, [(metric, 1)])
        evaluation.evaluate(at: at(100), from: fixture.store, into: sink)
        try fixture.scrape(102, [(metric, 0)])
        evaluation.advance(at: at(102), from: fixture.store, into: sink)
        #expect(active(evaluation) == ["firing 1.0"])
        #expect(active(evaluation, 1) == ["pending 1.0"])
        evaluation.evaluate(at: at(110), from: fixture.store, into: sink)
        #expect(active(evaluation) == [] && active(evaluation, 1) == [])
        // A resolved alert appears again at a scrape.
        try fixture.scrape(112, [(metric, 3)])
        evaluation.advance(at: at(112), from: fixture.store, into: sink)
        #expect(active(evaluation) == ["firing 3.0"])
    }

    @Test("before the first evaluation by the clock nothing advances: alerts are not restored yet")
    func first() throws {
        let evaluation = try evaluation("  - {alert: A, expr: m > 0}\n")
        try fixture.scrape(100, [(metric, 1)])
        evaluation.advance(at: at(100), from: fixture.store, into: sink)
        #expect(active(evaluation) == [])
    }

    @Test("recordings that alerts of the group read are evaluated in memory, and others are not")
    func recordings() throws {
        let evaluation = try evaluation(
            """
              - {record: unread, expr: m}
              - {record: base, expr: m * 10}
              - {record: 'sum:base', expr: sum(base)}
              - alert: A
                expr: sum:base > 40
              - alert: Rises
                expr: delta(base[1m]) > 15

            """)
        #expect(evaluation.advances == [false, true, true, true, true])
        try fixture.scrape(100, [(metric, 1)])
        evaluation.evaluate(at: at(100), from: fixture.store, into: sink)
        try fixture.scrape(110, [(metric, 2)])
        evaluation.evaluate(at: at(110), from: fixture.store, into: sink)
        try fixture.scrape(113, [(metric, 5)])
        #expect(evaluation.advance(at: at(113), from: fixture.store, into: sink) == 0)
        #expect(active(evaluation, 3) == ["firing 50.0"])
        #expect(active(evaluation, 4).count == 1, "the stored samples and the one in memory together")
        #expect(try fixture.samples("base").values.first == ["100: 10", "110: 20"])
        #expect(try fixture.samples("unread").values.first == ["100: 1", "110: 2"])
    }

    @Test("a recorded series that appears at a scrape is read there")
    func newRecording() throws {
        let evaluation = try evaluation("  - {record: high, expr: m > 3}\n  - {alert: A, expr: high > 0}\n")
        try fixture.scrape(100, [(metric, 1)])
        evaluation.evaluate(at: at(100), from: fixture.store, into: sink)
        try fixture.scrape(102, [(metric, 4)])
        evaluation.advance(at: at(102), from: fixture.store, into: sink)
        #expect(active(evaluation, 1) == ["firing 4.0"])
    }

    @Test("a group that a reload lets advance no more forgets the scrape that waits")
    func reloaded() {
        var advancing = schedule()
        let scrape = advancing.due - .milliseconds(500)
        advancing.scrapeCommitted(at: scrape, nanoseconds: 7)
        for advances in [true, false] {
            var next = GroupSchedule(
                key: "r.yml;g", interval: .seconds(10), trigger: .interval, advances: advances,
                now: Timestamp(milliseconds: 1_000_000))
            next.continued(from: advancing)
            #expect((next.next(at: scrape) != nil) == advances)
        }
    }

    @Test("a recorded series that ends at a scrape is not read there")
    func endedRecording() throws {
        let evaluation = try evaluation(
            "  - {record: high, expr: m > 3}\n  - {alert: A, expr: absent(high)}\n")
        try fixture.scrape(100, [(metric, 5)])
        evaluation.evaluate(at: at(100), from: fixture.store, into: sink)
        #expect(active(evaluation, 1) == [])
        try fixture.scrape(102, [(metric, 1)])
        evaluation.advance(at: at(102), from: fixture.store, into: sink)
        #expect(active(evaluation, 1) == ["firing 1.0"])
    }

    @Test("more alerts than the limit, or two with the same labels, do not advance and change nothing")
    func refused() throws {
        let limited = GroupEvaluation(
            try RuleFixture.group(
                "groups: [{name: g, limit: 1, rules: [{alert: A, expr: m > 0}, {alert: B, expr: m > 0, labels: {i: x}}]}]"
            ),
            engine: QueryEngine(), settings: RuleSettings(), restoring: false)
        let other: Labels = ["__name__": "m", "i": "b"]
        try fixture.scrape(100, [(metric, 1), (other, 0)])
        limited.evaluate(at: at(100), from: fixture.store, into: sink)
        try fixture.scrape(102, [(metric, 1), (other, 1)])
        #expect(limited.advance(at: at(102), from: fixture.store, into: sink) == 2)
        #expect(active(limited) == ["firing 1.0"] && active(limited, 1) == ["firing 1.0"])
        #expect(limited.states.map(\.health) == [.ok, .ok], "health is that of the last evaluation by the clock")
    }

    @Test(
        "over random histories: what is recorded is the same, and alerts fire no later and end at the same evaluation")
    func differential() throws {
        var random = SeededGenerator()
        for _ in 0..<30 {
            let (plain, advanced) = (try AdvanceTests(), try AdvanceTests())
            let rules = """
                  - {record: r, expr: m * 2}
                  - {alert: A, expr: m > 0}
                  - {alert: B, expr: r > 2, for: 15s}
                  - {alert: C, expr: m > 1, keep_firing_for: 12s}

                """
            let (one, two) = (try plain.evaluation(rules), try advanced.evaluation(rules))
            var now: Int64 = 1000
            for _ in 0..<60 {
                now += 2
                let value = Double(random.next() % 4)
                for world in [plain, advanced] { try world.fixture.scrape(now, [(metric, value)]) }
                if now % 10 == 0 {
                    one.evaluate(at: at(now), from: plain.fixture.store, into: plain.sink)
                    two.evaluate(at: at(now), from: advanced.fixture.store, into: advanced.sink)
                    for index in 1...3 {
                        let fires = one.states[index].alerts.active.contains(where: \.isFiring)
                        let firesToo = two.states[index].alerts.active.contains(where: \.isFiring)
                        #expect(!fires || firesToo, "rule \(index) at \(now)")
                        #expect(
                            one.states[index].alerts.active.isEmpty == two.states[index].alerts.active.isEmpty
                                || index == 3, "rule \(index) at \(now)")
                    }
                } else {
                    two.advance(at: at(now), from: advanced.fixture.store, into: advanced.sink)
                }
            }
            #expect(try plain.fixture.samples("r") == (try advanced.fixture.samples("r")))
        }
    }

    // MARK: Schedule

    private func schedule() -> GroupSchedule {
        GroupSchedule(
            key: "r.yml;g", interval: .seconds(10), trigger: .interval, advances: true,
            now: Timestamp(milliseconds: 1_000_000))
    }

    @Test("scrapes between two clock times let alerts advance, and clock times stay where they are")
    func schedules() {
        var schedule = schedule()
        let first = schedule.due
        let scrape = first - .milliseconds(500)
        schedule.scrapeCommitted(at: scrape, nanoseconds: 7)
        #expect(schedule.isAdvanceDue)
        #expect(schedule.next(at: scrape, mayAdvance: false) == nil)
        let advance = schedule.next(at: scrape)
        #expect(advance?.isAdvance == true && advance?.time == scrape && advance?.causeNanoseconds == 7)
        #expect(!schedule.isAdvanceDue && schedule.next(at: first) == nil, "it is under way")
        schedule.finished()
        // A scrape that the clock's evaluation reads needs no other one; a later one does.
        schedule.scrapeCommitted(at: first - .milliseconds(10), nanoseconds: 8)
        #expect(schedule.next(at: first + .milliseconds(3)) == .init(time: first, missed: 0, causeNanoseconds: 0))
        schedule.finished()
        #expect(schedule.next(at: first + .milliseconds(4)) == nil)
        // It was committed after the clock's evaluation had begun.
        schedule.scrapeCommitted(at: first - .milliseconds(10), nanoseconds: 9)
        #expect(schedule.next(at: first + .milliseconds(5))?.time == first + .milliseconds(1))
        schedule.finished()
        schedule.scrapeCommitted(at: schedule.due + .milliseconds(1), nanoseconds: 10)
        let second = schedule.next(at: schedule.due)
        #expect(second?.isAdvance == false && second?.time == first + .seconds(10))
    }

    @Test("evaluations at scrapes use their share of a core, and save a quarter of a second")
    func budget() {
        var budget = ScrapeBudget(share: 0.05)
        let second: Int64 = 1_000_000_000
        #expect(budget.wait(at: 0) == 0)
        budget.spent(0.35)
        #expect(abs(budget.wait(at: 0) - 2) < 1e-9, "0.1 s too much are two seconds at 5 %")
        #expect(abs(budget.wait(at: second) - 1) < 1e-9)
        #expect(budget.wait(at: 2 * second + 1) == 0)
        #expect(budget.wait(at: 1000 * second) == 0)
        budget.spent(0.25)
        #expect(budget.wait(at: 1000 * second) == 0, "no more than a quarter of a second is saved")
        budget.spent(0.01)
        #expect(budget.wait(at: 1000 * second) > 0)
    }

    // MARK: The runner

    @Test("with the one switch a stock group fires at the scrape; a group that says interval does not")
    func runner() throws {
        let received = Received()
        let text = """
            groups:
            - {name: g, interval: 1s, rules: [{alert: A, expr: m > 0}]}
            - {name: slow, interval: 1h, rules: [{alert: Never, expr: m > 0}]}
            - {name: fixed, interval: 1h, trigger: interval, rules: [{alert: Fixed, expr: m > 0}]}
            """
        let registry = Registry()
        let runner = RuleRunner(
            store: fixture.store, engine: QueryEngine(), groups: try RuleFixture.groups(text),
            settings: RuleSettings(advancesAtScrapes: true), sinks: received.sinks, registry: registry, logger: .silent)
        try runner.start()
        defer { runner.stop() }
        // Groups advance after their first evaluation by the clock.
        #expect(Loopback.eventually { runner.snapshots().contains { $0.name == "g" && $0.lastEvaluation != nil } })
        var row = fixture.lane.beginAppend(at: Timestamp(milliseconds: SystemClock.wallMilliseconds()))
        row.append(try fixture.lane.slot(for: metric), 1)
        try row.commit()
        #expect(
            Loopback.eventually {
                runner.scrapeCommitted(
                    lane: fixture.lane.id, at: Timestamp(milliseconds: SystemClock.wallMilliseconds()),
                    nanoseconds: SystemClock.monotonicNanoseconds())
                let advances = registry.snapshot().first { $0.name == "tribune_rule_advances_total" }?.members.first
                guard case .number(let count)? = advances?.value else { return false }
                return count > 0 && received.alerts.contains { $0.labels["alertname"] == "A" }
            })
        #expect(!received.alerts.contains { $0.labels["alertname"] == "Fixed" })
    }
}
