internal import Glibc
internal import Rollback

/// Determines for each metric whether the candidate is worse than the stable version, by how much, and how certain it
/// is.
///
/// A pure function of its arguments. A metric **fails** if data as bad as these are improbable without a change
/// (Holm-adjusted over all tests) and the size of the change is relevant. It **passes** if a relevant change is
/// excluded at the required confidence. Otherwise, and without data, it is **inconclusive**: absence of evidence never
/// passes.
public enum RegressionTest {
    /// The findings of all metrics: one per test, in the order of the metrics.
    public static func findings(
        of metrics: [(criteria: MetricCriteria, observations: MetricObservations)], _ confidence: GateConfidence
    ) -> [MetricFinding] {
        var findings = metrics.flatMap { found(of: $0.observations, $0.criteria, confidence, tests: metrics.count) }
        let tested = findings.indices.filter { findings[$0].probability != nil }
        let adjusted = MultipleTests.holm(tested.map { findings[$0].probability ?? 1 })
        for (index, value) in zip(tested, adjusted) {
            findings[index].adjusted = value
            findings[index].conclude(confidence)
        }
        return findings
    }

    /// The worst of several verdicts; inconclusive if there are none.
    public static func verdict(of findings: [MetricFinding]) -> GateVerdict {
        if findings.contains(where: { $0.verdict == .fail }) { return .fail }
        return findings.isEmpty || findings.contains { $0.verdict == .inconclusive } ? .inconclusive : .pass
    }

    private static func found(
        of observations: MetricObservations, _ criteria: MetricCriteria, _ confidence: GateConfidence, tests: Int
    ) -> [MetricFinding] {
        // Power is computed for the level that Holm's method requires of the smallest p-value.
        let level = confidence.significance / Double(max(1, tests))
        switch observations {
        case .missing(let reason): return [.missing(criteria, .none, reason)]
        case .counts(let stable, let candidate):
            let (s, c) = criteria.better == .lower ? (stable, candidate) : (misses(stable), misses(candidate))
            return [counts(s, c, criteria, .fisher, confidence, level)]
        case .histogram(let bounds, let stable, let candidate):
            return histogram(bounds, stable, candidate, criteria, confidence, level)
        case .samples(let stable, let candidate):
            return [samples(stable, candidate, criteria, confidence, level)]
        }
    }

    private static func misses(_ slices: [EventCount]) -> [EventCount] {
        slices.map { EventCount(events: $0.trials - $0.events, trials: $0.trials) }
    }

    // MARK: shares

    static func counts(
        _ stable: [EventCount], _ candidate: [EventCount], _ criteria: MetricCriteria, _ test: MetricFinding.Test,
        _ confidence: GateConfidence, _ level: Double
    ) -> MetricFinding {
        let none = EventCount(events: 0, trials: 0)
        let (s, c) = (stable.reduce(none, +), candidate.reduce(none, +))
        guard s.trials > 0 else { return .missing(criteria, test, "no requests of the stable version") }
        guard c.trials > 0 else { return .missing(criteria, test, "no requests of the candidate") }
        var finding = MetricFinding(criteria, test)
        let effects = SliceDependence(stable, candidate)
        finding.stable = ObservationSize(observations: s.trials, events: s.events, designEffect: effects.stable)
        finding.candidate = ObservationSize(
            observations: c.trials, events: c.events, designEffect: effects.candidate)
        let (es, ec) = (s.divided(by: effects.stable), c.divided(by: effects.candidate))
        let degrees = effects.degrees
        let sureness = Clustering.widened(confidence: confidence.confidence, degrees: degrees)
        finding.probability = Clustering.widened(CountTest.fisher(candidate: ec, stable: es), degrees: degrees)
        let minimum = criteria.minimum
        finding.effects = [
            MetricEffect(
                name: "risk_difference", estimate: c.share - s.share,
                interval: CountTest.differenceInterval(candidate: ec, stable: es, confidence: sureness),
                minimum: minimum.absolute),
            MetricEffect(
                name: "rate_ratio", estimate: s.events > 0 ? c.share / s.share : c.events > 0 ? .infinity : 1,
                interval: CountTest.ratioInterval(candidate: ec, stable: es, confidence: sureness),
                minimum: 1 + minimum.relative),
        ]
        if s.events == 0 { finding.notes.append("the stable version has no events: the ratio has no upper limit") }
        let share0 = (es.events + 0.5) / (es.trials + 1)
        let share1 = min(1, share0 + max(minimum.absolute, minimum.relative * share0))
        func power(_ scale: Double) -> Double {
            CountTest.power(
                share0: share0, share1: share1, trials0: es.trials * scale, trials1: ec.trials * scale,
                significance: level)
        }
        finding.power = power(1)
        finding.needed = needed(power, of: min(s.trials, c.trials), confidence.confidence)
        return finding
    }

    // MARK: histograms

