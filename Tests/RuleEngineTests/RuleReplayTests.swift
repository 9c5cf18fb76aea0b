import MetricModel
import MetricStore
import PromQL
import RuleModel
import Testing

@testable import RuleEngine

@Suite struct RuleReplayTests {
    private let fixture: RuleFixture
    private let up: Labels = ["__name__": "up", "job": "a"]

    init() throws {
        fixture = try RuleFixture()
    }

    /// `time: values` of each measurement, in seconds.
    private func run(_ text: String, named name: String? = nil, from: Int64, through: Int64) throws -> [String] {
        let replay = RuleReplay(
            try RuleFixture.groups(text), named: name, engine: QueryEngine(), settings: RuleSettings())
        var measured: [String] = []
        try replay.run(
            from: Timestamp(milliseconds: from * 1000), through: Timestamp(milliseconds: through * 1000),
            source: fixture.store
        ) { measurement in
            let values = measurement.elements.map { FloatText.general($0.value) }.joined(separator: ",")
            measured.append("\(measurement.definition.name) \(measurement.time.milliseconds / 1000): \(values)")
        }
        return measured
    }

    private func group(_ fields: String) -> String {
        "groups: [{name: g, interval: 30s, rules: [{rollback: R, expr: up, trip: '< 1', action: {plan: p}, \(fields)}]}]"
    }

    @Test func aRuleOnTheClockIsMeasuredAtThePhaseOfTheLiveService() throws {
        for second in stride(from: Int64(0), through: 300, by: 10) {
            try fixture.scrape(second, [(up, Double(second))])
        }
        var schedule = GroupSchedule(
            key: "r.yml;g", interval: .seconds(30), trigger: .interval, now: Timestamp(milliseconds: 99_999))
        var expected: [String] = []
        while schedule.due <= Timestamp(milliseconds: 200_000) {
            let time = schedule.due.milliseconds / 1000
            expected.append("R \(time): \(time / 10 * 10)")
            _ = schedule.next(at: schedule.due)
            schedule.finished()
        }
        #expect(expected.count >= 3)
        #expect(try run(group(""), from: 100, through: 200) == expected)
    }

    @Test func anImmediateRuleIsMeasuredAtEachStoredSampleAndOnTheClockInAGap() throws {
        for second in [100, 107, 114, 290] as [Int64] { try fixture.scrape(second, [(up, Double(second))]) }
        let measured = try run(group("immediate: true"), from: 100, through: 300)
        #expect(measured.prefix(3) == ["R 100: 100", "R 107: 107", "R 114: 114"])
        // The gap from 114 to 290 has at least five intervals of 30 s.
        #expect((8...10).contains(measured.count))
        #expect(measured.contains("R 290: 290"))
    }

    @Test func samplesHoursApartAreAllFound() throws {
        let seconds = stride(from: Int64(0), through: 5 * 3600, by: 1800).map { $0 }
        for second in seconds { try fixture.scrape(second, [(up, 7)]) }
        let measured = try run(group("immediate: true"), from: 0, through: 5 * 3600)
        for second in seconds { #expect(measured.contains("R \(second): 7")) }
    }

    @Test func whatIsNotStoredIsAnEmptyMeasurement() throws {
        try fixture.scrape(0, [(up, 1)])
        let measured = try run(group(""), from: 400, through: 500)
        #expect(measured.count >= 3)
        #expect(measured.allSatisfy { $0.hasSuffix(": ") })
    }

    @Test func onlyRollbackRulesOfTheNameAreMeasured() throws {
        try fixture.scrape(0, [(up, 1)])
        let text = """
            groups:
            - name: g
              interval: 10s
              rules:
              - {record: x, expr: up}
              - {rollback: A, expr: up, trip: '< 1', action: {plan: p}}
              - {rollback: B, expr: up, trip: '< 1', action: {plan: p}}
            """
        let measured = try run(text, named: "B", from: 0, through: 9)
        #expect(measured.map { $0.prefix(1) } == ["B"])
        #expect(try fixture.samples("x").isEmpty)
    }
}
