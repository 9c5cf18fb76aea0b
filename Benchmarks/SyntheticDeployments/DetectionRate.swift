import Rollback

/// How a gate answers many labelled deployments of one size.
public struct DetectionRate {
    /// Requests of each version.
    public let requests: Int
    /// Verdicts on deployments that are no worse.
    public private(set) var good: [GateVerdict: Int] = [:]
    /// Verdicts on deployments that are worse.
    public private(set) var bad: [GateVerdict: Int] = [:]
    /// Verdicts by kind.
    public private(set) var kinds: [SyntheticDeployment.Kind: [GateVerdict: Int]] = [:]

    /// Makes `each` deployments of every kind and judges them.
    public init(requests: Int, each: Int, seed: UInt64 = 5) {
        self.requests = requests
        for (index, kind) in SyntheticDeployment.Kind.allCases.enumerated() {
            for round in 0..<each {
                let own = seed &* 1_000_003 &+ UInt64(index * 100_000 + round) &* 7919 &+ UInt64(requests)
                let verdict = SyntheticDeployment(kind, requests: requests, seed: own).verdict()
                kinds[kind, default: [:]][verdict, default: 0] += 1
                if kind.isBad { bad[verdict, default: 0] += 1 } else { good[verdict, default: 0] += 1 }
            }
        }
    }

    /// Failed among the worse ones that were decided; `nil` where none was.
    public var sensitivity: Double? { Self.share(bad[.fail], bad[.pass]) }
    /// Passed among the others that were decided; `nil` where none was.
    public var specificity: Double? { Self.share(good[.pass], good[.fail]) }
    /// Undecided among the worse ones.
    public var undecidedBad: Double {
        Self.share(bad[.inconclusive], bad.values.reduce(0, +) - (bad[.inconclusive] ?? 0)) ?? 0
    }
    /// Undecided among the others.
    public var undecidedGood: Double {
        Self.share(good[.inconclusive], good.values.reduce(0, +) - (good[.inconclusive] ?? 0)) ?? 0
    }

    private static func share(_ hits: Int?, _ rest: Int?) -> Double? {
        let (hits, rest) = (hits ?? 0, rest ?? 0)
        return hits + rest > 0 ? Double(hits) / Double(hits + rest) : nil
    }
}
