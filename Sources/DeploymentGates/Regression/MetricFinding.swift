internal import MetricModel
internal import Rollback

/// The size of a change with the limits between which it lies.
public struct MetricEffect: Equatable, Sendable {
    /// What is measured: `risk_difference`, `rate_ratio`, `probability_of_superiority`, `hodges_lehmann_shift`.
    public var name: String
    /// The estimate. Larger is worse.
    public var estimate: Double
    /// One-sided limits at the confidence of the analysis.
    public var interval: Interval
    /// The smallest one that matters.
    public var minimum: Double

    /// Whether it is as large as matters.
    var isRelevant: Bool { estimate >= minimum }
    /// Whether one as large as matters is excluded.
    var isRuledOut: Bool { interval.upper < minimum }
}

/// What one version contributed.
public struct ObservationSize: Equatable, Sendable {
    /// Requests, or samples.
    public var observations: Double
    /// Those that count as bad, where the metric is a share.
    public var events: Double?
    /// By how much the observations tell less than independent ones.
    public var designEffect: Double
    /// The middle and the 95th percentile of a histogram or of samples, for people.
    public var median: Double?
    /// See ``median``.
    public var p95: Double?

    init(observations: Double, events: Double? = nil, designEffect: Double = 1) {
        self.observations = observations
        self.events = events
        self.designEffect = designEffect
    }
}

/// What one test says of one metric.
public struct MetricFinding: Equatable, Sendable {
    /// The test.
    public enum Test: String, Equatable, Sendable {
        case fisher = "fisher_exact"
        case rank = "mann_whitney"
        /// Fisher's test on the share of requests in the slow tail.
        case tail = "fisher_exact_tail"
        /// There was nothing to test.
        case none
    }

    /// The metric's name.
    public var metric: String
    /// The test that was made.
    public var test: Test
    /// In which direction healthy lies.
    public var better: MetricCriteria.Direction
    /// What follows.
    public var verdict = GateVerdict.inconclusive
    /// Why, in words.
    public var reason = ""
    /// The chance of data as bad as these if nothing had changed.
    public var probability: Double?
    /// The same after Holm's correction for all tests of the analysis.
    public var adjusted: Double?
    /// How large the change is; a change matters when all of them do.
    public var effects: [MetricEffect] = []
    /// The chance that a change of the smallest size that matters would have been seen.
    public var power: Double?
    /// About how many observations a version would need for that to be likely; `nil` where there are enough.
    public var needed: Double?
    /// What the stable version contributed.
    public var stable = ObservationSize(observations: 0)
    /// What the candidate contributed.
    public var candidate = ObservationSize(observations: 0)
    /// What else should be known.
    public var notes: [String] = []

    init(_ criteria: MetricCriteria, _ test: Test) {
        metric = criteria.name
        better = criteria.better
        self.test = test
    }

    /// A finding that there is nothing to compare.
    static func missing(_ criteria: MetricCriteria, _ test: Test, _ reason: String) -> MetricFinding {
        var finding = MetricFinding(criteria, test)
        finding.reason = reason
        return finding
    }

    /// Reaches the verdict once `adjusted` is known.
    mutating func conclude(_ confidence: GateConfidence) {
        guard let adjusted else { return }
        let isSeen = adjusted < confidence.significance
        let isRelevant = effects.allSatisfy(\.isRelevant)
        if isSeen, isRelevant {
            verdict = .fail
            reason = "worse: \(Self.text(effects)), p \(Self.number(adjusted))"
        } else if effects.contains(where: \.isRuledOut) {
            verdict = .pass
            reason =
                isSeen
                ? "worse, but by less than matters: \(Self.text(effects))"
                : "no change that matters: \(Self.text(effects))"
        } else {
            verdict = .inconclusive
            let size = Self.number(min(stable.observations, candidate.observations))
            reason = "a change that matters can be neither shown nor excluded with \(size) observations"
            if let needed { reason += "; about \(Self.number(needed)) of each version would do" }
        }
    }

    private static func text(_ effects: [MetricEffect]) -> String {
        effects.map { effect in
            let limits = "\(number(effect.interval.lower)) to \(number(effect.interval.upper))"
            return "\(effect.name) \(number(effect.estimate)) (\(limits), matters from \(number(effect.minimum)))"
        }.joined(separator: ", ")
    }

    /// Three digits are enough for people.
    static func number(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return FloatText.general(value) }
        var scale = 1.0
        while value.magnitude * scale < 100, scale < 1e300 { scale *= 10 }
        return FloatText.general((value * scale).rounded() / scale)
    }
}
