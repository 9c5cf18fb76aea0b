import MetricModel
import MetricStore
import PromQL
import RuleModel
import Testing

@testable import RuleEngine

/// One group on a real store, in virtual time.
@Suite struct GroupEvaluationTests {
    private let fixture: RuleFixture
    private let received = Received()
    private let sink: LaneSink

    init() throws {
        fixture = try RuleFixture()
        sink = LaneSink("test", store: fixture.store, sinks: received.sinks)
    }

    private func evaluation(
        _ text: String, settings: RuleSettings = RuleSettings(), restoring: Bool = false,
        continuing earlier: GroupEvaluation? = nil
    ) throws -> GroupEvaluation {
        GroupEvaluation(
            try RuleFixture.group(text), engine: QueryEngine(), settings: settings, restoring: restoring,
            continuing: earlier)
    }

    private func run(_ evaluation: GroupEvaluation, at seconds: Int64...) {
        for seconds in seconds {
            evaluation.evaluate(at: Timestamp(milliseconds: seconds * 1000), from: fixture.store, into: sink)
        }
    }

    private let up: Labels = ["__name__": "up", "job": "a"]

    @Test func laterRulesReadWhatEarlierOnesRecorded() throws {
        let evaluation = try evaluation(
            """
            groups:
            - name: g
              rules:
              - {record: b, expr: up + 1, labels: {job: "", from: b}}
              - {record: c, expr: b * 10}
            """)
        try fixture.scrape(100, [(up, 1)])
        run(evaluation, at: 101)
        #expect(try fixture.samples("b") == [["from": "b"]: ["101: 2"]])
        #expect(try fixture.samples("c") == [["from": "b"]: ["101: 20"]])
    }

    @Test func seriesThatAreGoneEndWithAStalenessMarker() throws {
        let evaluation = try evaluation("groups: [{name: g, rules: [{record: b, expr: up == 1}]}]")
        try fixture.scrape(100, [(up, 1)])
        run(evaluation, at: 101)
        try fixture.scrape(110, [(up, 0)])
        run(evaluation, at: 111, 121)
        #expect(try fixture.samples("b") == [["job": "a"]: ["101: 1", "111: stale"]])
        try fixture.scrape(130, [(up, 1)])
        run(evaluation, at: 131)
        #expect(try fixture.samples("b") == [["job": "a"]: ["101: 1", "111: stale", "131: 1"]])
    }

