import JSON
import MetricModel
import RuleModel
import Testing

@testable import Rollback

/// What people read of a rollback: who was notified, in the words of the rule, and what is over.
@Suite struct RollbackMessageTests {
    private static let rule = RollbackDefinition(
        name: "Errors", expression: "errors", trip: .init(.greater, 1), severity: "high",
        missing: .init(policy: .alert), action: .init(plan: "p", service: "a"), labels: ["team": "shop"],
        annotations: ["summary": "{{ $labels.service }} fails"])

    private func bench(
        _ measure: @escaping (String, String, Int, Instant?) -> RollbackMeasurement.Element?
    ) throws -> MachineBench {
        let plan = try RolloutPlan(
            parsing: """
                plan: p
                stages: [10, 100]
                bake: 1h
                reconcile: 1h
                validation: {rounds: 1, interval: 1s, timeout: 10s}
                services:
                - {name: a, routes: [{exec: {shift: [s], read: [r]}}]}
                """, file: "plan.yml")
        return MachineBench(plan, [(Self.rule, ["a"])], measure: measure)
    }

    private static func element(_ value: Double) -> RollbackMeasurement.Element {
        var element = RollbackMeasurement.Element(labels: ["service": "a"], value: value)
        if value > 1 { element.annotations = ["summary": "a fails"] }
        return element
    }

    @Test("only what a receiver has accepted is called notified, also after the end")
    func notified() throws {
        var bench = try bench { _, _, percent, _ in percent > 0 ? Self.element(5) : Self.element(0) }
        bench.command(.start)
        bench.run(seconds: 30)
        let report = try #require(bench.reports.first)
        #expect(report.rollback.timeline.map(\.step).contains("announced"))
        #expect(!report.rollback.timeline.map(\.step).contains("notified"))
        #expect(report.markdown.contains("Notified: no receiver has accepted a message yet."))
        let now = bench.now
        for receiver in ["oncall (webhook)", "oncall (webhook)", "mail (email)"] {
            bench.step { machine in
                machine.step(at: now) { $0.notified(of: report.rollback.id, by: receiver, at: now) }
            }
        }
        bench.step { machine in machine.step(at: now) { $0.notified(of: "p-7-7", by: "other", at: now) } }
        let record = try #require(bench.controller.state.rollback)
        #expect(record.timeline.filter { $0.step == "notified" }.map(\.detail) == ["oncall (webhook)", "mail (email)"])
        let later = RollbackReport(plan: "p", epoch: 1, rollback: record)
        #expect(later.markdown.contains("Notified: oncall (webhook), mail (email)."))
    }

    @Test("the labels and annotations of the rule are in its trip, also after a restart, and in the incident")
    func annotations() throws {
        var bench = try bench { _, _, percent, _ in percent > 0 ? Self.element(5) : Self.element(0) }
        bench.command(.start)
        bench.run(seconds: 3)
        let record = try #require(bench.controller.state.rollback.flatMap { RollbackRecord($0.json) })
        let incident = RollbackIncident(record, plan: "p")
        #expect(incident.labels == ["team": "shop"])
        #expect(incident.annotations == ["summary": "a fails"])
        #expect(incident.severity == "high")
        #expect(incident.expression == "errors")
    }

    @Test("what has tripped is an alert with the labels of the element and of the rule")
    func alerts() throws {
        var bench = try bench { _, _, percent, _ in percent > 0 ? Self.element(5) : nil }
        bench.command(.start)
        bench.run(seconds: 3)
        let alert = try #require(bench.machine.rules["f;g;Errors"]?.alerts.first)
        #expect(
            alert.labels == ["alertname": "Errors", "service": "a", "severity": "high", "team": "shop"])
        #expect(alert.annotations == ["summary": "a fails"])
        #expect(alert.value == 5 && alert.state == .firing)
    }

    @Test(
        "a page about missing data has the severity of its rule, and is taken back with the data, or with the traffic")
    func missing() throws {
        for isBack in [true, false] {
            var (bench, isSilent) = (try bench { _, _, _, _ in Self.element(0) }, false)
            bench.command(.start)
            bench.run(seconds: 15)
            isSilent = true
            bench.measure = { _, _, _, _ in isSilent ? nil : Self.element(0) }
            bench.run(seconds: 15)
            let page = try #require(bench.notices.last)
            #expect(page.kind == .page && page.severity == "high")
            if isBack { isSilent = false } else { bench.command(.abort) }
            bench.run(seconds: 15)
            let over = bench.notices.filter { $0.kind == .over }
            #expect(over.map(\.key) == [page.key])
            #expect(over.map(\.severity) == ["high"])
        }
    }

    @Test("orders are recorded in words")
    func orders() throws {
        var bench = try bench { _, _, _, _ in nil }
        bench.command(.resume)
        bench.command(.start)
        bench.command(.rollback(services: ["a"]))
        let bodies = bench.events.map(\.body).filter { $0["step"]?.text == "command" }
        #expect(bodies.map { $0["command"]?.text } == ["resume", "start", "rollback"])
        #expect(bodies.map { $0["outcome"]?.text } == ["refused", "accepted", "accepted"])
        #expect(bodies[0]["detail"]?.text == "nothing is paused")
        #expect(bodies[2]["services"]?.elements?.compactMap(\.text) == ["a"])
    }
}
