import MetricModel
import RollbackSimulation
import RuleModel
import Testing

@testable import Rollback

/// Going back to a checkpoint, in the simulated world that checks every invariant of a rollback at each step.
@Suite struct RestoreTests {
    private let plan: RolloutPlan

    init() throws {
        plan = try RolloutPlan(parsing: Shape.diamond, file: "sim.yml")
    }

    private func promoted() -> World {
        var world = World(calm: plan)
        world.command(.start)
        world.run(for: .minutes(2))
        return world
    }

    private func live(_ world: World) -> [Int?] {
        plan.services.map { world.routers[RouteID($0.name, 0)]?.live?.candidate }
    }

    private func splits(_ weights: [String: Int]) -> [String: TrafficSplit] {
        weights.compactMapValues { TrafficSplit(candidate: $0) }
    }

    @Test("candidates with more traffic than at the checkpoint are rolled back completely, in order; the others stay")
    func restore() {
        var world = promoted()
        #expect(live(world) == [100, 100, 100, 100])
        #expect(world.command(.restore(splits(["a": 100, "b": 100, "c": 0, "d": 10]))) == .accepted)
        world.run(for: .minutes(2))
        #expect(live(world) == [100, 100, 0, 0])
        #expect(world.lastState.rollback?.services == ["d", "c"])
        #expect(world.lastState.phase == .rolledBack)
        #expect(world.violations == [])
    }

    @Test("a candidate never gets more traffic by it")
    func neverRaises() {
        var world = promoted()
        #expect(world.command(.rollback(services: nil)) == .accepted)
        world.run(for: .minutes(2))
        #expect(live(world) == [0, 0, 0, 0])
        let all = splits(["a": 100, "b": 100, "c": 100, "d": 10])
        #expect(world.command(.restore(all)) == .ignored("no candidate has more traffic than at the checkpoint"))
        world.run(for: .hours(1))
        #expect(live(world) == [0, 0, 0, 0])
        #expect(world.violations == [])
    }

    @Test("an unknown service is refused, and a plan without a rollout is unchanged")
    func refusals() {
        var idle = World(calm: plan)
        #expect(idle.command(.restore(splits(["a": 0]))) == .ignored("there is no rollout"))
        var world = promoted()
        #expect(world.command(.restore(splits(["x": 0]))) == .refused("there is no service \"x\""))
    }

    @Test("with its generation, candidates are lowered to their weights and stay there until a resume")
    func exact() {
        var world = promoted()
        let then = splits(["a": 100, "b": 100, "c": 10, "d": 7])
        #expect(world.command(.restore(then, exactlyIn: 1)) == .accepted)
        world.run(for: .hours(1))
        #expect(live(world) == [100, 100, 10, 7])
        #expect(world.lastState.phase == .paused(reason: "ops: "))
        #expect(world.lastState.services["c"]?.progress.name == "baking")
        #expect(world.reports.isEmpty && world.lastState.rollback == nil)
        #expect(world.command(.resume) == .accepted)
        world.run(for: .minutes(5))
        #expect(live(world) == [100, 100, 100, 100])
        #expect(world.violations == [])
    }

    @Test("candidates without traffic are rolled back completely, before their dependencies are lowered")
    func exactAndWhole() {
        var world = promoted()
        #expect(world.command(.restore(splits(["a": 50, "b": 10, "c": 100, "d": 0]), exactlyIn: 1)) == .accepted)
        world.run(for: .minutes(5))
        #expect(live(world) == [50, 10, 100, 0])
        #expect(world.lastState.rollback?.services == ["d"])
        #expect(world.lastState.phase == .rolledBack)
        #expect(world.command(.resume) == .refused("nothing is paused"))
        #expect(world.command(.start) == .refused("the candidate of a still takes traffic: roll it back first"))
        #expect(world.violations == [])
    }

    @Test("a checkpoint of another generation does not apply to this one's candidates")
    func otherGeneration() {
        var world = promoted()
        let before = world.lastState
        let outcome = world.command(.restore(splits(["c": 10]), exactlyIn: 7))
        if case .refused(let reason) = outcome {
            #expect(reason.contains("generation 7"))
        } else {
            Issue.record("\(outcome)")
        }
        #expect(world.lastState == before)
    }

    @Test("a candidate is never raised by it, even if it was lowered further since")
    func exactNeverRaises() {
        var world = promoted()
        world.routers[RouteID("c", 0)]?.live = TrafficSplit(candidate: 3)
        #expect(world.command(.restore(splits(["c": 10, "d": 100]), exactlyIn: 1)) == .accepted)
        world.run(for: .minutes(5))
        #expect(live(world) == [100, 100, 3, 100])
        #expect(world.violations == [])
    }

