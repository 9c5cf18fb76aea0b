import MetricModel
import RollbackSimulation
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

    private func live(_ world: World) -> [Int?] { plan.services.map { world.routers[$0.name]?.live?.candidate } }

    private func splits(_ weights: [String: Int]) -> [String: TrafficSplit] {
        weights.compactMapValues { TrafficSplit(candidate: $0) }
    }

    @Test("what has more traffic than it had goes back whole, in the order of a rollback; the rest stays")
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
        #expect(world.command(.restore(all)) == .ignored("no candidate has more traffic than it had then"))
        world.run(for: .hours(1))
        #expect(live(world) == [0, 0, 0, 0])
        #expect(world.violations == [])
    }

    @Test("an unknown service is refused, a rollout that never was is left alone")
    func refusals() {
        var idle = World(calm: plan)
        #expect(idle.command(.restore(splits(["a": 0]))) == .ignored("there is no rollout"))
        var world = promoted()
        #expect(world.command(.restore(splits(["x": 0]))) == .refused("there is no service \"x\""))
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
