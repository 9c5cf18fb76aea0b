import MetricModel
import RuleModel
import Testing

@testable import Rollback

/// A process that begins with rules which are older than its record: they are not synced, and the record is.
struct StoredRuleTests {
    private static let now = Instant(nanoseconds: 1_800_000_000_000_000_000)
    private static let definition = RollbackDefinition(
        name: "R", expression: "x", trip: .init(.less, 0.95), consecutive: 3, action: .init(plan: "p"))

    private static func measurement(_ value: Double, _ second: Int64) -> RollbackMeasurement {
        RollbackMeasurement(
            rule: "f;g;R", ruleHash: "h", definition: definition, time: (now + .seconds(second)).timestamp,
            elements: [.init(labels: ["service": "a"], value: value)])
    }

    /// A process that begins after its rule had tripped for `a`, before candidates had these weights.
    private func machine(_ phase: RolloutState.Phase, a: Int, b: Int) throws -> PlanMachine {
        let text = """
            plan: p
            stages: [10, 100]
            bake: 1h
            services:
            - {name: a, routes: [{exec: {shift: [s], read: [r]}}]}
            - {name: b, routes: [{exec: {shift: [s], read: [r]}}]}
            """
        var rule = RollbackRule(Self.definition)
        for second in -9..<(-6) { _ = rule.measured(Self.measurement(0.5, Int64(second))) }
        try #require(rule.isTripped)
        var state = RolloutState()
        (state.generation, state.phase) = (1, phase)
        for (name, weight) in [("a", a), ("b", b)] {
            var service = ServiceRollout()
            service.split = try #require(TrafficSplit(candidate: weight))
            if weight > 0 { service.progress = .baking(stage: 0, since: Self.now) }
            state.services[name] = service
        }
        var machine = PlanMachine(
            RolloutController(plan: try RolloutPlan(parsing: text, file: "p.yml"), state: state),
            rules: ["f;g;R": rule])
        _ = machine.recovered(at: Self.now)
        return machine
    }

    @Test("a trip that was over before the candidate got its traffic does not hide the next violation")
    func older() throws {
        var machine = try machine(.promoting, a: 10, b: 0)
        let obstacle = machine.controller.obstacle(at: Self.now)
        #expect(obstacle?.contains("tripped") == true, "nothing rises before it clears")
        let actions = machine.measured(Self.measurement(0.5, 1), at: Self.now + .seconds(1))
        #expect(actions.contains(.tripped))
        #expect(machine.controller.state.phase == .rollingBack)
        #expect(machine.controller.state.services["a"]?.split == .allStable)
    }

    @Test("a trip whose service has no traffic was acted on, whatever another service has")
    func actedOn() throws {
        for phase in [RolloutState.Phase.paused(reason: "R tripped"), .rolledBack] {
            var machine = try machine(phase, a: 0, b: 10)
            let before = machine.controller.state
            let actions = machine.measured(Self.measurement(0.5, 1), at: Self.now + .seconds(1))
            #expect(!actions.contains(.tripped))
            #expect(machine.controller.state.cooldownUntil == before.cooldownUntil)
        }
    }

    @Test("data that are good end it")
    func over() throws {
        var machine = try machine(.promoting, a: 10, b: 0)
        _ = machine.measured(Self.measurement(1, 1), at: Self.now + .seconds(1))
        #expect(machine.controller.freezes == [])
        #expect(machine.controller.state.phase == .promoting)
    }
}
