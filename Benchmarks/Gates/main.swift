import DeploymentGates
import Glibc
import Rollback
import Runtime
import SyntheticDeployments

// Measures how often the deployment gate is right: labelled synthetic deployments by traffic size.
// Usage: GateBenchmark [deployments of each kind and 10 000 requests, default 200] [seed, default 5]
//        GateBenchmark watch [identical deployments, default 400] [seed, default 7]: sequential watches
// Up to ten times as many smaller ones are created, because their limits would be wide otherwise.

if CommandLine.arguments.dropFirst().first == "watch" {
    let numbers = CommandLine.arguments.dropFirst(2).compactMap { UInt64($0) }
    printWatches(each: Int(numbers.first ?? 400), seed: numbers.dropFirst().first ?? 7)
    exit(0)
}

let arguments = CommandLine.arguments.dropFirst().compactMap { UInt64($0) }
let each = Int(arguments.first ?? 200)
let seed = arguments.dropFirst().first ?? 5
let sizes = [100, 300, 1000, 3000, 10_000, 100_000]

func percent(_ share: Double) -> String {
    // Two decimals, where they are significant.
    let scale = share < 0.01 || share > 0.99 ? 10_000.0 : 1000
    return "\((share * scale).rounded() * 100 / scale)"
}

func text(_ proportion: Proportion) -> String {
    guard let share = proportion.share else { return "–" }
    let limits = proportion.limits
    return "\(percent(share)) % (\(percent(limits.lower)) to \(percent(limits.upper)))"
}

func row(_ cells: [String]) -> String { "| \(cells.joined(separator: " | ")) |" }

func number(of requests: Int) -> Int { each * min(10, max(1, 10_000 / requests)) }

let rates = sizes.map { DetectionRate(requests: $0, each: number(of: $0), seed: seed) }
let strict = sizes.map {
    DetectionRate(requests: $0, each: number(of: $0), seed: seed, confidence: GateConfidence(significance: 0.001))
}

print("Labelled deployments, 3 good and 4 bad kinds, seed \(seed); with Wilson's 95 % limits.")
print("\nOf all deployments:\n")
print(
    row([
        "requests", "of each kind", "specificity: good not failed", "sensitivity: bad not passed", "good passed",
        "bad failed", "ms for one",
    ]))
print("|---:|---:|---:|---:|---:|---:|---:|")
for rate in rates {
    let sample = SyntheticDeployment(.slower, requests: rate.requests, seed: seed)
    let began = SystemClock.monotonicNanoseconds()
    for _ in 0..<20 { _ = sample.verdict() }
    let milliseconds = Double(SystemClock.monotonicNanoseconds() - began) / 20e6
    print(
        row([
            "\(rate.requests)", "\(rate.each)", text(rate.specificity), text(rate.sensitivity),
            text(rate.share(.pass, isBad: false)), text(rate.share(.fail, isBad: true)),
            "\((milliseconds * 100).rounded() / 100)",
        ]))
}
for (title, rates) in [("", rates), (", significance 0.001", strict)] {
    print("\nOf the decided ones\(title):\n")
    print(row(["requests", "specificity", "good decided", "sensitivity", "bad decided", "bad failed, of all"]))
    print("|---:|---:|---:|---:|---:|---:|")
    for rate in rates {
        let (good, bad) = (rate.decidedSpecificity, rate.decidedSensitivity)
        print(
            row([
                "\(rate.requests)", text(good), "\(good.cases)", text(bad), "\(bad.cases)",
                text(rate.share(.fail, isBad: true)),
            ]))
    }
}
print("")
for rate in rates {
    for kind in SyntheticDeployment.Kind.allCases {
        let counts = GateVerdict.allCases.map { "\($0.rawValue) \(rate.kinds[kind]?[$0] ?? 0)" }
        print("\(rate.requests) \(kind.rawValue): \(counts.joined(separator: ", "))")
    }
}
