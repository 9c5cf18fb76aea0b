internal import Glibc
internal import Rollback

/// The observations of two versions in ordered categories: buckets of a histogram, or distinct values of samples.
public struct OrdinalCounts: Equatable, Sendable {
    /// Observations of the stable version by category, lowest first.
    public var stable: [Double]
    /// Observations of the candidate by category; the same number of categories.
    public var candidate: [Double]

    /// Counts by category. If the lists differ in length, the longer one is cut.
    public init(stable: [Double], candidate: [Double]) {
        let count = min(stable.count, candidate.count)
        self.stable = Array(stable.prefix(count))
        self.candidate = Array(candidate.prefix(count))
    }

    /// Each distinct value becomes a category. NaN values are ignored.
    public init(stableSamples: [Double], candidateSamples: [Double]) {
        let marked =
            (stableSamples.map { (value: $0, isCandidate: false) } + candidateSamples.map { ($0, true) })
            .filter { !$0.value.isNaN }.sorted { $0.value < $1.value }
        var last: Double?
        (stable, candidate) = ([], [])
        for (value, isCandidate) in marked {
            if value != last {
                stable.append(0)
                candidate.append(0)
                last = value
            }
            if isCandidate { candidate[candidate.count - 1] += 1 } else { stable[stable.count - 1] += 1 }
        }
    }

    /// The number of observations of the stable version.
    public var stableTotal: Double { stable.reduce(0, +) }
    /// The number of observations of the candidate.
    public var candidateTotal: Double { candidate.reduce(0, +) }

    /// The Mann–Whitney statistic: pairs in which the candidate's observation is higher; a tie counts one half.
    public var statistic: Double {
        var below = 0.0
        var sum = 0.0
        for (s, c) in zip(stable, candidate) {
            sum += c * (below + s / 2)
            below += s
        }
        return sum
    }

    /// The probability that an observation of the candidate exceeds one of the stable version; a tie counts one half.
    public var superiority: Double { statistic / (stableTotal * candidateTotal) }

    /// 1 − Σ(t³ − t)/(N³ − N), the factor by which ties reduce the variance; 0 if all observations are tied.
    public var tieFactor: Double {
        let total = stableTotal + candidateTotal
        guard total > 1 else { return 0 }
        let ties = zip(stable, candidate).reduce(0.0) { sum, pair in
            let t = (pair.0 + pair.1) / total
            return sum + t * (t * t - 1 / (total * total))
        }
        return max(0, 1 - ties / (1 - 1 / (total * total)))
    }
}

/// The Mann–Whitney test of whether the candidate's observations tend to be higher.
public enum RankTest {
    /// Up to this number of pairs, the distribution is computed exactly.
    static let exactPairs = 900.0

    /// P(U ≥ the observed value) if both versions are the same, given the ties. Exact for few observations, otherwise
    /// normal with tie and continuity correction.
    ///
    /// - Parameter sizes: effective numbers of observations if they are clustered; `nil` for independent observations.
    public static func probability(
        _ counts: OrdinalCounts, sizes: (stable: Double, candidate: Double)? = nil
    ) -> Double {
        let (n0, n1) = (counts.stableTotal, counts.candidateTotal)
        guard n0 > 0, n1 > 0 else { return 1 }
        if sizes == nil, n0 * n1 <= exactPairs, let exact = exactProbability(counts) { return exact }
        let (m0, m1) = sizes ?? (n0, n1)
        let deviation = standardDeviation(counts, stable: m0, candidate: m1)
        guard deviation > 0 else { return 1 }
        // Half a step of U. With ties, U changes in steps of half a pair.
        let continuity = 0.5 / (m0 * m1)
        return Normal.upperTail((counts.superiority - 0.5 - continuity) / deviation)
    }

    /// Standard deviation of the superiority if both versions are the same, with `stable` and `candidate` observations.
    static func standardDeviation(_ counts: OrdinalCounts, stable: Double, candidate: Double) -> Double {
        guard stable > 0, candidate > 0 else { return 0 }
        return ((stable + candidate + 1) * counts.tieFactor / (12 * stable * candidate)).squareRoot()
    }

    /// The permutation distribution of U: all ways to distribute the observations of each category, category by
    /// category.
    ///
    /// `nil` if counts are not integers. O(n₁ · 2U · observations) steps.
    static func exactProbability(_ counts: OrdinalCounts) -> Double? {
        let whole = (counts.stable + counts.candidate).allSatisfy { $0 == $0.rounded() }
        guard whole, counts.stableTotal * counts.candidateTotal <= exactPairs else { return nil }
        let n1 = Int(counts.candidateTotal)
        let n0 = Int(counts.stableTotal)
        let width = 2 * n0 * n1 + 1
        // ways[i][u]: the number of ways to have i observations of the candidate so far and twice the statistic u.
        var ways = [[Double]](repeating: [Double](repeating: 0, count: width), count: n1 + 1)
        ways[0][0] = 1
        var before = 0
        for (s, c) in zip(counts.stable, counts.candidate) {
            let tied = Int(s + c)
            guard tied > 0 else { continue }
            var next = [[Double]](repeating: [Double](repeating: 0, count: width), count: n1 + 1)
            for taken in 0...n1 where taken <= before && before - taken <= n0 {
                let below = before - taken
                for chosen in 0...min(tied, n1 - taken) where below + tied - chosen <= n0 {
                    let choices = exp(Beta.logChoose(Double(tied), Double(chosen))).rounded()
                    let gain = chosen * (2 * below + tied - chosen)
                    for u in 0..<(width - gain) where ways[taken][u] > 0 {
                        next[taken + chosen][u + gain] += ways[taken][u] * choices
                    }
                }
            }
            ways = next
            before += tied
        }
        let all = ways[n1].reduce(0, +)
        let observed = Int((2 * counts.statistic).rounded())
        return all > 0 ? min(1, ways[n1][observed...].reduce(0, +) / all) : nil
    }

