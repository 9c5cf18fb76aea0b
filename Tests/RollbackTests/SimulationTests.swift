import Foundation
import MetricModel
import RuleEngine
import Testing

@testable import Rollback

/// Seeds are printed on failure; `TRIBUNE_SEED` repeats one, `TRIBUNE_SEEDS` sets how many are run.
struct SimulationTests {
    private let plan: RolloutPlan

    init() throws {
        plan = try RolloutPlan(parsing: Simulation.planText, file: "sim.yml")
    }

    private static let faults = Simulation.Faults(
        crash: 0.01, lostReply: 0.05, failedReply: 0.05, duplicate: 0.1, disturbances: 0.5)

    @Test("the invariants hold at every step of every seeded world")
    func seeds() throws {
        let environment = ProcessInfo.processInfo.environment
        let first = environment["TRIBUNE_SEED"].flatMap { UInt64($0) }
        let count = environment["TRIBUNE_SEEDS"].flatMap { UInt64($0) } ?? 250
        var steps = 0
        var rollbacks = 0
        var crashes = 0
        for seed in first.map({ $0..<$0 + 1 }) ?? 1..<count + 1 {
            var world = Simulation(seed: seed, plan: plan, faults: Self.faults)
            world.run(for: .minutes(5))
            if world.violations.isEmpty { world.calm() }
            steps += world.steps
            rollbacks += world.rollbacks.count
            crashes += world.process
            try #require(world.violations.isEmpty, "TRIBUNE_SEED=\(seed): \(world.violations)")
        }
        print("simulated \(steps) steps, \(rollbacks) rollbacks of a service, \(crashes) crashes")
    }
}
