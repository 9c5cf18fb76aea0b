import Glibc
import Rollback
import RolloutRunner
import Runtime

/// A rule trips while the disk of the journal is full.
///
/// Fills the directory's file system when candidates have traffic, trips a rule, waits until the traffic is back,
/// prints the trouble with the journal, and kills itself. The next process finds the journal from before the trip.
struct FullDisk {
    let scenario: Scenario

    private var filler: String { scenario.directory + "/filler" }

    func run() throws -> Int32 {
        let runner = try RollbackRunner(
            plans: [scenario.plan], settings: .init(directory: scenario.directory), sinks: RollbackSinks())
        try runner.start()
        _ = runner.command(RolloutCommand(.start, by: "test"), plan: scenario.plan.name)
        guard wait(runner, until: { $0.services.allSatisfy { $0.progress == "baking" } }) else { return 4 }
        // Everything so far is stored: an order is answered when it is.
        guard runner.command(RolloutCommand(.pause, by: "test"), plan: scenario.plan.name) == .accepted else {
            return 5
        }
        fill()
        runner.measured(scenario.violation)
        guard
            wait(
                runner,
                until: { snapshot in
                    snapshot.journal != nil && snapshot.services.allSatisfy { $0.progress == "rolled_back" }
                })
        else { return 6 }
        let start = runner.command(RolloutCommand(.start, by: "test"), plan: scenario.plan.name)
        print(runner.snapshots[0].journal ?? "")
        print(start)
        print(runner.limitations.joined(separator: "; "))
        fflush(nil)
        kill(getpid(), SIGKILL)
        return 7
    }

    private func wait(_ runner: RollbackRunner, until condition: (RolloutSnapshot) -> Bool) -> Bool {
        let deadline = SystemClock.monotonicNanoseconds() + 60_000_000_000
        while SystemClock.monotonicNanoseconds() < deadline {
            if condition(runner.snapshots[0]) { return true }
            usleep(1000)
        }
        return false
    }

    /// Writes until there is no room for one more byte.
    private func fill() {
        let file = open(filler, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        let bytes = [UInt8](repeating: 7, count: 4096)
        while write(file, bytes, bytes.count) > 0 {}
        close(file)
    }
}
