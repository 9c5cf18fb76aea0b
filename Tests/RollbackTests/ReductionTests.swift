import JSON
import MetricModel
import RuleModel
import Testing

@testable import Rollback

/// Rules with `reduce_to`: a trip lowers the candidate, and promotion goes up again when the rule is healthy.
@Suite struct ReductionTests {
    private static let plan = """
        plan: p
        stages: [10, 50, 100]
        bake: 5s
        settle: 0s
        reconcile: 1h
        SETTINGS
        services:
        - {name: a, routes: [{exec: {shift: [s], read: [r]}}]}
        - {name: b, depends: [a], routes: [{exec: {shift: [s], read: [r]}}]}
        """

    /// A bench whose rule is violated for `a` while its candidate has more than `capacity` percent.
    private func bench(_ share: Int = 20, capacity: Int = 40, settings: String = "retain_stable: 1h") throws
        -> MachineBench
    {
        let text = Self.plan.split(separator: "SETTINGS").joined(separator: settings)
        let rule = RollbackDefinition(
            name: "Slow", expression: "x", trip: .init(.less, 0.95), severity: "high", cooldown: .seconds(30),
            action: .init(plan: "p", service: "a", reduceTo: share))
        return MachineBench(try RolloutPlan(parsing: text, file: "plan.yml"), [(rule, ["a"])]) {
            _, service, percent, _ in
            service == "a" ? .init(labels: ["service": "a"], value: percent > capacity ? 0.5 : 1) : nil
        }
    }

    private func pages(_ bench: MachineBench, _ kind: RollbackNotice.Kind = .page) -> [String] {
        bench.notices.filter { $0.kind == kind }.map(\.text)
    }