    /// Limits of the superiority, each one-sided at `confidence`, on the logit scale, so that they stay in 0...1.
    ///
    /// The variance is that of placements (DeLong), but at least the variance for equal versions.
    public static func interval(
        _ counts: OrdinalCounts, sizes: (stable: Double, candidate: Double), confidence: Double
    ) -> Interval {
        let estimate = counts.superiority
        guard estimate > 0, estimate < 1 else {
            // All observations of one version are above all of the other: the limits of a share of that many
            // observations.
            let size = min(sizes.stable, sizes.candidate)
            let limits = CountTest.wilson(EventCount(events: estimate * size, trials: size), confidence)
            return limits
        }
        let null = standardDeviation(counts, stable: sizes.stable, candidate: sizes.candidate)
        let placed = Placements(counts).variances
        let actual = (placed.stable / sizes.stable + placed.candidate / sizes.candidate).squareRoot()
        let half = Normal.quantile(confidence) * max(actual, null * 2 * (estimate * (1 - estimate)).squareRoot())
        let middle = log(estimate / (1 - estimate))
        let spread = half / (estimate * (1 - estimate))
        func share(_ logit: Double) -> Double { 1 / (1 + exp(-logit)) }
        return Interval(lower: share(middle - spread), upper: share(middle + spread))
    }

    /// The probability that a one-sided test at `significance` detects the superiority `superiority` (Noether).
    public static func power(
        _ counts: OrdinalCounts, superiority: Double, sizes: (stable: Double, candidate: Double), significance: Double
    ) -> Double {
        let deviation = standardDeviation(counts, stable: sizes.stable, candidate: sizes.candidate)
        guard deviation > 0 else { return 0 }
        return Normal.lowerTail((superiority - 0.5) / deviation - Normal.quantile(1 - significance))
    }

    /// The Hodges–Lehmann estimate of how much higher the candidate's samples are: the median of the differences of all
    /// pairs, with Moses's limits, each one-sided at `confidence`. The limits are infinite if there are too few
    /// samples.
    ///
    /// If a version has more than 1000 samples, a regular subset is used. O(*d* log *d*) for at most 10⁶ differences.
    public static func shift(
        stableSamples: [Double], candidateSamples: [Double], sizes: (stable: Double, candidate: Double),
        confidence: Double
    ) -> (estimate: Double, interval: Interval) {
        let stable = thinned(stableSamples)
        let differences = thinned(candidateSamples).flatMap { c in stable.map { c - $0 } }.sorted()
        guard !differences.isEmpty else { return (.nan, Interval(lower: -.infinity, upper: .infinity)) }
        let count = differences.count
        let middle = count / 2
        let estimate =
            count % 2 == 1 ? differences[middle] : (differences[middle - 1] + differences[middle]) / 2
        let (n0, n1) = sizes
        let half = Normal.quantile(confidence) * ((n0 + n1 + 1) / (12 * n0 * n1)).squareRoot()
        let reach = ((0.5 + half) * Double(count)).rounded(.up)
        guard reach < Double(count) else {
            return (estimate, Interval(lower: -.infinity, upper: .infinity))
        }
        return (
            estimate, Interval(lower: differences[count - 1 - Int(reach)], upper: differences[Int(reach)])
        )
    }

    private static func thinned(_ samples: [Double]) -> [Double] {
        let step = (samples.count + 999) / 1000
        return step <= 1 ? samples : stride(from: 0, to: samples.count, by: step).map { samples[$0] }
    }
}

/// For each category, the share of the other version's observations below it; a tie counts one half.
struct Placements {
    /// Of a candidate's observation among the stable ones.
    var ofCandidate: [Double] = []
    /// Of a stable observation among the candidate's.
    var ofStable: [Double] = []
    private let counts: OrdinalCounts

    init(_ counts: OrdinalCounts) {
        self.counts = counts
        ofCandidate = Self.shares(counts.stable)
        ofStable = Self.shares(counts.candidate)
    }

    private static func shares(_ counts: [Double]) -> [Double] {
        let total = counts.reduce(0, +)
        var below = 0.0
        return counts.map { count in
            defer { below += count }
            return (below + count / 2) / total
        }
    }

    /// The mean placement of observations distributed over the categories like `counts`.
    static func mean(_ placements: [Double], _ counts: [Double]) -> Double {
        zip(placements, counts).reduce(0) { $0 + $1.0 * $1.1 } / counts.reduce(0, +)
    }

    /// The variance of one observation's placement, for each version.
    var variances: (stable: Double, candidate: Double) {
        func variance(_ placements: [Double], _ counts: [Double]) -> Double {
            let mean = Self.mean(placements, counts)
            let sum = zip(placements, counts).reduce(0.0) { $0 + $1.1 * ($1.0 - mean) * ($1.0 - mean) }
            return sum / counts.reduce(0, +)
        }
        return (variance(ofStable, counts.stable), variance(ofCandidate, counts.candidate))
    }
}
