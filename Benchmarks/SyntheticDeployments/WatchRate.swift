import DeploymentGates

/// How often watches decide correctly, and when: half of the deployments identical, half worse.
public struct WatchRate {
    /// Requests per second and version.
    public let rate: Double
    /// The length of a watch.
    public let seconds: Double
    /// Decisions with their times, by kind.
    public private(set) var decisions: [SyntheticWatch.Kind: [(verdict: GateVerdict, seconds: Double)]] = [:]

    /// Watches `each` identical deployments, and as many worse ones, half of each kind.
    public init(
        rate: Double, seconds: Double = 600, common: Double = 0.5, each: Int, seed: UInt64 = 7,
        confidence: GateConfidence = GateConfidence()
    ) {
        self.rate = rate
        self.seconds = seconds
        for (index, kind) in SyntheticWatch.Kind.allCases.enumerated() {
            for round in 0..<(kind.isBad ? (each + 1) / 2 : each) {
                let own = seed &* 1_000_003 &+ UInt64(index * 100_000 + round) &* 7919 &+ UInt64(rate * 10)
                let watch = SyntheticWatch(kind, rate: rate, seconds: seconds, common: common, seed: own)
                decisions[kind, default: []].append(watch.decision(seconds: seconds, confidence))
            }
        }
    }

    private var all: [(isBad: Bool, verdict: GateVerdict, seconds: Double)] {
        decisions.flatMap { kind, list in list.map { (kind.isBad, $0.verdict, $0.seconds) } }
    }

    /// Of all deployments, those decided correctly within `time` seconds. An undecided one is wrong.
    public func correct(within time: Double) -> Proportion {
        let all = all
        return Proportion(
            all.count { $0.verdict == ($0.isBad ? .fail : .pass) && $0.seconds <= time }, of: all.count)
    }

    /// Of the decided ones, those decided correctly within `time` seconds.
    public func correctOfDecided(within time: Double) -> Proportion {
        let decided = all.filter { $0.verdict != .inconclusive && $0.seconds <= time }
        return Proportion(decided.count { $0.verdict == ($0.isBad ? .fail : .pass) }, of: decided.count)
    }

    /// Of the identical deployments, those that did not fail.
    public var identicalNotFailed: Proportion {
        let list = decisions[.identical] ?? []
        return Proportion(list.count { $0.verdict != .fail }, of: list.count)
    }

    /// Of the worse deployments, those that did not pass.
    public var worseNotPassed: Proportion {
        let list = decisions.filter(\.key.isBad).flatMap(\.value)
        return Proportion(list.count { $0.verdict != .pass }, of: list.count)
    }

    /// Verdicts by kind.
    public func count(_ kind: SyntheticWatch.Kind, _ verdict: GateVerdict) -> Int {
        (decisions[kind] ?? []).count { $0.verdict == verdict }
    }
}
