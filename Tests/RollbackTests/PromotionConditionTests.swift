import MetricModel
import RuleModel
import Testing

@testable import Rollback

/// The conditions of a plan for giving a candidate more traffic, each alone.
@Suite struct PromotionConditionTests {
    private static func plan(_ settings: [String], _ services: [String]) throws -> RolloutPlan {
        let head = ["plan: p", "bake: 2s", "settle: 0s", "gate_timeout: 60s", "reconcile: 1h"]
        let lines = services.map { "- {\($0), routes: [{exec: {shift: [s], read: [r]}}]}" }
        return try RolloutPlan(
            parsing: (settings + head.filter { line in !settings.contains { $0.hasPrefix(line.prefix(5)) } }
                + ["services:"] + lines).joined(separator: "\n"), file: "plan.yml")
    }

    private func started(_ settings: [String], _ services: [String]) throws -> ControllerBench {
        var bench = ControllerBench(try Self.plan(settings, services))
        #expect(bench.command(.start) == .accepted)
        return bench
    }

    @Test("a gate on a rule stays closed until the rule is measured healthy in this rollout")
    func ruleGate() throws {
        var bench = ControllerBench(try Self.plan(["stages: [50, 100]"], ["name: a, gates: [{rule: R}]"]))
        bench.measured("R", isViolated: false)
        #expect(bench.command(.start) == .accepted)
        bench.run(for: .seconds(20))
        #expect(bench.live == [50], "it was measured before the start alone")
        for isViolated in [nil, true] as [Bool?] {
            bench.measured("R", isViolated: isViolated)
            bench.measured("other", isViolated: false)
            bench.run(for: .seconds(10))
            #expect(bench.live == [50], "\(String(describing: isViolated))")
        }
        bench.measured("R", isViolated: false)
        bench.run(for: .seconds(10))
        #expect(bench.live == [100])
    }

    @Test("a gate on a violated rule fails the service at its timeout; a gate on a rule without measurement holds")
    func ruleGateTimeout() throws {
        for isViolated in [true, nil] as [Bool?] {
            var bench = try started(["stages: [50, 100]"], ["name: a, gates: [{rule: R}]"])
            bench.measured("R", isViolated: isViolated)
            bench.run(for: .seconds(59))
            #expect(bench.live == [50] && bench.notices == [])
            bench.run(for: .seconds(20))
            #expect(bench.live == [isViolated == true ? 0 : 50])
            let text =
                isViolated == true
                ? "a could not be promoted: gate R: violated" : "a stays at 50 %: no measurement of R for a since "
            #expect(bench.notices.contains { $0.text.contains(text) }, "\(bench.notices.map(\.text))")
        }
    }

    @Test("at most as many services are promoted at a time as the plan allows", arguments: 1...3)
    func maximumConcurrent(limit: Int) throws {
        var bench = try started(
            ["stages: [50, 100]", "max_concurrent: \(limit)"], ["name: a", "name: b", "name: c"])
        var most = 0
        for _ in 0..<40 {
            let moving = bench.progress.filter { $0 != "waiting" && $0 != "promoted" }.count
            #expect(moving <= limit)
            most = max(most, moving)
            bench.run(for: .milliseconds(500))
        }
        #expect(most == limit)
        #expect(bench.live == [100, 100, 100])
    }

    @Test("one service at a time by default")
    func oneAtATime() throws {
        let bench = try started(["stages: [50, 100]"], ["name: a", "name: b"])
        #expect(bench.live == [50, 0])
    }

    @Test("the next level waits for the settle time, counted from the last promotion, to the millisecond")
    func settle() throws {
        var bench = try started(
            ["stages: [100]", "settle: 30s", "max_concurrent: 2"], ["name: a", "name: b, depends: [a]"])
        bench.run(for: .seconds(2))
        #expect(bench.progress == ["promoted", "waiting"])
        bench.run(for: .milliseconds(29_999))
        #expect(bench.live == [100, 0])
        bench.run(for: .milliseconds(1))
        #expect(bench.live == [100, 100])
    }

    @Test("by default four of five of a level are enough for the next one, three are not")
    func successRatio() throws {
        for failing in 1...2 {
            let level = ["a", "b", "c", "d", "e"].enumerated().map { index, name in
                "name: \(name)" + (index >= 5 - failing ? ", gates: [{approval: go}]" : "")
            }
            var bench = try started(
                ["stages: [100]", "max_concurrent: 5", "validation: {rounds: 1, interval: 1s, timeout: 10s}"],
                level + ["name: f, depends: [a]"])
            bench.run(for: .minutes(5))
            #expect(bench.progress.prefix(5).filter { $0 == "rolled_back" }.count == failing)
            if failing == 1 {
                #expect(bench.progress.last == "promoted")
            } else {
                #expect(bench.progress.last == "waiting")
                let reason = "only 3 of 5 services of the level a, b, c, d, e were promoted"
                #expect(bench.state.phase == .paused(reason: reason))
            }
        }
    }

