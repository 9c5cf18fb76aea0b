import DeploymentGates
import Rollback

/// A share of counted cases, with confidence limits.
public struct Proportion: Equatable, Sendable {
    /// Matching cases.
    public var hits: Int
    /// All cases.
    public var cases: Int

    /// `hits` of `cases`.
    public init(_ hits: Int, of cases: Int) {
        self.hits = hits
        self.cases = cases
    }

    /// `nil` without cases.
    public var share: Double? { cases > 0 ? Double(hits) / Double(cases) : nil }

    /// Wilson's limits at 95 %, two-sided; 0 and 1 without cases.
    public var limits: (lower: Double, upper: Double) {
        guard cases > 0 else { return (0, 1) }
        let interval = CountTest.wilson(EventCount(events: Double(hits), trials: Double(cases)), 0.975)
        return (interval.lower, interval.upper)
    }
}

/// The results of a gate for many labelled deployments of one size.
///
/// A gate has three verdicts, so there are two ways to count. **Of all** deployments: a good one is wrong if it fails,
/// a bad one if it passes; an inconclusive one is neither. **Of the decided** ones only: inconclusive ones are not
/// counted.
public struct DetectionRate {
    /// Requests of each version.
    public let requests: Int
    /// Deployments of each kind.
    public let each: Int
    /// Verdicts by kind.
    public private(set) var kinds: [SyntheticDeployment.Kind: [GateVerdict: Int]] = [:]

    /// Creates `each` deployments of every kind and judges them.
    public init(requests: Int, each: Int, seed: UInt64 = 5, confidence: GateConfidence = GateConfidence()) {
        self.requests = requests
        self.each = each
        for (index, kind) in SyntheticDeployment.Kind.allCases.enumerated() {
            for round in 0..<each {
                let own = seed &* 1_000_003 &+ UInt64(index * 100_000 + round) &* 7919 &+ UInt64(requests)
                let verdict = SyntheticDeployment(kind, requests: requests, seed: own).verdict(confidence)
                kinds[kind, default: [:]][verdict, default: 0] += 1
            }
        }
    }

    /// The share of all deployments that are worse (`isBad`), or of all that are not, with this verdict.
    public func share(_ verdict: GateVerdict, isBad: Bool) -> Proportion {
        Proportion(count(verdict, isBad), of: GateVerdict.allCases.reduce(0) { $0 + count($1, isBad) })
    }

    /// The share of all good deployments that did not fail.
    public var specificity: Proportion { complement(share(.fail, isBad: false)) }
    /// The share of all bad deployments that did not pass.
    public var sensitivity: Proportion { complement(share(.pass, isBad: true)) }
    /// The share of the decided good deployments that passed.
    public var decidedSpecificity: Proportion {
        Proportion(count(.pass, false), of: count(.pass, false) + count(.fail, false))
    }
    /// The share of the decided bad deployments that failed.
    public var decidedSensitivity: Proportion {
        Proportion(count(.fail, true), of: count(.fail, true) + count(.pass, true))
    }

    private func complement(_ part: Proportion) -> Proportion { Proportion(part.cases - part.hits, of: part.cases) }

    private func count(_ verdict: GateVerdict, _ isBad: Bool) -> Int {
        kinds.reduce(0) { $1.key.isBad == isBad ? $0 + ($1.value[verdict] ?? 0) : $0 }
    }
}
