import MetricModel
import RollbackSimulation
import RuleModel
import Runtime
import TestSupport
import Testing

@testable import Lease
@testable import Rollback
@testable import RolloutRunner
@testable import TrafficRouters

struct RuleTrackFileTests {
    private let directory = TemporaryDirectory()

    private func measurement(_ value: Double, at index: Int64) -> RollbackMeasurement {
        RollbackMeasurement(
            rule: "f;g;R", ruleHash: "h",
            definition: RollbackDefinition(
                name: "R", expression: "x", trip: .init(.less, 0.95), consecutive: 3, action: .init(plan: "sim")),
            time: Timestamp(milliseconds: index * 1000),
            elements: [.init(labels: ["service": "a"], value: value)])
    }

    @Test("streaks survive a restart, so that the third violation trips")
    func restart() throws {
        let plan = try RolloutPlan(parsing: Shape.diamond, file: "sim.yml")
        for (index, wanted) in [(0, (1, false)), (1, (2, false)), (2, (3, true))] {
            let runner = try RollbackRunner(plans: [plan], settings: .init(directory: directory.path))
            try runner.start()
            runner.measured(measurement(0.5, at: Int64(index)))
            #expect(
                Loopback.eventually { runner.standing(of: "f;g;R")?.streak == wanted.0 }, "measurement \(index)")
            #expect(runner.standing(of: "f;g;R")?.isTripped == wanted.1)
            runner.stop()
        }
    }

    @Test("the stored state of a rule reads back unchanged")
    func roundTrip() throws {
        let file = RuleTrackFile(path: directory.file("rules"))
        var rule = RollbackRule(measurement(1, at: 0).definition)
        for index in 0..<4 { _ = rule.measured(measurement(0.5, at: Int64(index))) }
        file.write(["f;g;R": rule])
        #expect(file.read()["f;g;R"]?.tracks == rule.tracks)
    }

    @Test("a foreign file resets every rule")
    func foreign() {
        let file = RuleTrackFile(path: directory.write("{\"x\": [1,", to: "rules"))
        #expect(file.read().isEmpty)
        directory.write("{\"x\": {\"name\": 3}}", to: "rules")
        #expect(file.read().isEmpty)
    }
}
