import MetricModel
import RollbackSimulation
import RuleModel
import Testing
import YAML

@testable import Rollback

/// Rollouts that begin by themselves. Worlds begin on a Friday at 08:00 UTC.
struct RolloutStartTests {
    private func world(_ start: String) throws -> World {
        World(calm: try RolloutPlan(parsing: "start: \(start)\n" + Shape.diamond, file: "plan.yml"))
    }

    @Test("a scheduled rollout begins with its window, once")
    func scheduled() throws {
        var world = try world("{windows: [\"mon-thu 00:00-24:00\", \"fri 08:05-08:20\"]}")
        world.run(for: .seconds(299))
        #expect(world.lastState.phase == .idle)
        world.run(for: .seconds(2))
        #expect(world.lastState.phase == .promoting)
        world.command(.abort)
        world.run(for: .minutes(10))
        #expect(world.lastState.phase == .rolledBack)
        #expect(world.lastState.generation == 1)
        #expect(world.violations == [])
    }

    @Test("a window with an obstacle until its end begins no rollout")
    func obstacle() throws {
        var world = try world("{windows: [\"08:05-08:20\"]}")
        world.step { $0.historyChanged(isAvailable: false, at: $1) }
        world.run(for: .minutes(30))
        world.step { $0.historyChanged(isAvailable: true, at: $1) }
        world.run(for: .hours(23))
        #expect(world.lastState.phase == .idle)
        world.run(for: .hours(1))
        #expect(world.lastState.phase != .idle, "the next day's window")
    }

    @Test("a continuous rollout begins with each new version of the candidate, and not again with a rolled back one")
    func continuous() throws {
        var world = try world("{version: 'max(build_number)'}")
        world.run(for: .minutes(1))
        #expect(world.lastState.phase == .idle, "no candidate has been seen")
        world.candidateVersion = 7
        world.run(for: .seconds(25))
        #expect(world.lastState.phase == .promoting)
        #expect(world.lastState.version == 7)
        world.command(.abort)
        world.run(for: .minutes(10))
        #expect(world.lastState.generation == 1)
        world.crashCountdown = 0
        world.run(for: .minutes(10))
        #expect(world.process == 1)
        #expect(world.lastState.generation == 1, "the version survives a restart")
        world.candidateVersion = 8
        world.run(for: .minutes(10))
        #expect(world.lastState.generation == 2)
        if case .promoted = world.lastState.phase {} else { Issue.record("phase \(world.lastState.phase)") }
        #expect(world.violations == [])
    }

    @Test("a cooldown delays a new version; a candidate that changes during its rollout stops it")
    func changes() throws {
        var world = try world("{version: v}")
        world.candidateVersion = 1
        world.run(for: .seconds(25))
        world.candidateVersion = 2
        world.run(for: .seconds(40))
        guard case .paused(let reason) = world.lastState.phase else {
            Issue.record("phase \(world.lastState.phase)")
            return
        }
        #expect(reason == "the candidate changed from version 1.0 to 2.0 during the rollout")
        let trip = world.trip("a", scope: .all)
        world.step { $0.tripped(trip, at: $1) }
        world.run(for: .seconds(25))
        #expect(world.lastState.generation == 1, "cooldown")
        world.run(for: .seconds(60))
        #expect(world.lastState.generation == 2)
        #expect(world.lastState.version == 2)
        #expect(world.violations == [])
    }

    @Test("an abort begins no rollout: neither of the present candidate, nor after a restart")
    func aborted() throws {
        var world = try world("{version: v}")
        world.candidateVersion = 1
        world.run(for: .seconds(25))
        world.candidateVersion = 2
        world.run(for: .seconds(40))
        world.command(.abort)
        world.run(for: .minutes(10))
        #expect(world.lastState.phase == .rolledBack)
        world.crashCountdown = 0
        world.run(for: .minutes(10))
        #expect(world.lastState.generation == 1)
        world.candidateVersion = 3
        world.run(for: .seconds(30))
        #expect(world.lastState.generation == 2)
        #expect(world.violations == [])
    }

    @Test(
        "what cannot be understood is refused with its line and field",
        arguments: [
            ("{}", "start"), ("{windows: [mon]}", "start.windows[0]"),
            ("{windows: [\"04:00-02:00\"]}", "start.windows[0]"),
            ("{windows: [\"xyz 02:00-04:00\"]}", "start.windows[0]"),
            ("{windows: [\"02:00-24:30\"]}", "start.windows[0]"), ("{when: now}", "start.when"), ("now", "start"),
        ])
    func refused(text: String, field: String) throws {
        let error = #expect(throws: YAMLError.self) {
            try RolloutPlan(parsing: "start: \(text)\n" + Shape.diamond, file: "plan.yml")
        }
        #expect(error?.field == field)
        #expect(error?.line == 1)
    }

    @Test("windows have days and times")
    func windows() {
        #expect(RolloutStart.Window("fri-mon 22:00-24:00") == .init(days: [5, 6, 0, 1], start: 1320, end: 1440))
        #expect(RolloutStart.Window("sat,sun 00:00-00:01") == .init(days: [6, 0], start: 0, end: 1))
    }
}