    @Test func aRuleThatFailsStoresNothingAndStopsNobody() throws {
        let evaluation = try evaluation(
            """
            groups:
            - name: g
              limit: 1
              rules:
              - {record: same, expr: up, labels: {job: x}}
              - {record: many, expr: up}
              - {record: text, expr: '"x"'}
              - {record: good, expr: sum(up)}
            """)
        try fixture.scrape(100, [(up, 1), (up.setting("job", to: "b"), 2)])
        run(evaluation, at: 101)
        #expect(evaluation.states.map(\.health) == [.err, .err, .err, .ok])
        #expect(
            evaluation.states.map(\.lastError) == [
                "vector contains metrics with the same labelset after applying rule labels",
                "exceeded limit of 1 with 2 series", "rule result is not a vector or scalar", "",
            ])
        #expect(try fixture.samples("many").isEmpty)
        #expect(try fixture.samples("good") == [.empty: ["101: 3"]])
    }

    @Test func queriesAndResultsLieBehindByTheOffset() throws {
        let evaluation = try evaluation(
            "groups: [{name: g, query_offset: 1m, rules: [{record: b, expr: up}, {record: c, expr: time()}]}]")
        try fixture.scrape(100, [(up, 1)])
        try fixture.scrape(150, [(up, 2)])
        run(evaluation, at: 200)
        #expect(try fixture.samples("b") == [["job": "a"]: ["140: 1"]])
        #expect(try fixture.samples("c") == [.empty: ["140: 140"]])
    }

    // MARK: Alerts

    private static let down = """
        groups:
        - name: g
          interval: 30s
          labels: {team: t}
          rules:
          - alert: Down
            expr: up == 0
            for: 1m
            labels: {severity: page, url: "{{ $externalURL }}"}
            annotations:
              summary: "{{ $labels.job }} {{ $value }} {{ with query `up` }}{{ len . }}{{ end }}"
        """

    @Test func alertsAreWrittenAsSeriesAndSent() throws {
        let settings = RuleSettings(
            externalLabels: ["zone": "eu", "severity": "x"], externalURL: "http://host", resendDelay: .seconds(90))
        let evaluation = try evaluation(Self.down, settings: settings)
        try fixture.scrape(0, [(up, 0)])
        run(evaluation, at: 10, 40, 70)
        try fixture.scrape(100, [(up, 1)])
        run(evaluation, at: 100)
        let labels: Labels = [
            "alertname": "Down", "job": "a", "severity": "page", "team": "t", "url": "http://host",
        ]
        #expect(
            try fixture.samples("ALERTS") == [
                labels.setting("alertstate", to: "pending"): ["10: 1", "40: 1", "70: stale"],
                labels.setting("alertstate", to: "firing"): ["70: 1", "100: stale"],
            ])
        #expect(try fixture.samples("ALERTS_FOR_STATE") == [labels: ["10: 10", "40: 10", "70: 10", "100: stale"]])
        let at = { (seconds: Int64) in Timestamp(milliseconds: seconds * 1000) }
        let firing = Alert(
            labels: labels.setting("zone", to: "eu"), annotations: ["summary": "a 0 1"], startsAt: at(70),
            endsAt: at(70 + 4 * 90), isResolved: false, generatorURL: "http://host/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
            value: 0)
        var resolved = firing
        resolved.isResolved = true
        resolved.endsAt = at(100)
        #expect(received.alerts == [firing, resolved])
    }

    @Test func holdSurvivesARestart() throws {
        let before = try evaluation(Self.down)
        try fixture.scrape(0, [(up, 0)])
        run(before, at: 10, 40)
        // Down for a minute: 30 of 60 seconds are left.
        let after = try evaluation(Self.down, restoring: true)
        run(after, at: 100)
        #expect(try fixture.samples("ALERTS").values.first == ["10: 1", "40: 1"])
        #expect(after.states[0].alerts.active.map(\.activeAt.milliseconds) == [70_000])
        run(after, at: 115, 130)
        #expect(after.states[0].alerts.active.map(\.state) == [.firing(since: Timestamp(milliseconds: 130_000))])
        #expect(try fixture.samples("ALERTS_FOR_STATE").values.first == ["10: 10", "40: 10", "115: 70", "130: 70"])
    }

    // MARK: Reloading

    @Test func rulesGoOnUnderTheSameNameAndLabels() throws {
        let before = try evaluation(Self.down)
        try fixture.scrape(0, [(up, 0)])
        run(before, at: 10)
        let changed = Self.down.replacing("up == 0", with: "up < 1")
        let after = try evaluation(changed, continuing: before)
        run(after, at: 70)
        #expect(after.states[0].alerts.active.map(\.isFiring) == [true])
    }

    @Test func seriesOfRulesThatAreGoneEnd() throws {
        let before = try evaluation("groups: [{name: g, rules: [{record: b, expr: up}, {record: c, expr: up}]}]")
        try fixture.scrape(0, [(up, 1)])
        run(before, at: 10)
        let after = try evaluation("groups: [{name: g, rules: [{record: c, expr: up}]}]", continuing: before)
        run(after, at: 20, 30)
        #expect(try fixture.samples("b") == [["job": "a"]: ["10: 1", "20: stale"]])
        #expect(try fixture.samples("c") == [["job": "a"]: ["10: 1", "20: 1", "30: 1"]])
    }

    // MARK: Rollback rules

    private static let rollback = """
        groups:
        - name: g
          rules:
          - rollback: Low
            expr: score
            trip: "< 0.9"
            min_samples: {expr: requests, value: 10}
            guard: healthy
            action: {plan: p}
        """

    private func metric(_ name: String, _ others: (String, String)...) -> Labels {
        Labels(metric: name, others.map { Label($0.0, $0.1) })
    }

    @Test func aViolationHasItsAnnotationsAndWhatHasTrippedIsAnAlert() throws {
        let rule =
            "{rollback: R, expr: score, trip: '< 1', action: {plan: p}, "
            + "annotations: {summary: '{{ $labels.service }} has {{ $value }}'}}"
        let (a, b) = (metric("score", ("service", "a")), metric("score", ("service", "b")))
        try fixture.scrape(100, [(a, 0.5), (b, 1)])
        received.tripped = [
            ActiveAlertSnapshot(
                labels: ["alertname": "R", "service": "a"], annotations: .empty, state: .firing,
                activeAt: Timestamp(milliseconds: 100_000), keepFiringSince: nil, value: 0.5)
        ]
        run(try evaluation("groups: [{name: g, rules: [\(rule)]}]"), at: 101)
        let measured = try #require(received.measurements.last)
        #expect(measured.elements.map(\.annotations) == [["summary": "a has 0.5"], .empty])
        #expect(
            try fixture.samples("ALERTS") == [["alertname": "R", "alertstate": "firing", "service": "a"]: ["101: 1"]])
    }

    @Test(
        "a measurement carries the time of the newest sample of its service",
        arguments: [
            ("score", [103, 101]), ("sum by (service) (score)", [103, 101]),
            ("sum by (service) (rate(score[1m]))", [103, 101]),
            ("max_over_time(sum by (service) (score)[1m:1s])", [103, 101]),
            ("sum by (service) (score) / on () group_left () sum(score)", [103, 101]),
            // The labels of the result are none that series have.
            (#"label_replace(sum by (job) (score), "service", "x", "job", ".*")"#, [103]),
            // Without samples behind it, the evaluation itself is the measurement.
            ("vector(1)", [nil]), ("absent(nothing)", [nil]), ("sum(nothing) or vector(0)", [nil]),
        ] as [(String, [Int64?])])
    func sampleTimes(expression: String, seconds: [Int64?]) throws {
        let (a, b) = (metric("score", ("service", "a")), metric("score", ("service", "b")))
        try fixture.scrape(100, [(a, 1), (b, 1)])
        try fixture.scrape(101, [(a, 2), (b, 2)])
        try fixture.scrape(102, [(a, 3)])
        try fixture.scrape(103, [(a, 4)])
        let rule = "{rollback: R, expr: '\(expression)', trip: '< 0', consecutive: 2, action: {plan: p}}"
        run(try evaluation("groups: [{name: g, rules: [\(rule)]}]"), at: 105)
        let measured = try #require(received.measurements.last)
        #expect(measured.elements.map { $0.sampledAt.map { $0.milliseconds / 1000 } } == seconds)
    }

    @Test func measurementsCountWhereMinimumAndGuardAreMetForTheirLabels() throws {
        let evaluation = try evaluation(Self.rollback)
        try fixture.scrape(
            100,
            [
                (metric("score", ("service", "a"), ("instance", "1")), 0.5),
                (metric("score", ("service", "b"), ("instance", "2")), 0.8),
                (metric("score", ("service", "c"), ("instance", "3")), 1),
                (metric("requests", ("service", "a"), ("code", "200")), 6),
                (metric("requests", ("service", "a"), ("code", "500")), 4),
                (metric("requests", ("service", "b"), ("code", "200")), 9),
                (metric("requests", ("service", "c"), ("code", "200")), 99),
                (metric("healthy", ("service", "a")), 1), (metric("healthy", ("service", "b")), 1),
                (metric("healthy", ("service", "c")), 0),
            ])
        run(evaluation, at: 101)
        let measurement = try #require(received.measurements.first)
        #expect(measurement.rule == "r.yml;g;Low")
        #expect(measurement.time == Timestamp(milliseconds: 101_000))
        #expect(measurement.ruleHash == measurement.definition.hash)
        #expect(
            measurement.elements == [
                .init(labels: ["service": "a", "instance": "1"], value: 0.5, counts: true),
                .init(labels: ["service": "b", "instance": "2"], value: 0.8, counts: false),
                .init(labels: ["service": "c", "instance": "3"], value: 1, counts: false),
            ])
        #expect(
            try fixture.samples("tribune_rollback_measurement") == [
                ["rule": "Low", "service": "a", "instance": "1"]: ["101: 0.5"],
                ["rule": "Low", "service": "b", "instance": "2"]: ["101: 0.8"],
                ["rule": "Low", "service": "c", "instance": "3"]: ["101: 1"],
            ])
    }

    @Test func missingDataAreAMeasurementWithoutElements() throws {
        run(try evaluation(Self.rollback), at: 101)
        #expect(received.measurements.map(\.elements) == [[]])
        #expect(received.measurements.map(\.failure) == [nil])
    }

    @Test func anExpressionThatFailsIsAMeasurementWithItsReason() throws {
        let evaluation = try evaluation(Self.rollback.replacing("expr: score", with: "expr: score + on () requests"))
        try fixture.scrape(
            100, [(metric("score", ("i", "1")), 1), (metric("score", ("i", "2")), 1), (metric("requests"), 1)])
        run(evaluation, at: 101)
        let failure = received.measurements.first?.failure
        #expect(failure?.contains("multiple matches for labels") == true, "\(failure ?? "none")")
        #expect(evaluation.states[0].health == .err)
    }

    // MARK: Order

    @Test func rulesThatReadEarlierOnesAreRecognised() throws {
        let group = try RuleFixture.group(
            """
            groups:
            - name: g
              rules:
              - {record: a, expr: x}
              - {record: b, expr: x}
              - {record: c, expr: 'sum(rate(b[5m]))'}
              - {record: d, expr: '{job="x"}'}
              - {alert: E, expr: x}
              - {alert: F, expr: x, annotations: {t: '{{ query "x" }}'}}
              - {record: g, expr: count(ALERTS)}
            """)
        #expect(
            GroupEvaluation.dependencies(of: group.rules) == [false, false, true, true, false, true, true])
    }
}
