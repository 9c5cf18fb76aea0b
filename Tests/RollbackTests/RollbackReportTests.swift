import JSON
import MetricModel
import RuleModel
import Testing

@testable import Rollback

/// Reports and incidents of rollbacks that went well, badly, and over text that came from outside.
@Suite struct RollbackReportTests {
    private func at(_ milliseconds: Int64) -> Instant {
        Instant(nanoseconds: 1_800_000_000_000_000_000 + milliseconds * 1_000_000)
    }

    private func trip(expression: String = "compliance") -> Trip {
        let definition = RollbackDefinition(
            name: "ComplianceLow", expression: expression, trip: .init(.less, 0.95),
            action: .init(plan: "p", service: "a"))
        let measurement = RollbackMeasurement(
            rule: "f;g;ComplianceLow", ruleHash: "c0ffee", definition: definition, time: Timestamp(milliseconds: 2000),
            elements: [])
        let samples = [(1000, 0.5), (2000, 0.25)].map { EvidenceSample(time: .init(milliseconds: $0), value: $1) }
        return Trip(of: measurement, labels: ["service": "a"], samples: samples)
    }

    private func record(
        _ causes: [RollbackRecord.Cause], isolated: String = "isolated",
        verdict: RollbackRecord.Verdict? = .init(
            isValid: true, detail: "stable healthy")
    ) -> RollbackRecord {
        var record = RollbackRecord(id: "p-1-1", generation: 1, number: 1, causes: causes, services: ["b", "a"])
        record.add("violated", nil, "", at: at(0))
        record.add("decided", nil, "", at: at(2))
        record.add("shifted", "b", "acknowledged", at: at(5))
        record.add("verified", "b", "read back 100/0", at: at(7))
        record.add("shifted", "a", "acknowledged", at: at(9))
        record.add("verified", "a", "read back 100/0", at: at(12))
        record.add("isolated", "a", isolated, at: at(15))
        record.verdict = verdict
        return record
    }

    @Test("the Markdown has rule, hash, values, threshold, and each step's time since the violation")
    func markdown() {
        let text = RollbackReport(plan: "p", epoch: 1, rollback: record([.trip(trip())])).markdown
        #expect(text.contains("Plan p, generation 1: **completed and validated**."))
        #expect(text.contains("rule `f;g;ComplianceLow`, SHA-256 `c0ffee`"))
        #expect(
            text.contains("  - `compliance` < 0.95, element `{service=\"a\"}`\n  - 1970-01-01T00:00:01Z: 0.5\n"))
        #expect(text.contains("  - 1970-01-01T00:00:02Z: 0.25\n"))
        #expect(text.contains("| 12 | 2027-01-15T08:00:00.012Z | verified | a | read back 100/0 |\n"))
    }

    @Test("a rollback that was only stored is not called completed")
    func stored() {
        let verdict = RollbackRecord.Verdict(isValid: true, detail: "stored", isOnlyStored: true)
        let report = RollbackReport(plan: "p", epoch: 1, rollback: record([.trip(trip())], verdict: verdict))
        #expect(report.markdown.contains("**stored, effect unknown**"))
        #expect(!report.markdown.contains("completed"))
        #expect(report.json["effect"]?.text == "unknown")
    }

    @Test(
        "readings that are only stored make a rollback one, unless the candidate's counter stands still",
        arguments: [
            (ReadingGrade.effective, nil, false), (.stored, nil, true), (.stored, 7, false),
        ] as [(ReadingGrade, UInt64?, Bool)])
    func grades(grade: ReadingGrade, requests: UInt64?, isOnlyStored: Bool) throws {
        let text = """
            plan: p
            stages: [50, 100]
            bake: 1h
            validation: {rounds: 2, interval: 1s}
            services: [{name: a, routes: [{exec: {shift: [s], read: [r]}}]}]
            """
        var bench = ControllerBench(try RolloutPlan(parsing: text, file: "p.yml"))
        bench.routers["a"]?.grade = grade
        bench.routers["a"]?.candidateRequests = requests
        bench.command(.start)
        bench.command(.abort)
        bench.run(for: .minutes(1))
        let verdict = try #require(bench.reports.first?.rollback.verdict)
        #expect(verdict.isValid)
        #expect(verdict.isOnlyStored == isOnlyStored)
        #expect(verdict.detail.contains("effect unknown: a: exec") == isOnlyStored)
        try bench.restart()
        #expect(bench.state.rollback?.verdict == verdict)
    }

    @Test("external text begins no line and ends no cell")
    func escaping() {
        let evil = "up\n# All is well\n| forged | row |"
        let command = RollbackRecord.Cause.command(by: "eve", reason: evil)
        let causes: [RollbackRecord.Cause] = [.trip(trip(expression: evil)), command]
        let text = RollbackReport(plan: "p", epoch: 1, rollback: record(causes, isolated: evil)).markdown
        let lines = text.split(separator: "\n")
        #expect(lines.filter { $0.hasPrefix("# ") } == ["# Rollback p-1-1"])
        #expect(!lines.contains { $0.hasPrefix("| forged") })
        #expect(text.contains("| isolated | a | up # All is well \\| forged \\| row \\| |\n"))
    }

    @Test("the JSON has milliseconds from the violation to the last service's step")
    func json() {
        let json = RollbackReport(plan: "p", epoch: 3, rollback: record([.trip(trip())])).json
        #expect(json["milliseconds"] == ["decided": 2.0, "shifted": 9.0, "verified": 12.0, "isolated": 15.0])
        #expect(json["valid"] == true && json["epoch"] == 3)
        let cause = json["causes"]?.elements?.first?["trip"]
        #expect(cause?["rule_hash"] == "c0ffee" && cause?["threshold"] == "0.95")
        #expect(cause?["samples"]?.elements?.count == 2)
        #expect(json["timeline"]?.elements?.last?["ms"] == 15.0)
    }

    @Test("tasks depend on the cause, on missing confirmations and on missing isolation")
    func tasks() {
        func tasks(_ record: RollbackRecord) -> [String] { RollbackIncident(record, plan: "p").tasks }
        let usual = tasks(record([.trip(trip())]))
        #expect(usual.count == 4)
        #expect(
            usual[0] == "Find out why the candidate of b, a violated ComplianceLow, from the evidence in the report.")
        let invalid = tasks(record([.trip(trip())], verdict: .init(isValid: false, detail: "no")))
        #expect(invalid.first == "Check the services now: the rollback was not confirmed.")
        #expect(
            tasks(record([.trip(trip())], isolated: "not isolated: refused")).contains(
                "Isolate the candidate of a manually: its router did not."))
        let asked = tasks(record([.command(by: "eve", reason: ""), .promotion(service: "a", reason: "gate")]))
        #expect(
            asked.prefix(2) == [
                "Record with eve the reason for the rollback.", "Find out why a could not be promoted.",
            ])
    }
}
