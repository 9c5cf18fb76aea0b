internal import MetricModel
internal import Rollback

/// The size of a change, with its confidence interval.
public struct MetricEffect: Equatable, Sendable {
    /// The kind of effect: `risk_difference`, `rate_ratio`, `probability_of_superiority`, `hodges_lehmann_shift`.
    public var name: String
    /// The estimate. Larger is worse.
    public var estimate: Double
    /// One-sided limits at the confidence of the analysis.
    public var interval: Interval
    /// The smallest relevant effect.
    public var minimum: Double

    /// Whether the estimate is relevant.
    var isRelevant: Bool { estimate >= minimum }
    /// Whether a relevant effect is excluded.
    var isRuledOut: Bool { interval.upper < minimum }
}

/// The amount of data of one version.
public struct ObservationSize: Equatable, Sendable {
    /// Requests, or samples.
    public var observations: Double
    /// Those that count as bad, if the metric is a share.
    public var events: Double?
    /// The factor by which the observations carry less information than independent ones.
    public var designEffect: Double
    /// The median and the 95th percentile of a histogram or of samples, for display.
    public var median: Double?
    /// See ``median``.
    public var p95: Double?

    init(observations: Double, events: Double? = nil, designEffect: Double = 1) {
        self.observations = observations
        self.events = events
        self.designEffect = designEffect
    }
}

/// The result of one test of one metric.
public struct MetricFinding: Equatable, Sendable {
    /// The test.
    public enum Test: String, Equatable, Sendable {
        case fisher = "fisher_exact"
        case rank = "mann_whitney"
        /// Fisher's test on the share of requests in the slow tail.
        case tail = "fisher_exact_tail"
        /// There were no data to test.
        case none
    }

    /// The metric's name.
    public var metric: String
    /// The test.
    public var test: Test
    /// Whether lower or higher values are healthy.
    public var better: MetricCriteria.Direction
    /// The verdict.
    public var verdict = GateVerdict.inconclusive
    /// The reason for the verdict.
    public var reason = ""
    /// The p-value: the probability of data at least as bad if nothing had changed.
    public var probability: Double?
    /// The p-value after Holm's correction for all tests of the analysis.
    public var adjusted: Double?
    /// The effects. The change is relevant if all of them are.
    public var effects: [MetricEffect] = []
    /// The probability that a change of the smallest relevant size would be detected.
    public var power: Double?
    /// The approximate number of observations per version that makes detection likely; `nil` if there are enough.
    public var needed: Double?
    /// The amount of data of the stable version.
    public var stable = ObservationSize(observations: 0)
    /// The amount of data of the candidate.
    public var candidate = ObservationSize(observations: 0)
    /// Additional notes.
    public var notes: [String] = []

    init(_ criteria: MetricCriteria, _ test: Test) {
        metric = criteria.name
        better = criteria.better
        self.test = test
    }

    /// A finding without data to compare.
    static func missing(_ criteria: MetricCriteria, _ test: Test, _ reason: String) -> MetricFinding {
        var finding = MetricFinding(criteria, test)
        finding.reason = reason
        return finding
    }

    /// Determines the verdict. `adjusted` must be set.
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
                ? "worse, but below the relevant size: \(Self.text(effects))"
                : "no relevant change: \(Self.text(effects))"
        } else {
            verdict = .inconclusive
            let size = Self.number(min(stable.observations, candidate.observations))
            reason = "a relevant change can be neither shown nor excluded with \(size) observations"
            if let needed { reason += "; about \(Self.number(needed)) of each version are needed" }
        }
    }

    private static func text(_ effects: [MetricEffect]) -> String {
        effects.map { effect in
            let limits = "\(number(effect.interval.lower)) to \(number(effect.interval.upper))"
            return "\(effect.name) \(number(effect.estimate)) (\(limits), relevant from \(number(effect.minimum)))"
        }.joined(separator: ", ")
    }

    /// Three significant digits.
    static func number(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return FloatText.general(value) }
        var scale = 1.0
        while value.magnitude * scale < 100, scale < 1e300 { scale *= 10 }
        return FloatText.general((value * scale).rounded() / scale)
    }
}