    @Test("a cooldown does not delay a reduction of traffic, an unhealthy stable version does")
    func exactDuringCooldown() {
        var world = promoted()
        var trip = world.trip("d", scope: .service)
        trip.cooldown = .hours(1)
        world.step { $0.tripped(trip, at: $1) }
        world.run(for: .minutes(1))
        world.routers[RouteID("b", 0)]?.stableIsHealthy = false
        #expect(world.command(.restore(splits(["b": 10, "c": 10]), exactlyIn: 1)) == .accepted)
        world.run(for: .minutes(1))
        #expect(live(world) == [100, 100, 10, 0])
        #expect(world.lastState.services["b"]?.frozen?.contains("not verified healthy") == true)
        #expect(world.notices.filter { $0.kind == .page }.count == 1)
        world.routers[RouteID("b", 0)]?.stableIsHealthy = true
        world.run(for: .minutes(2))
        #expect(live(world) == [100, 10, 10, 0])
        #expect(world.violations == [])
    }

    @Test("a crash at any step of an exact one ends in the same state")
    func exactCrashes() {
        for countdown in 0..<40 {
            var world = promoted()
            world.crashCountdown = countdown
            world.command(.restore(splits(["a": 100, "b": 10, "c": 100, "d": 0]), exactlyIn: 1))
            world.run(for: .minutes(5))
            #expect([[100, 10, 100, 0], [100, 100, 100, 100]].contains(live(world)), "\(countdown): \(live(world))")
            let wanted = plan.services.map { world.lastState.services[$0.name]?.split.candidate }
            #expect(live(world) == wanted, "\(countdown): what was journalled is done")
            #expect(world.violations == [], "\(countdown)")
        }
    }

    @Test(
        "a process that ends in the middle of an exact one is followed by one that ends it, from what the journal holds"
    )
    func exactRestart() throws {
        var bench = try promotedBench()
        bench.silent = ["b", "c"]
        #expect(bench.command(.restore(splits(["a": 100, "b": 10, "c": 100, "d": 7]), exactlyIn: 1)) == .accepted)
        #expect(bench.live == [100, 100, 100, 7])
        try bench.restart()
        #expect(bench.asked.first == "b inspect", "\(bench.asked)")
        bench.silent = []
        try bench.restart()
        bench.run(for: .minutes(10))
        #expect(bench.live == [100, 10, 100, 7])
        #expect(bench.state.phase == .paused(reason: "ops: "))
        for name in ["b", "d"] {
            #expect(bench.state.services[name]?.isRestoring == false)
            #expect(bench.state.services[name]?.progress.name == "baking")
        }
    }

    @Test("lowering begins with dependents, and waits for dependents that are rolled back completely")
    func exactOrder() throws {
        var bench = try promotedBench()
        bench.silent = ["a", "b", "c", "d"]
        var lowered = bench
        let parts = splits(["a": 50, "b": 10, "c": 10, "d": 10])
        #expect(lowered.command(.restore(parts, exactlyIn: 1)) == .accepted)
        #expect(Array(lowered.asked.suffix(4)) == ["d inspect", "c inspect", "b inspect", "a inspect"])
        let before = bench.asked.count
        #expect(bench.command(.restore(splits(["a": 50, "b": 10, "d": 0]), exactlyIn: 1)) == .accepted)
        #expect(Set(bench.asked.dropFirst(before)) == ["d inspect", "b inspect"], "a waits for d, which depends on it")
        bench.silent = ["d"]
        bench.answer()
        #expect(bench.live == [100, 10, 100, 100], "b has nothing to do with d")
        bench.silent = []
        bench.run(for: .minutes(1))
        #expect(bench.live == [50, 10, 100, 0])
        let order = bench.asked.dropFirst(before)
        let (first, second) = (order.firstIndex(of: "d shift 0"), order.firstIndex(of: "a inspect"))
        #expect(try #require(first) < #require(second))
    }

    /// A controller alone, everything promoted.
    private func promotedBench() throws -> ControllerBench {
        var plain = plan
        for index in plain.services.indices { plain.services[index].gates = [] }
        plain.reconcile = .hours(10)
        var bench = ControllerBench(plain)
        bench.command(.start)
        bench.run(for: .minutes(2))
        try #require(bench.live == [100, 100, 100, 100])
        return bench
    }

    @Test("a crash at any step of it ends in the same state")
    func crashes() {
        for countdown in 0..<40 {
            var world = promoted()
            world.crashCountdown = countdown
            world.command(.restore(splits(["a": 100, "b": 100, "c": 0, "d": 0])))
            world.run(for: .minutes(5))
            // A crash before the order was journalled is as if it had never been given.
            #expect([[100, 100, 0, 0], [100, 100, 100, 100]].contains(live(world)), "\(countdown): \(live(world))")
            #expect(world.violations == [], "\(countdown)")
        }
    }
}
