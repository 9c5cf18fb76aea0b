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

/// The runner with its threads; nothing is timed, only waited for.
@Suite struct RuleRunnerTests {
    private let fixture: RuleFixture
    private let received = Received()
    private let registry = Registry()

    init() throws {
        fixture = try RuleFixture()
    }

    private func runner(_ text: String, settings: RuleSettings = RuleSettings()) throws -> RuleRunner {
        RuleRunner(
            store: fixture.store, engine: QueryEngine(), groups: try RuleFixture.groups(text), settings: settings,
            sinks: received.sinks, registry: registry, logger: .silent)
    }

    private var nowSeconds: Int64 { SystemClock.wallMilliseconds() / 1000 }

    private func value(of name: String, _ group: String) -> Double? {
        let family = registry.snapshot().first { $0.name == name }
        guard case .number(let value)? = family?.members.first(where: { $0.labels.first?.value == group })?.value else {
            return nil
        }
        return value
    }

    private let match: Labels = ["__name__": "match", "service": "a"]

    private static let immediate = """
        groups:
        - name: g
          interval: 1h
          rules:
          - {record: other, expr: match}
          - {rollback: Hash, expr: match, trip: "== 0", immediate: true, action: {plan: p}}
        """

    /// Commits a sample and notifies the runner, like a scraper.
    private func scrape(_ runner: RuleRunner, _ seconds: Int64, _ value: Double) throws -> Int64 {
        try fixture.scrape(seconds, [(match, value)])
        let nanoseconds = SystemClock.monotonicNanoseconds()
        runner.scrapeCommitted(
            lane: fixture.lane.id, at: Timestamp(milliseconds: seconds * 1000), nanoseconds: nanoseconds)
        return nanoseconds
    }

