import Rollback
import Runtime
import SyntheticDeployments

// How often the deployment gate is right: labelled synthetic deployments by traffic size.
// Usage: GateBenchmark [deployments of each kind, default 200] [seed, default 5]

let arguments = CommandLine.arguments.dropFirst().compactMap { UInt64($0) }
let each = Int(arguments.first ?? 200)
let seed = arguments.dropFirst().first ?? 5

func percent(_ share: Double?) -> String {
    guard let share else { return "–" }
    return "\((share * 1000).rounded() / 10) %"
}

print("\(each) deployments of each of 7 kinds (3 good, 4 bad), seed \(seed)")
print("| requests of each version | sensitivity | specificity | bad undecided | good undecided | ms for one |")
print("|---:|---:|---:|---:|---:|---:|")
var details: [String] = []
for requests in [100, 1000, 10_000, 100_000] {
    let rate = DetectionRate(requests: requests, each: each, seed: seed)
    let sample = SyntheticDeployment(.slower, requests: requests, seed: seed)
    let began = SystemClock.monotonicNanoseconds()
    for _ in 0..<20 { _ = sample.verdict() }
    let milliseconds = Double(SystemClock.monotonicNanoseconds() - began) / 20e6
    print(
        "| \(requests) | \(percent(rate.sensitivity)) | \(percent(rate.specificity)) | \(percent(rate.undecidedBad)) "
            + "| \(percent(rate.undecidedGood)) | \((milliseconds * 100).rounded() / 100) |")
    for kind in SyntheticDeployment.Kind.allCases {
        let counts = GateVerdict.allCases.map { "\($0.rawValue) \(rate.kinds[kind]?[$0] ?? 0)" }
        details.append("\(requests) \(kind.rawValue): \(counts.joined(separator: ", "))")
    }
}
print("")
print(details.joined(separator: "\n"))
