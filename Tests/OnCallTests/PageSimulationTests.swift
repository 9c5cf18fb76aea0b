import Foundation
import TestSupport
import Testing

@testable import OnCall

/// Seeded worlds around the machine. `TRIBUNE_ONCALL_STEPS` sets the number of steps, `TRIBUNE_SEED` the first seed.
@Suite struct PageSimulationTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let seed = environment["TRIBUNE_SEED"].flatMap { UInt64($0) } ?? 1
    private static let wanted = environment["TRIBUNE_ONCALL_STEPS"].flatMap { Int($0) } ?? 100_000

    @Test func `no step fires twice, nobody is called after an answer, and nobody is forgotten`() {
        var (steps, sent, worlds) = (0, 0, UInt64(0))
        while steps < Self.wanted {
            var world = PageWorld(seed: Self.seed + worlds)
            world.run(300)
            #expect(world.faults == [], "seed \(Self.seed + worlds), step \(world.steps)")
            if !world.faults.isEmpty { return }
            steps += world.steps
            sent += world.sent
            worlds += 1
        }
        print("on-call: \(worlds) worlds, \(steps) steps, \(sent) calls, 0 violations")
        #expect(sent > steps / 50, "the worlds call too few people to mean anything")
    }

    @Test(arguments: PageDefect.allCases) func `a planted defect is found`(defect: PageDefect) {
        for seed in Self.seed..<Self.seed + 400 {
            var world = PageWorld(seed: seed, defect: defect)
            world.run(300)
            if !world.faults.isEmpty { return }
        }
        Issue.record("no world found \(defect.rawValue)")
    }
}