    @Test func immediateRulesAreEvaluatedAtEachScrapeAtItsTime() throws {
        let runner = try runner(Self.immediate)
        try runner.start()
        defer { runner.stop() }
        try #require(Loopback.eventually { runner.snapshots().count == 1 })
        let first = nowSeconds
        for step in 0..<3 as Range<Int64> {
            let nanoseconds = try scrape(runner, first + step, Double(step))
            try #require(Loopback.eventually { received.measurements.count == Int(step) + 1 })
            let measurement = try #require(received.measurements.last)
            #expect(measurement.time == Timestamp(milliseconds: (first + step) * 1000))
            #expect(measurement.causeNanoseconds == nanoseconds)
            #expect(measurement.elements.map(\.labels) == [["service": "a"]])
            #expect(measurement.elements.map(\.value) == [Double(step)])
        }
        #expect(try fixture.samples("other").isEmpty)
        #expect(
            Loopback.eventually { value(of: "tribune_rule_group_iterations_total", "r.yml;g;immediate") == 3 })
        let health = runner.snapshots()[0].rules.map(\.health)
        #expect(health == [.unknown, .ok])
    }

    @Test func scrapesThatComeBeforeTheGroupsAreLoadedAreNotLost() throws {
        let runner = try runner(Self.immediate)
        _ = try scrape(runner, nowSeconds, 1)
        try runner.start()
        defer { runner.stop() }
        #expect(Loopback.eventually { received.measurements.count == 1 })
    }

    @Test func lanesThatNoRuleReadsFromCauseNothing() throws {
        let runner = try runner(Self.immediate)
        try runner.start()
        defer { runner.stop() }
        try #require(Loopback.eventually { runner.snapshots().count == 1 })
        let other = try fixture.store.openLane("other")
        var row = other.beginAppend(at: Timestamp(milliseconds: nowSeconds * 1000))
        row.append(try other.slot(for: ["__name__": "noise"]), 1)
        try row.commit()
        runner.scrapeCommitted(lane: other.id, at: Timestamp(milliseconds: nowSeconds * 1000), nanoseconds: 1)
        _ = try scrape(runner, nowSeconds, 1)
        try #require(Loopback.eventually { !received.measurements.isEmpty })
        #expect(received.measurements.map(\.causeNanoseconds) != [1])
    }

    @Test func aRuleThatFailsOnAndOnIsToldOnceAndAgainWhenItWorks() throws {
        let other: Labels = ["__name__": "match", "service": "b"]
        try fixture.scrape(nowSeconds - 2, [(match, 1), (other, 1)])
        let lines = Mutex<[String]>([])
        let runner = RuleRunner(
            store: fixture.store, engine: QueryEngine(),
            groups: try RuleFixture.groups(
                """
                groups: [{name: g, interval: 20ms, rules: [{record: fine, expr: match}, {record: bad, expr: match + on () match}]}]
                """),
            settings: RuleSettings(), sinks: received.sinks, registry: registry,
            logger: Logger { line in lines.withLock { $0.append(line) } })
        try runner.start()
        defer { runner.stop() }
        func evaluations() -> Double { value(of: "tribune_rule_group_iterations_total", "r.yml;g") ?? 0 }
        try #require(Loopback.eventually { evaluations() >= 3 })
        try fixture.scrape(nowSeconds - 1, [(match, 1), (other, .staleMarker)])
        try #require(Loopback.eventually { lines.withLock { $0.count } >= 2 })
        let told = lines.withLock { $0 }
        #expect(told.count == 2)
        #expect(
            told[0].contains(
                "level=warn msg=\"rule failed\" component=rules group=r.yml;g rule=bad error=\"found duplicate"))
        #expect(told[1].contains("level=info msg=\"rule succeeds again\" component=rules group=r.yml;g rule=bad"))
    }

    @Test func groupsOnTheClockAreEvaluatedAtExactDistances() throws {
        try fixture.scrape(nowSeconds, [(match, 1)])
        let runner = try runner("groups: [{name: g, interval: 50ms, rules: [{record: b, expr: match}]}]")
        try runner.start()
        defer { runner.stop() }
        func times() throws -> [Int64] {
            let series = try fixture.store.select(
                [Matcher("__name__", .equal, "b")], from: .distantPast, through: .distantFuture, sampleLimit: 1000)
            return series.first?.timestamps ?? []
        }
        #expect(try Loopback.eventually { try times().count >= 3 })
        let distances = Set(zip(try times(), try times().dropFirst()).map { ($1 - $0) % 50 })
        #expect(distances == [0])
    }

    private static let alert = """
        groups:
        - name: g
          interval: 20ms
          rules: [{alert: A, expr: match == 1, annotations: {v: "{{ $value }}"}}]
        """

    @Test func alertsAreHandedOverAndShown() throws {
        try fixture.scrape(nowSeconds, [(match, 1)])
        let runner = try runner(Self.alert)
        try runner.start()
        defer { runner.stop() }
        #expect(Loopback.eventually { !received.alerts.isEmpty })
        #expect(received.alerts[0].labels == ["alertname": "A", "service": "a"])
        let shown = Loopback.eventually {
            guard case .alerting(_, _, _, let alerts)? = runner.snapshots().first?.rules.first?.kind else {
                return false
            }
            return alerts.map(\.state) == [.firing] && alerts[0].annotations == ["v": "1"]
        }
        #expect(shown)
    }

    @Test func reloadKeepsTheStateOfAlertsAndEndsTheSeriesOfGroupsThatAreGone() throws {
        try fixture.scrape(nowSeconds, [(match, 1)])
        let runner = try runner(
            Self.alert + "\n- {name: h, interval: 20ms, rules: [{record: b, expr: match}]}\n")
        try runner.start()
        defer { runner.stop() }
        try #require(Loopback.eventually { !received.alerts.isEmpty })
        try #require(try Loopback.eventually { try !fixture.samples("b").isEmpty })
        let since = try #require(runner.activeSince)
        runner.reload(
            try RuleFixture.groups(Self.alert.replacing("match == 1", with: "match > 0")), settings: RuleSettings())
        try #require(Loopback.eventually { runner.snapshots().map(\.name) == ["g"] })
        #expect(runner.activeSince == since)
        #expect(try Loopback.eventually { try fixture.samples("b").values.first?.last?.hasSuffix("stale") == true })
        #expect(Loopback.eventually { value(of: "tribune_rule_group_iterations_total", "r.yml;h") == nil })
    }

    @Test func stopEndsTheThreadsAlsoBeforeTheFirstEvaluation() throws {
        let runner = try runner(Self.immediate)
        try runner.start()
        runner.stop()
        runner.stop()
    }
}

extension RuleRunner {
    /// Since when the first alert of the first rule is active.
    fileprivate var activeSince: Timestamp? {
        guard case .alerting(_, _, _, let alerts)? = snapshots().first?.rules.first?.kind else { return nil }
        return alerts.first?.activeAt
    }
}
