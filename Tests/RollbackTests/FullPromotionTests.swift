import JSON
import MetricModel
import RuleModel
import Testing

@testable import Rollback

struct FullPromotionTests {
    private static let plan = """
        plan: p
        stages: [10, 50, 100]
        bake: 1h
        settle: 1h
        gate_timeout: 30m
        validation: {rounds: 1, interval: 1s, timeout: 1m}
        hooks: [{name: h, when: before_stage, services: [c], exec: [t]}]
        services:
        - {name: a, routes: [{exec: {shift: [s], read: [r]}}]}
        - {name: b, depends: [a], gates: [{approval: go}], routes: [{exec: {shift: [s], read: [r]}}]}
        - {name: c, depends: [b], routes: [{exec: {shift: [s], read: [r]}}]}

        """

    private static let rule = RollbackDefinition(
        name: "R", expression: "x", trip: .init(.less, 0.95), consecutive: 1, cooldown: .seconds(60),
        action: .init(plan: "p", scope: .all))

    private func bench(_ text: String = plan, value: Double? = 1) throws -> MachineBench {
        let plan = try RolloutPlan(parsing: text, file: "p.yml")
        return MachineBench(plan, [(Self.rule, ["a", "b", "c"])]) { _, service, percent, _ in
            guard percent > 0, let value else { return nil }
            return .init(labels: ["service": service], value: value)
        }
    }

    @Test("a full promotion gives every candidate all traffic in order, without bakes, gates and hooks")
    func full() throws {
        var bench = try bench()
        bench.command(.start)
        bench.run(seconds: 2)
        #expect(bench.weights == [10, 0, 0])
        #expect(bench.command(.promoteFully) == .refused("a full promotion needs a reason"))
        #expect(bench.command(.promoteFully, reason: "hotfix") == .accepted)
        bench.run(seconds: 1)
        #expect(bench.weights == [100, 100, 100])
        #expect(bench.controller.state.phase.name == "promoted")
        #expect(bench.calls.isEmpty)
        let order = bench.events.filter { $0.body["step"] == "verified" }.map { "\($0.body["service"]?.text ?? "")" }
        #expect(order == ["a", "a", "b", "c"])
        let commands = bench.events.filter { $0.body["command"] == "promote fully" && $0.body["outcome"] == "accepted" }
        #expect(commands.map { $0.body["reason"] } == ["hotfix"])
    }

    @Test("a trip takes a full promotion back, and the next rollout has its stages again")
    func trips() throws {
        var bench = try bench(value: 0.5)
        bench.command(.start)
        #expect(bench.command(.promoteFully, reason: "hotfix") == .accepted)
        bench.run(seconds: 10)
        #expect(bench.weights == [0, 0, 0])
        bench.run(seconds: 120)
        bench.measure = { _, service, _, _ in .init(labels: ["service": service], value: 1) }
        bench.run(seconds: 2)
        #expect(bench.command(.start) == .accepted)
        bench.run(seconds: 2)
        #expect(bench.weights == [10, 0, 0])
    }

    @Test("a pause ends it: after resume the stages are those of the plan")
    func pauses() throws {
        var bench = try bench()
        bench.command(.start)
        bench.stable = .unhealthy("down")
        #expect(bench.command(.promoteFully, reason: "hotfix") == .accepted)
        #expect(bench.command(.promoteFully, reason: "hotfix").name == "ignored")
        bench.run(seconds: 1)
        #expect(bench.command(.pause) == .accepted)
        #expect(!bench.controller.state.isFull)
    }

    @Test("certain or several approvers cannot be passed by")
    func personal() throws {
        var bench = try bench(Self.plan.replacing("{approval: go}", with: "{approval: go, approvals: 2}"))
        bench.command(.start)
        #expect(
            bench.command(.promoteFully, reason: "hotfix")
                == .refused("the stages of b need the approval of certain or several identities"))
    }

    @Test("a crash before the shift of a full promotion is no sign of a rollback")
    func crash() throws {
        var bench = try bench()
        bench.command(.start)
        bench.run(seconds: 2)
        bench.stable = .unhealthy("down")
        #expect(bench.command(.promoteFully, reason: "hotfix") == .accepted)
        #expect(bench.controller.state.services["a"]?.progress == .shifting(stage: 2))
        #expect(bench.weights == [10, 0, 0])
        bench.stable = .healthy
        bench.restart()
        bench.run(seconds: 30)
        #expect(bench.reports.isEmpty)
        #expect(bench.weights == [100, 100, 100])
    }

    @Test("a node that takes over from a full promotion keeps the weights from before it")
    func handOver() throws {
        var bench = try bench()
        bench.command(.start)
        bench.run(seconds: 2)
        bench.stable = .unhealthy("down")
        bench.command(.promoteFully, reason: "hotfix")
        var other = RolloutController(plan: bench.controller.plan, epoch: nil)
        let record = JournalRecord(epoch: 1, number: 9, at: bench.now, step: "stage", state: bench.controller.state)
        _ = other.tookOver(record, isComplete: false, epoch: 2, at: bench.now)
        #expect(other.state.services["a"]?.split == TrafficSplit(candidate: 10))
        #expect(other.state.services["a"]?.progress == .baking(stage: 0, since: bench.now))
        #expect(other.state.phase.name == "paused")
        #expect(!other.state.isFull)
    }

    @Test("a rollout of some services leaves the others alone, and ends with those that it has")
    func some() throws {
        var bench = try bench(Self.plan.replacing("1h", with: "2s"))
        #expect(bench.command(.startOnly(services: ["x"])) == .refused("there is no service \"x\""))
        #expect(bench.command(.startOnly(services: ["b"])) == .accepted)
        bench.run(seconds: 1)
        #expect(bench.weights == [0, 10, 0])
        for _ in 0..<20 {
            bench.command(.promote)
            bench.run(seconds: 2)
        }
        #expect(bench.weights == [0, 100, 0])
        #expect(bench.controller.state.phase.name == "promoted")
        #expect(bench.command(.rollback(services: nil)) == .accepted)
        bench.run(seconds: 10)
        #expect(bench.weights == [0, 0, 0])
        let commands = bench.events.filter { $0.body["command"] == "start" && $0.body["outcome"] == "accepted" }
        #expect(commands.map { $0.body["services"]?.elements?.map(\.text) } == [["b"]])
        bench.run(seconds: 100)
        bench.command(.start)
        bench.run(seconds: 1)
        #expect(bench.weights == [10, 0, 0])
    }
}
