import JSON
import MetricModel
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
    }
}