    private static func histogram(
        _ bounds: [Double], _ stable: [[Double]], _ candidate: [[Double]], _ criteria: MetricCriteria,
        _ confidence: GateConfidence, _ level: Double
    ) -> [MetricFinding] {
        let isReversed = criteria.better == .higher
        func ordered(_ slices: [[Double]]) -> [[Double]] { isReversed ? slices.map { $0.reversed() } : slices }
        let (s, c) = (ordered(stable), ordered(candidate))
        let counts = OrdinalCounts(stable: sums(s, bounds.count), candidate: sums(c, bounds.count))
        guard counts.stableTotal > 0 else { return [.missing(criteria, .rank, "no requests of the stable version")] }
        guard counts.candidateTotal > 0 else { return [.missing(criteria, .rank, "no requests of the candidate")] }
        guard counts.tieFactor > 0 else {
            return [.missing(criteria, .rank, "all requests are in one bucket: the histogram is too coarse")]
        }
        var finding = MetricFinding(criteria, .rank)
        let dependence = SliceDependence(s, c, Placements(counts))
        finding.stable = ObservationSize(observations: counts.stableTotal, designEffect: dependence.stable)
        finding.candidate = ObservationSize(observations: counts.candidateTotal, designEffect: dependence.candidate)
        let quantiles = BucketQuantiles(bounds: bounds)
        for (size, slices) in [(\MetricFinding.stable, stable), (\MetricFinding.candidate, candidate)] {
            finding[keyPath: size].median = quantiles.quantile(0.5, sums(slices, bounds.count))
            finding[keyPath: size].p95 = quantiles.quantile(0.95, sums(slices, bounds.count))
        }
        rank(&finding, counts, minimum: criteria.minimum.superiority, confidence, level, dependence.degrees)
        var findings = [finding]
        if let tail = tail(counts, s, c) {
            var tailCriteria = criteria
            tailCriteria.minimum = .tail
            var finding = Self.counts(tail.stable, tail.candidate, tailCriteria, .tail, confidence, level)
            let edge = isReversed ? bounds.count - tail.from - 1 : tail.from - 1
            if bounds.indices.contains(edge) {
                finding.notes.append(
                    "the tail is everything \(isReversed ? "up to" : "above") \(MetricFinding.number(bounds[edge]))")
            }
            findings.append(finding)
        }
        return findings
    }

    private static func sums(_ slices: [[Double]], _ count: Int) -> [Double] {
        slices.reduce(into: [Double](repeating: 0, count: count)) { sums, slice in
            for (index, value) in slice.enumerated() where index < count { sums[index] += value }
        }
    }

    /// The requests above the bucket bound nearest to the 95th percentile of both versions together; `nil` if there is
    /// no bound between the 80th and the 99.5th.
    ///
    /// The bound is computed from both versions together. It does not depend on which request belongs to which version,
    /// so the test remains exact.
    private static func tail(
        _ counts: OrdinalCounts, _ stable: [[Double]], _ candidate: [[Double]]
    ) -> (from: Int, stable: [EventCount], candidate: [EventCount])? {
        let total = counts.stableTotal + counts.candidateTotal
        var above = total
        var best: (from: Int, distance: Double)?
        for index in counts.stable.indices {
            above -= counts.stable[index] + counts.candidate[index]
            let share = above / total
            guard share >= 0.005, share <= 0.2 else { continue }
            let distance = log(share / 0.05).magnitude
            if distance < best?.distance ?? .infinity { best = (index + 1, distance) }
        }
        guard let from = best?.from else { return nil }
        func counted(_ slices: [[Double]]) -> [EventCount] {
            slices.map { EventCount(events: $0.dropFirst(from).reduce(0, +), trials: $0.reduce(0, +)) }
        }
        return (from, counted(stable), counted(candidate))
    }

    private static func rank(
        _ finding: inout MetricFinding, _ counts: OrdinalCounts, minimum: Double, _ confidence: GateConfidence,
        _ level: Double, _ degrees: Double?
    ) {
        let sizes = effectiveSizes(finding)
        let isIndependent = finding.stable.designEffect == 1 && finding.candidate.designEffect == 1
        let probability = RankTest.probability(counts, sizes: isIndependent ? nil : sizes)
        finding.probability = Clustering.widened(probability, degrees: degrees)
        let sureness = Clustering.widened(confidence: confidence.confidence, degrees: degrees)
        finding.effects = [
            MetricEffect(
                name: "probability_of_superiority", estimate: counts.superiority,
                interval: RankTest.interval(counts, sizes: sizes, confidence: sureness), minimum: minimum)
        ]
        func power(_ scale: Double) -> Double {
            RankTest.power(
                counts, superiority: minimum, sizes: (sizes.stable * scale, sizes.candidate * scale),
                significance: level)
        }
        finding.power = power(1)
        finding.needed = needed(
            power, of: min(finding.stable.observations, finding.candidate.observations), confidence.confidence)
    }