    @Test("a rule of freeze_if stops promotion unless it was measured healthy, also between the check and the shift")
    func freezeIf() throws {
        var bench = try started(["stages: [10, 50, 100]", "freeze_if: [R]"], ["name: a"])
        bench.run(for: .minutes(1))
        #expect(bench.live == [0], "not measured yet")
        bench.measured("R", isViolated: false)
        #expect(bench.live == [10])
        for isViolated in [nil, true] as [Bool?] {
            bench.measured("R", isViolated: isViolated)
            bench.run(for: .minutes(1))
            #expect(bench.live == [10], "\(String(describing: isViolated))")
        }
        bench.silent = ["a"]
        bench.measured("R", isViolated: false)
        #expect(bench.asked.last == "a inspect", "about to go on")
        bench.measured("R", isViolated: true)
        bench.silent = []
        bench.answer()
        #expect(bench.live == [10])
        bench.measured("R", isViolated: false)
        bench.run(for: .minutes(1))
        #expect(bench.live == [100])
    }

    @Test("the stable version is retained as long as the plan specifies; then no rollback is possible")
    func retainStable() throws {
        var bench = try started(["stages: [100]", "retain_stable: 10m"], ["name: a"])
        bench.run(for: .seconds(2))
        guard case .promoted = bench.state.phase else {
            Issue.record("phase \(bench.state.phase)")
            return
        }
        bench.run(for: .milliseconds(599_999))
        var other = bench
        #expect(other.command(.rollback(services: nil)) == .accepted)
        #expect(other.live == [0])
        bench.run(for: .milliseconds(1))
        #expect(bench.state.phase == .retired)
        #expect(bench.command(.rollback(services: nil)) == .refused("the stable version is no longer retained"))
    }

    @Test(
        "a rollback is not valid while nobody can tell, or somebody denies, that the stable version is healthy",
        arguments: [TargetHealth.unknown("no check is configured"), .unhealthy("503")])
    func validation(health: TargetHealth) throws {
        var bench = try started(
            ["stages: [100]", "validation: {rounds: 2, interval: 1s, timeout: 10s}"], ["name: a"])
        bench.stableAfterShift = health
        bench.command(.abort)
        bench.run(for: .minutes(1))
        #expect(bench.live == [0])
        let verdict = bench.reports.first?.rollback.verdict
        #expect(verdict?.isValid == false)
        #expect(verdict?.detail.hasPrefix("a: the stable version is not verified healthy") == true)
    }

    /// A trip that means `service`, which is forgotten ten minutes later.
    private func trip(_ service: String, at now: Instant) -> Trip {
        let definition = RollbackDefinition(
            name: "R", expression: "x", trip: .init(.less, 1), cooldown: .minutes(10),
            action: .init(plan: "p", service: service))
        let measurement = RollbackMeasurement(
            rule: "f;g;R", ruleHash: "h", definition: definition, time: now.timestamp, elements: [])
        return Trip(of: measurement, labels: ["service": service], samples: [])
    }

    @Test("a trip during the rollback of a failed service lets no other service begin before its cooldown")
    func cooldown() throws {
        var bench = try started(
            ["stages: [100]", "success_ratio: 0.5", "validation: {rounds: 1, interval: 1s, timeout: 10s}"],
            ["name: a, gates: [{approval: go}]", "name: b"])
        bench.run(for: .seconds(30))
        bench.silent = ["a"]
        bench.run(for: .seconds(33))
        #expect(bench.progress == ["rolling_back", "waiting"])
        let end = bench.now + .minutes(10)
        bench.step { $0.tripped(trip("b", at: $1), at: $1) }
        bench.silent = []
        bench.answer()
        bench.run(for: .seconds(30))
        #expect(bench.progress == ["rolled_back", "waiting"])
        #expect(bench.state.phase == .promoting && bench.state.cooldownUntil == end)
        #expect(bench.controller.obstacle(at: bench.now) == "cooldown")
        bench.run(for: .seconds(569))
        #expect(bench.live == [0, 0])
        bench.run(for: .seconds(1))
        #expect(bench.live == [0, 100])
    }

    @Test("a trip before a service begins pauses, and a resume is refused until the cooldown is over")
    func resume() throws {
        var bench = try started(["stages: [100]"], ["name: a", "name: b"])
        bench.step { $0.tripped(trip("b", at: $1), at: $1) }
        bench.run(for: .milliseconds(599_999))
        #expect(bench.command(.resume) == .refused("a trip forbids promotion until its cooldown is over"))
        bench.run(for: .milliseconds(1))
        #expect(bench.command(.resume) == .accepted)
    }
}
