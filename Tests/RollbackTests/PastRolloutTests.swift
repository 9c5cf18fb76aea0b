import JSON
import MetricModel
import RuleModel
import Testing

@testable import Rollback

struct PastRolloutTests {
    private static let plan = """
        plan: p
        stages: [10, 100]
        bake: 5s
        settle: 0s
        validation: {rounds: 1, interval: 1s, timeout: 1m}
        services:
        - {name: a, routes: [{exec: {shift: [s], read: [r]}}]}
        - {name: b, depends: [a], routes: [{exec: {shift: [s], read: [r]}}]}
        """

    @Test("rollouts with their orders and whole reports are read back from their events")
    func all() throws {
        var bench = MachineBench(try RolloutPlan(parsing: Self.plan, file: "p.yml"), []) { _, _, _, _ in nil }
        bench.command(.start, reason: "version 2")
        bench.run(seconds: 2)
        bench.command(.rollback(services: ["a"]), reason: "too slow")
        bench.run(seconds: 20)
        bench.command(.abort)
        bench.command(.start)
        bench.run(seconds: 40)
        #expect(bench.controller.state.phase.name == "promoted")
        bench.command(.rollback(services: nil))
        bench.run(seconds: 20)
        let events = bench.events.map { (at: $0.at, body: $0.body) }
        let rollouts = PastRollout.all(of: "p", in: events.reversed())
        #expect(rollouts.map(\.generation) == [2, 1])
        #expect(rollouts.map(\.by) == ["ops", "ops"])
        #expect(rollouts.allSatisfy { $0.began != nil })
        #expect(rollouts[0].promoted != nil)
        #expect(rollouts[1].promoted == nil)
        #expect(rollouts[1].orders.map(\.command) == ["start", "rollback"], "an order without effect is none")
        #expect(rollouts[1].orders[0].reason == "version 2")
        #expect(rollouts.reversed().flatMap(\.rollbacks).map(\.rollback) == bench.reports.map(\.rollback))
        #expect(rollouts[0].rollbacks[0].markdown == bench.reports.last?.markdown)
        #expect(rollouts[0].json["rollbacks"]?.elements?.first?["services"] == ["b", "a"])
        #expect(PastRollout.all(of: "q", in: events).isEmpty)
        #expect(rollouts[1].json["rollbacks"]?.elements?.first?["open_tasks"]?.integer == 5)
    }

    @Test("a rollback leaves five tasks for each service concerned, and changes of them are read back")
    func tasks() throws {
        var bench = MachineBench(try RolloutPlan(parsing: Self.plan, file: "p.yml"), []) { _, _, _, _ in nil }
        bench.command(.start)
        bench.run(seconds: 20)
        bench.command(.rollback(services: nil))
        bench.run(seconds: 20)
        var events = bench.events.map { (at: $0.at, body: $0.body) }
        let id = try #require(bench.reports.first?.rollback.id)
        func change(_ change: RollbackTask.Change, after seconds: Int64) {
            let body = change.body(plan: "p", generation: 1, by: "ada")
            events.append((at: bench.now + .seconds(seconds), body: body))
        }
        change(.init(rollback: id, service: "a", kind: .fix, state: .inProgress, owner: "bob"), after: 1)
        change(.init(rollback: id, service: "a", kind: .fix, state: .done, note: "see #7\n- [ ] more"), after: 2)
        change(.init(rollback: id, service: "c", kind: .fix, state: .done), after: 3)
        change(.init(rollback: "p-9-1", service: "b", kind: .fix, state: .done), after: 3)
        change(.init(rollback: id, service: "b", kind: .lessons, state: .dropped), after: 4)
        let report = try #require(PastRollout.all(of: "p", in: events.reversed()).first?.rollbacks.first)
        #expect(
            report.tasks.map { "\($0.service) \($0.kind.rawValue) \($0.state.rawValue) \($0.owner)" } == [
                "b root_cause open ", "b debugging open ", "b fix open ", "b retry_plan open ", "b lessons dropped ",
                "a root_cause open ", "a debugging open ", "a fix done bob", "a retry_plan open ", "a lessons open ",
            ])
        let fix = report.tasks[7]
        #expect(fix.changedBy == "ada" && fix.changedAt == bench.now + .seconds(2))
        #expect(fix.json["state"] == "done" && fix.json["note"] == "see #7\n- [ ] more")
        #expect(
            report.markdown.contains(
                "\n- [x] Fix a and test the fix. (`fix`, done, owner: bob): see #7 - [ ] more\n"))
        #expect(report.markdown.contains("\n- [ ] Plan the next rollout of a. (`retry_plan`, open, owner: nobody)\n"))
    }

    @Test("tasks are those of the services that violated, and of all where nobody did")
    func services() {
        func rollback(_ causes: [RollbackRecord.Cause]) -> [String] {
            let record = RollbackRecord(id: "p-1-1", generation: 1, number: 1, causes: causes, services: ["b", "a"])
            let tasks = RollbackTask.all(of: record)
            #expect(tasks.count % RollbackTask.Kind.allCases.count == 0 && tasks.allSatisfy { $0.state == .open })
            return tasks.filter { $0.kind == .rootCause }.map(\.service)
        }
        func trip(_ labels: Labels) -> RollbackRecord.Cause {
            let definition = RollbackDefinition(
                name: "R", expression: "x", trip: .init(.less, 1), action: .init(plan: "p", scope: .all))
            let measurement = RollbackMeasurement(
                rule: "f;g;R", ruleHash: "h", definition: definition, time: Timestamp(milliseconds: 1), elements: [])
            return .trip(Trip(of: measurement, labels: labels, samples: []))
        }
        let order = RollbackRecord.Cause.command(by: "ada", reason: "")
        #expect(rollback([trip(["service": "a"])]) == ["a"])
        #expect(rollback([order, trip(["service": "a"]), trip(["service": "elsewhere"])]) == ["a"])
        #expect(rollback([trip([:])]) == ["b", "a"])
        #expect(rollback([.promotion(service: "b", reason: "closed")]) == ["b"])
        #expect(rollback([order]) == ["b", "a"])
    }
}