    private static func effectiveSizes(_ finding: MetricFinding) -> (stable: Double, candidate: Double) {
        (
            finding.stable.observations / finding.stable.designEffect,
            finding.candidate.observations / finding.candidate.designEffect
        )
    }

    // MARK: samples

    private static func samples(
        _ stable: [[Double]], _ candidate: [[Double]], _ criteria: MetricCriteria, _ confidence: GateConfidence,
        _ level: Double
    ) -> MetricFinding {
        let sign = criteria.better == .lower ? 1.0 : -1.0
        func worse(_ slices: [[Double]]) -> [[Double]] {
            slices.map { slice in slice.filter { !$0.isNaN }.map { $0 * sign } }
        }
        let (s, c) = (worse(stable), worse(candidate))
        let (allStable, allCandidate) = (s.flatMap(\.self), c.flatMap(\.self))
        guard !allStable.isEmpty else { return .missing(criteria, .rank, "no samples of the stable version") }
        guard !allCandidate.isEmpty else { return .missing(criteria, .rank, "no samples of the candidate") }
        var finding = MetricFinding(criteria, .rank)
        let counts = OrdinalCounts(stableSamples: allStable, candidateSamples: allCandidate)
        let categories = Categories(allStable + allCandidate)
        let dependence = SliceDependence(s.map(categories.counts), c.map(categories.counts), Placements(counts))
        finding.stable = ObservationSize(
            observations: Double(allStable.count), designEffect: dependence.stable)
        finding.candidate = ObservationSize(
            observations: Double(allCandidate.count), designEffect: dependence.candidate)
        finding.stable.median = sign * middle(allStable)
        finding.candidate.median = sign * middle(allCandidate)
        let minimum = max(criteria.minimum.absolute, criteria.minimum.relative * middle(allStable).magnitude)
        let sizes = effectiveSizes(finding)
        let isIndependent = finding.stable.designEffect == 1 && finding.candidate.designEffect == 1
        let degrees = dependence.degrees
        finding.probability = Clustering.widened(
            RankTest.probability(counts, sizes: isIndependent ? nil : sizes), degrees: degrees)
        let shift = RankTest.shift(
            stableSamples: allStable, candidateSamples: allCandidate, sizes: sizes,
            confidence: Clustering.widened(confidence: confidence.confidence, degrees: degrees))
        finding.effects = [
            MetricEffect(
                name: "hodges_lehmann_shift", estimate: shift.estimate, interval: shift.interval, minimum: minimum)
        ]
        // A change of exactly the smallest relevant size, applied to the stable version's own samples.
        let moved = OrdinalCounts(stableSamples: allStable, candidateSamples: allStable.map { $0 + minimum })
        func power(_ scale: Double) -> Double {
            RankTest.power(
                moved, superiority: moved.superiority, sizes: (sizes.stable * scale, sizes.candidate * scale),
                significance: level)
        }
        finding.power = power(1)
        finding.needed = needed(
            power, of: Double(min(allStable.count, allCandidate.count)), confidence.confidence)
        finding.notes.append("probability of superiority \(MetricFinding.number(counts.superiority))")
        return finding
    }

    private static func middle(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        let half = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
    }

    // MARK: sizes

    /// The number of observations at which `power` reaches `wanted`; `nil` if it already does.
    private static func needed(_ power: (Double) -> Double, of size: Double, _ wanted: Double) -> Double? {
        guard power(1) < wanted else { return nil }
        var scale = 1.0
        while power(scale) < wanted, scale < 1e9 { scale *= 1.25 }
        return scale < 1e9 ? (size * scale).rounded(.up) : nil
    }
}

/// The distinct values in order, so that samples can be counted like buckets.
private struct Categories {
    private let values: [Double]

    init(_ samples: [Double]) {
        values = Array(Set(samples)).sorted()
    }

    func counts(_ samples: [Double]) -> [Double] {
        samples.reduce(into: [Double](repeating: 0, count: values.count)) { counts, sample in
            var low = 0
            var high = values.count
            while low < high {
                let middle = (low + high) / 2
                if values[middle] < sample { low = middle + 1 } else { high = middle }
            }
            counts[low] += 1
        }
    }
}

/// Quantiles of counts by bucket, with the interpolation of `histogram_quantile`.
struct BucketQuantiles {
    let bounds: [Double]

    func quantile(_ share: Double, _ counts: [Double]) -> Double? {
        let rank = share * counts.reduce(0, +)
        guard rank > 0 else { return nil }
        var below = 0.0
        for (index, count) in counts.enumerated() {
            if below + count >= rank, count > 0 {
                let lower = index > 0 ? bounds[index - 1] : min(0, bounds[index])
                return bounds[index].isFinite ? lower + (bounds[index] - lower) * (rank - below) / count : lower
            }
            below += count
        }
        return nil
    }
}
