import Glibc
import JSON
import MetricModel
import MetricStore
import Runtime
import TestSupport
import Testing

/// `tribune replay` and `tribune export-rules`, as a user runs them.
@Suite struct ReplayTests {
    private let directory = TemporaryDirectory()

    init() throws {
        directory.write("prometheus_config: prometheus.yml\nplans: [plan.yml]\n", to: "tribune.yml")
        directory.write("rule_files: [rules.yml]\n", to: "prometheus.yml")
        directory.write(
            """
            plan: p
            services:
            - {name: db, stages: [100], routes: [{exec: {shift: [s], read: [r]}}]}
            - {name: web, depends: [db], stages: [100], routes: [{exec: {shift: [s], read: [r]}}]}
            """, to: "plan.yml")
        directory.write(
            """
            groups:
            - name: g
              interval: 10s
              rules:
              - rollback: Low
                expr: quality
                trip: "< 0.95"
                consecutive: 2
                immediate: true
                action: {plan: p, scope: service+dependents}
            """, to: "rules.yml")
        let store = try store()
        let lane = try store.openLane("scrape")
        let slot = try lane.slot(for: ["__name__": "quality", "service": "db"])
        for (index, value) in [1, 1, 0.5, 0.4, 1].enumerated() {
            var row = lane.beginAppend(at: Timestamp(milliseconds: 1_000_000_000_000 + Int64(index) * 10_000))
            row.append(slot, value)
            try row.commit()
        }
        store.close()
    }

    private func store() throws -> MetricStore {
        mkdir(directory.file("data"), 0o755)
        return try MetricStore(StoreConfiguration(directory: directory.file("data/samples")), registry: nil)
    }

    private func replay(_ more: String...) throws -> TribuneProgram.Result {
        try TribuneProgram.run(
            [
                "replay", "--config.file", directory.file("tribune.yml"), "--storage.path", directory.file("data"),
                "--from", "2001-09-09T00:00:00Z", "--to", "1000003600",
            ] + more)
    }

    @Test func rulesOfAnotherFileAreTriedOnTheSamePast() throws {
        let rules = directory.write(
            """
            groups:
            - name: g
              interval: 10s
              rules:
              - {rollback: Stricter, expr: quality, trip: "< 0.6", immediate: true, action: {plan: p, scope: all}}
              - {rollback: Elsewhere, expr: quality, trip: "< 0.1", action: {plan: q}}
            """, to: "new.yml")
        let result = try replay("--rules", rules)
        #expect(result.exit == .code(0))
        #expect(result.output.contains("Stricter"), "\(result.output)")
        #expect(result.output.contains("would have rolled back web, db"))
        #expect(!result.output.contains("Low"))
        #expect(result.errors.contains("the plan q is not loaded"))
        directory.write("groups: [{name: g, rules: [{rollback: X, expr: quality, trp: 1}]}]", to: "bad.yml")
        let refused = try replay("--rules", directory.file("bad.yml"))
        #expect(refused.exit == .code(1))
        #expect(refused.errors.contains("bad.yml:1:"), "\(refused.errors)")
        #expect(refused.errors.contains("trp"))
    }

    @Test func aTripIsOneLineWithWhenWhyAndWhat() throws {
        let result = try replay()
        #expect(result.exit == .code(0))
        #expect(
            result.output.contains(
                "2001-09-09T01:47:10Z Low{service=\"db\"} [0.5, 0.4] < 0.95: plan p: would have rolled back web, db; "
                    + "cooldown until 2001-09-09T02:02:10Z; healthy again 2001-09-09T01:47:20Z\n"), "\(result.output)")
    }

    @Test func theSameComesAsJSON() throws {
        let result = try JSON(parsing: try replay("--json").output)
        #expect(result["trips"]?.elements?.count == 1)
        #expect(result["trips"]?.elements?.first?["services"] == ["web", "db"])
    }

    @Test func aStoreInUseIsOneClearLine() throws {
        let held = try store()
        let result = try replay()
        #expect(result.exit == .code(1))
        #expect(result.errors.contains("a server uses"))
        #expect(result.errors.split(separator: "\n").count == 1)
        held.close()
    }

    @Test func anUnknownRuleOrAnEmptyTimeIsTold() throws {
        #expect(try replay("--rule", "Nope").errors.contains("no rollback rule named Nope"))
        #expect(try replay("--from", "1000003000").errors.contains("no samples are stored"))
    }

    @Test func exportedRulesArePrinted() throws {
        let result = try TribuneProgram.run(["export-rules", directory.file("rules.yml")])
        #expect(result.exit == .code(0))
        #expect(result.output.contains("expr: \"(quality) < 0.95\"\n    for: 10s\n"))
    }
}
