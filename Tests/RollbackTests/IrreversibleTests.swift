import MetricModel
import RuleModel
import Synchronization
import Testing

@testable import Rollback

/// Releases that cannot go back: past `reversible_until` a trip freezes and pages, and shifts nothing.
struct IrreversibleTests {
    private static func text(_ more: String = "") -> String {
        """
        plan: p
        stages: [10, 50, 100]
        bake: 20s
        settle: 0s
        reconcile: 2s
        max_concurrent: 2
        validation: {rounds: 1, interval: 1s}
        services:
        - {name: db, routes: [{exec: {shift: [s], read: [r]}}]}
        - {name: api, depends: [db], \(more) routes: [{exec: {shift: [s], read: [r]}}]}
        """
    }

    private final class Bad: Sendable {
        let names = Mutex<Set<String>>([])
    }

    private func bench(_ more: String, scope: RollbackDefinition.Action.Scope, _ bad: Bad) throws -> MachineBench {
        let rule = RollbackDefinition(
            name: "R", expression: "x", trip: .init(.less, 0.95), cooldown: .seconds(30),
            action: .init(plan: "p", scope: scope))
        return MachineBench(
            try RolloutPlan(parsing: Self.text(more), file: "p.yml"), [(rule, ["db", "api"])]
        ) { _, service, _, _ in
            let isBad = bad.names.withLock { $0.contains(service) }
            return RollbackMeasurement.Element(labels: ["service": service], value: isBad ? 0.5 : 1)
        }
    }

    private func run(_ bench: inout MachineBench, until weights: [Int]) throws {
        for _ in 0..<300 where bench.weights != weights { bench.run(seconds: 1) }
        try #require(bench.weights == weights)
    }

    @Test("up to that stage a trip takes everything back")
    func before() throws {
        let bad = Bad()
        var bench = try bench("reversible_until: 10,", scope: .serviceAndDependents, bad)
        bench.command(.start)
        try run(&bench, until: [100, 10])
        bad.names.withLock { $0 = ["db"] }
        bench.run(seconds: 10)
        #expect(bench.weights == [0, 0])
    }

    @Test("past it a trip pauses and pages, also after a restart; its dependencies stay too")
    func after() throws {
        for scope in RollbackDefinition.Action.Scope.allCases {
            let bad = Bad()
            var bench = try bench("reversible_until: 10,", scope: scope, bad)
            bench.command(.start)
            try run(&bench, until: [100, 50])
            bench.restart()
            bad.names.withLock { $0 = ["db", "api"] }
            bench.run(seconds: 60)
            #expect(bench.weights == [100, 50])
            #expect(bench.controller.state.phase.name == "paused")
            #expect(bench.reports.isEmpty)
            let pages = bench.notices.filter { $0.key.hasSuffix("/no-shift") }
            #expect(!pages.isEmpty)
            #expect(pages.allSatisfy { $0.text.contains("past the stage of reversible_until") })
            #expect(pages.contains { $0.text.contains("api 50/50") })
        }
    }

    @Test("orders to take it back are refused, until the plan does not say so any more")
    func orders() throws {
        var bench = try bench("reversible_until: 10,", scope: .service, Bad())
        bench.command(.start)
        try run(&bench, until: [100, 50])
        for verb in [
            RolloutCommand.Verb.abort, .rollback(services: nil), .rollback(services: ["db"]),
            .restore(["api": .allStable]),
        ] {
            guard case .refused(let reason) = bench.command(verb) else {
                Issue.record("\(verb) was not refused")
                continue
            }
            #expect(reason.contains("reversible_until"))
        }
        let free = try RolloutPlan(parsing: Self.text(), file: "p.yml")
        let now = bench.now
        bench.step { machine in machine.step(at: now) { $0.planChanged(to: free, at: now).actions } }
        #expect(bench.command(.abort) == .accepted)
        bench.run(seconds: 10)
        #expect(bench.weights == [0, 0])
    }

    @Test("a new rollout begins reversible")
    func again() throws {
        var bench = try bench("reversible_until: 10,", scope: .service, Bad())
        bench.command(.start)
        try run(&bench, until: [100, 50])
        let free = try RolloutPlan(parsing: Self.text(), file: "p.yml")
        let limited = bench.controller.plan
        let now = bench.now
        bench.step { machine in machine.step(at: now) { $0.planChanged(to: free, at: now).actions } }
        bench.command(.abort)
        bench.run(seconds: 10)
        let later = bench.now
        bench.step { machine in machine.step(at: later) { $0.planChanged(to: limited, at: later).actions } }
        #expect(bench.command(.start) == .accepted)
        try run(&bench, until: [100, 10])
        #expect(bench.command(.abort) == .accepted)
    }
}
