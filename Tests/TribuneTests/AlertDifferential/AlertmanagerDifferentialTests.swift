import Glibc
import TestSupport
import Testing

/// Debian's Alertmanager and Tribune with the same configuration and alerts send the same requests to receivers.
@Suite(
    .enabled(if: access(ComparedNotifier.alertmanager, X_OK) == 0, "prometheus-alertmanager is not installed"),
    .serialized)
struct AlertmanagerDifferentialTests {
    @Test("over random histories of alerts receivers get the same requests as from Alertmanager")
    func receiversAreSentTheSame() throws {
        func number(_ name: String, _ fallback: Int) -> Int {
            getenv(name).flatMap { Int(String(cString: $0)) } ?? fallback
        }
        let random = SeededGenerator(seed: getenv("TRIBUNE_SEED") == nil ? 1 : nil)
        let count = UInt64(number("TRIBUNE_ALERT_WORLDS", 16))
        var seeds = (0..<count).map { random.seed &+ $0 }
        // A world with a difference is repeated alone: on a busy machine a group's interval may end between two
        // requests of one of the notifiers.
        for attempt in 1...3 {
            var run = try AlertHistoryRun(seeds: seeds)
            try run.run(steps: number("TRIBUNE_ALERT_STEPS", 5))
            print("seed \(random.seed), \(seeds.count) worlds: \(run.requestCount) requests compared")
            if run.differences.isEmpty { return }
            let text = run.differences.map(\.description).joined()
            guard attempt < 3 else {
                Issue.record("\(text)")
                return
            }
            print(text)
            let differing = Set(run.differences.compactMap(\.seed))
            if !differing.isEmpty { seeds = seeds.filter(differing.contains) }
        }
    }
}