    @Test("a trip lowers the candidate instead of a rollback, and it goes up again after the cooldown")
    func goesUpAgain() throws {
        var capacity = 40
        var bench = try bench()
        bench.measure = { _, service, percent, _ in
            service == "a" ? .init(labels: ["service": "a"], value: percent > capacity ? 0.5 : 1) : nil
        }
        bench.command(.start)
        bench.run(seconds: 7)
        #expect(bench.live["a"] == 20, "the second stage is lowered with the first measurement")
        #expect(bench.controller.state.phase == .promoting && bench.controller.state.rollback == nil)
        #expect(
            pages(bench) == [
                "plan p: Slow tripped: a is being reduced to 20 %. It goes up again when the rule is healthy and the cooldown is over"
            ])
        #expect(bench.notices.last?.severity == "high")
        let decision = bench.events.last { $0.kind == .decision && $0.body["cause"] != nil }
        #expect(decision?.body["decision"] == "reduce a to 20 %")
        bench.run(seconds: 25)
        #expect(bench.live["a"] == 20 && pages(bench, .over).isEmpty, "the cooldown holds it")
        capacity = 100
        bench.run(seconds: 60)
        #expect(bench.live == ["a": 100, "b": 100] && bench.reports.isEmpty)
        #expect(pages(bench, .over) == ["plan p: a is no longer reduced"])
    }

    @Test("below the first stage there is no hook to wait for, and the first stage begins again with its own")
    func belowTheFirstStage() throws {
        let hooks = "hooks: [{name: load, when: after_stage, exec: [t]}, {name: smoke, when: before_stage, exec: [t]}]"
        var capacity = 8
        var bench = try bench(5, settings: hooks)
        bench.measure = { _, service, percent, _ in
            service == "a" ? .init(labels: ["service": "a"], value: percent > capacity ? 0.5 : 1) : nil
        }
        var answered = 0
        func run(_ bench: inout MachineBench, seconds: Int) {
            for _ in 0..<seconds {
                bench.run(seconds: 1)
                while bench.calls.count > answered {
                    answered += 1
                    bench.answer(bench.calls[answered - 1], .pass)
                }
            }
        }
        bench.command(.start)
        run(&bench, seconds: 10)
        #expect(bench.live["a"] == 5 && bench.controller.state.phase == .promoting)
        capacity = 100
        run(&bench, seconds: 90)
        #expect(bench.live == ["a": 100, "b": 100])
        let keys = bench.calls.map { String($0.key.dropFirst(4)) }
        #expect(Array(keys.prefix(3)) == ["before_stage/a/1/smoke", "before_stage/a/1/smoke", "after_stage/a/1/load"])
        #expect(bench.calls.allSatisfy { $0.json["candidate"]?.integer ?? 0 > 0 })
    }

    @Test("a candidate that has no more than the share keeps it; promotion stops until the rule is healthy")
    func hasLess() throws {
        var bench = try bench(20, capacity: 5)
        bench.command(.start)
        bench.run(seconds: 40)
        #expect(bench.live["a"] == 10 && bench.controller.state.rollback == nil && pages(bench).count == 1)
        #expect(pages(bench)[0].hasPrefix("plan p: promotion stands still: held back by Slow"))
        let decision = bench.events.first { $0.kind == .decision && $0.body["cause"] != nil }
        #expect(decision?.body["decision"] == "a at most at 20 % already, promotion stops")
    }

    @Test("promoted candidates are lowered too, and stay lowered in a paused rollout, also for another process")
    func promoted() throws {
        var capacity = 100
        var bench = try bench()
        bench.measure = { _, service, percent, _ in
            service == "a" ? .init(labels: ["service": "a"], value: percent > capacity ? 0.5 : 1) : nil
        }
        bench.command(.start)
        bench.run(seconds: 60)
        guard case .promoted = bench.controller.state.phase else {
            Issue.record("not promoted")
            return
        }
        capacity = 40
        bench.run(seconds: 1)
        #expect(bench.live == ["a": 20, "b": 100] && bench.controller.state.phase == .promoting)
        #expect(bench.command(.pause) == .accepted)
        capacity = 100
        bench.restart()
        bench.run(seconds: 120)
        #expect(bench.live == ["a": 20, "b": 100])
        #expect(bench.command(.resume) == .accepted)
        bench.run(seconds: 60)
        #expect(bench.live == ["a": 100, "b": 100])
    }

    @Test("an unhealthy stable version gets no traffic by it, and somebody is paged")
    func unhealthyStable() throws {
        var bench = try bench()
        bench.command(.start)
        bench.run(seconds: 4)
        bench.stable = .unhealthy("down")
        bench.live["a"] = 50
        bench.run(seconds: 20)
        #expect((bench.live["a"] ?? 0) > 20)
        #expect(pages(bench).contains { $0.contains("the stable version is not verified healthy: down") })
        bench.stable = .healthy
        bench.run(seconds: 20)
        #expect(bench.live["a"] == 20)
    }

    @Test("a service that cannot go back is not lowered")
    func irreversible() throws {
        var bench = try bench(settings: "reversible_until: 10")
        bench.command(.start)
        bench.run(seconds: 40)
        #expect(bench.live["a"] == 50)
        #expect(pages(bench).contains { $0.contains("cannot go back") })
    }

    @Test("a rule that rolls back is not stopped by one that reduces")
    func rollback() throws {
        var bench = try bench()
        bench.command(.start)
        bench.run(seconds: 7)
        #expect(bench.live["a"] == 20)
        #expect(bench.command(.rollback(services: nil)) == .accepted)
        bench.run(seconds: 20)
        #expect(bench.weights == [0, 0] && bench.controller.state.phase == .rolledBack)
        #expect(pages(bench, .over) == ["plan p: a is no longer reduced"])
    }

    @Test("the share is part of the record of a trip")
    func record() throws {
        var measurement = RollbackMeasurement(
            rule: "f;g;R", ruleHash: "h",
            definition: RollbackDefinition(
                name: "R", expression: "x", trip: .init(.less, 1), action: .init(plan: "p", reduceTo: 25)),
            time: Timestamp(milliseconds: 1), elements: [])
        measurement.elements = [.init(labels: ["service": "a"], value: 0)]
        let trip = Trip(of: measurement, labels: ["service": "a"], samples: [])
        let record = RollbackRecord(id: "p-1-1", generation: 1, number: 1, causes: [.trip(trip)], services: ["a"])
        #expect(RollbackRecord(record.json) == record)
        #expect(trip.reduceTo == 25)
    }
}
