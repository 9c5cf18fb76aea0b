import Glibc
import MetricModel
import Rollback
import RolloutRunner
import RuleModel
import Runtime
import Synchronization

/// A rollout of a plan that ends in a rollback, run to its end from the state in the journal.
///
/// Arguments: plan file, directory of the journal, and the number of the step at which the process kills itself (-1 for
/// never). Prints the final state as one line.
struct Scenario {
    let plan: RolloutPlan
    let directory: String
    let crashAt: Int

    init?(_ arguments: [String]) {
        guard arguments.count == 4, let text = FileText.read(arguments[1]),
            let crashAt = arguments[3] == "full" ? -1 : Int(arguments[3]),
            let plan = try? RolloutPlan(parsing: text, file: arguments[1])
        else { return nil }
        self.plan = plan
        directory = arguments[2]
        self.crashAt = crashAt
    }

    func run() throws -> Int32 {
        let steps = Atomic<Int>(0)
        let crashAt = crashAt
        let hook: @Sendable (String) -> Void = { _ in
            if steps.wrappingAdd(1, ordering: .relaxed).oldValue == crashAt { kill(getpid(), SIGKILL) }
        }
        guard
            let runner = try? RollbackRunner(
                plans: [plan], settings: .init(directory: directory), sinks: RollbackSinks(), afterStep: hook)
        else { return 3 }
        try runner.start()
        let deadline = SystemClock.monotonicNanoseconds() + 30_000_000_000
        while SystemClock.monotonicNanoseconds() < deadline {
            let snapshot = runner.snapshots[0]
            switch snapshot.phase {
            case "idle": _ = runner.command(RolloutCommand(.start, by: "test"), plan: plan.name)
            case "promoting" where snapshot.services.allSatisfy { $0.progress == "baking" }: runner.measured(violation)
            case "rolled_back":
                print(line(snapshot), steps.load(ordering: .relaxed))
                runner.stop()
                return 0
            default: break
            }
            usleep(1000)
        }
        return 4
    }

    /// A measurement that trips at once.
    var violation: RollbackMeasurement {
        RollbackMeasurement(
            rule: "f;g;HashMismatch", ruleHash: "h",
            definition: RollbackDefinition(
                name: "HashMismatch", expression: "constitutional_hash_match", trip: .init(.equal, 0), immediate: true,
                action: .init(plan: plan.name, scope: .all)),
            time: Timestamp(milliseconds: SystemClock.wallMilliseconds()),
            causeNanoseconds: SystemClock.monotonicNanoseconds(), elements: [.init(labels: .empty, value: 0)])
    }

    private func line(_ snapshot: RolloutSnapshot) -> String {
        let services = snapshot.services.map { "\($0.name) \($0.progress) \($0.split)" }.joined(separator: ", ")
        let rollback = snapshot.report?.rollback
        return "generation \(snapshot.generation): \(services); \(rollback?.id ?? "none") "
            + "\(rollback?.verdict?.isValid == true ? "valid" : "invalid");"
    }
}
