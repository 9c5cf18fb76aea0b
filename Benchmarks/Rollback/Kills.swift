import Glibc
import Runtime
import Synchronization
import TestSupport

/// Kills a process that runs a rollback at each of its steps, many times. The next process must end in the same
/// state.
enum Kills {
    /// The result of one worker's share.
    private struct Outcome: Sendable {
        var kills = 0
        var steps = 0
        var deviations: [String] = []
    }

    static func run(_ times: Int, workers: Int = 4) throws {
        let program = "\(Paths.directory(of: CommandLine.arguments[0]))/RollbackCrashProcess"
        guard access(program, X_OK) == 0 else { throw BenchmarkFailure("\(program) has not been built") }
        let proxy = try Proxy(services: (0..<workers).flatMap { ["auth\($0)", "ac\($0)"] })
        let outcomes = Mutex<[Outcome]>([])
        let rest = Atomic<Int>(times)
        // Only the socket's path and commands are used, which any thread may use.
        nonisolated(unsafe) let shared = proxy
        let threads = try (0..<workers).map { worker in
            try WorkerThread("killer \(worker)") {
                var outcome = Outcome()
                while rest.wrappingSubtract(1, ordering: .relaxed).oldValue > 0 {
                    round(program, shared, worker, &outcome)
                }
                outcomes.withLock { $0.append(outcome) }
            }
        }
        for thread in threads { thread.join() }
        let all = outcomes.withLock { $0 }
        let deviations = all.flatMap(\.deviations)
        print(
            "\(all.reduce(0) { $0 + $1.kills }) kills, each of \(all.map(\.steps).max() ?? 0) steps \(times) times: "
                + "\(deviations.count) ended otherwise")
        for deviation in deviations.prefix(5) { print("  \(deviation)") }
    }

    /// Kills once at every step.
    private static func round(_ program: String, _ proxy: Proxy, _ worker: Int, _ outcome: inout Outcome) {
        let names = ["auth\(worker)", "ac\(worker)"]
        let plan = proxy.directory.write(
            """
            plan: acgs
            stages: [50, 100]
            bake: 1h
            settle: 0s
            max_concurrent: 2
            reconcile: 200ms
            validation: {rounds: 2, interval: 10ms, timeout: 10s}
            services:
            - {name: \(names[0]), priority: 1, \(proxy.route(names[0]))}
            - {name: \(names[1]), depends: [], \(proxy.route(names[1]))}
            """, to: "plan\(worker).yml")
        let wanted =
            "generation 1: \(names[0]) rolled_back 100/0, \(names[1]) rolled_back 100/0; acgs-1-1 valid;"
        var step = 0
        while true {
            let directory = proxy.directory.file("run-\(worker)-\(outcome.kills)-\(step)")
            _ = Paths.makeDirectory(directory)
            for name in names {
                _ = proxy.command(
                    "set server \(name)/green state ready;set server \(name)/blue weight 50;"
                        + "set server \(name)/green weight 50")
            }
            let output = "\(directory)/out"
            func run(_ step: Int) -> ChildProcess.Exit? {
                // A process that cannot be started has no output, which counts as a failure below.
                let process = try? ChildProcess([program, plan, directory, "\(step)"], output: .file(output))
                return process?.wait()
            }
            let first = run(step)
            if first == .signal(SIGKILL) {
                outcome.kills += 1
                _ = run(-1)
            }
            let text = FileText.read(output) ?? ""
            let weights = names.map { proxy.command("get weight \($0)/green") }
            if !text.hasPrefix(wanted) || !weights.allSatisfy({ $0.hasPrefix("0 ") }) {
                outcome.deviations.append("step \(step): \(text) \(weights)")
            }
            for file in ["acgs.journal", "acgs.journal.lock", "acgs.rules", "out"] { unlink("\(directory)/\(file)") }
            rmdir(directory)
            guard first == .signal(SIGKILL) else { break }
            step += 1
        }
        outcome.steps = max(outcome.steps, step)
    }
}
