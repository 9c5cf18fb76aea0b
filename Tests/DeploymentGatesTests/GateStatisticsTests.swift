import Testing

@testable import DeploymentGates
@testable import Rollback
@testable import RolloutRunner

/// Numbers of SciPy 1.17.1, printed by `scripts/gate-golden-values.py`.
@Suite struct GateStatisticsTests {
    private func isClose(_ left: Double, _ right: Double, _ tolerance: Double = 1e-10) -> Bool {
        (left - right).magnitude <= tolerance * max(right.magnitude, 1e-300)
    }

    private func count(_ events: Double, _ trials: Double) -> EventCount { EventCount(events: events, trials: trials) }

    @Test(
        "Fisher's exact test agrees with SciPy",
        arguments: [
            (1, 3, 0, 5, 0.375), (5, 100, 0, 100, 0.029691605234293292), (3, 7, 3, 7, 0.703962703962704),
            (0, 10, 4, 10, 1.0), (10, 1000, 2, 5000, 7.592213967946714e-07),
            (30, 10000, 0, 10000, 9.11255721995333e-10), (520, 100000, 500, 100000, 0.2754524213037565),
            (2000, 1_000_000, 1800, 1_000_000, 0.0006147544957782569), (50, 50, 10, 50, 7.472794411214413e-19),
            (7, 9, 2, 11, 0.012383900928792572),
        ] as [(Double, Double, Double, Double, Double)])
    func fisher(k1: Double, n1: Double, k0: Double, n0: Double, expected: Double) {
        let p = CountTest.fisher(candidate: count(k1, n1), stable: count(k0, n0))
        // Differences of logarithms near 10⁷ lose eight digits.
        #expect(isClose(p, expected, n1 > 1e5 ? 1e-7 : 1e-9), "\(p)")
    }

    @Test("Fisher's test of millions of requests ends, on either side of the mode")
    func fisherOfManyRequests() {
        let many = count(50_000_000, 1_000_000_000)
        let p = CountTest.fisher(candidate: many, stable: many)
        #expect(p > 0.49 && p < 0.51)
        #expect(CountTest.fisher(candidate: count(49_000_000, 1_000_000_000), stable: many) > 1 - 1e-9)
        #expect(CountTest.fisher(candidate: count(51_000_000, 1_000_000_000), stable: many) < 1e-9)
    }

    @Test(
        "the conditional test of two rates and its limits agree with SciPy's binomtest",
        arguments: [
            (5, 100, 1, 100, 0.109375, 0.718793640768818, 116.47506688236514),
            (10, 1000, 2, 5000, 7.86022548834207e-07, 6.412777836662777, 159.14881179413857),
            (0, 100, 3, 100, 1.0, 0.0, 1.7144176165949065),
            (40, 2000, 20, 2000, 0.00674464686559593, 1.239813997775648, 3.291164342088137),
        ] as [(Double, Double, Double, Double, Double, Double, Double)])
    func poisson(k1: Double, n1: Double, k0: Double, n0: Double, p: Double, low: Double, high: Double) {
        let (candidate, stable) = (count(k1, n1), count(k0, n0))
        #expect(isClose(CountTest.poisson(candidate: candidate, stable: stable), p))
        let limits = CountTest.ratioInterval(candidate: candidate, stable: stable, confidence: 0.95)
        #expect(isClose(limits.lower, low) && isClose(limits.upper, high), "\(limits)")
    }

    @Test("the ratio to a stable version without events is unbounded")
    func ratioToNothing() {
        let limits = CountTest.ratioInterval(candidate: count(0, 100), stable: count(0, 100), confidence: 0.95)
        #expect(limits == Interval(lower: 0, upper: .infinity))
    }

    @Test(
        "Wilson's limits agree with SciPy's",
        arguments: [
            (0, 20, 0.0, 0.11915783736096448), (3, 50, 0.024231257031218402, 0.1409419464606993),
            (50, 50, 0.9486668142137299, 1.0), (500, 100_000, 0.0046462728968430225, 0.005380511258695555),
        ] as [(Double, Double, Double, Double)])
    func wilson(events: Double, trials: Double, low: Double, high: Double) {
        let limits = CountTest.wilson(count(events, trials), 0.95)
        #expect(isClose(limits.lower, low) && isClose(limits.upper, high), "\(limits)")
    }

    @Test("limits of a difference are those of Newcombe's paper")
    func newcombe() {
        // Newcombe 1998, table II, example (a), method 10, two-sided 95 %: 56/70 − 48/80 lies in 0.0524...0.3339.
        let limits = CountTest.differenceInterval(
            candidate: count(56, 70), stable: count(48, 80), confidence: 0.975)
        #expect((limits.lower - 0.0524).magnitude < 5e-5 && (limits.upper - 0.3339).magnitude < 5e-5, "\(limits)")
        // Example (h): 10/10 − 0/10 lies in 0.6075...1.
        let extreme = CountTest.differenceInterval(candidate: count(10, 10), stable: count(0, 10), confidence: 0.975)
        #expect((extreme.lower - 0.6075).magnitude < 5e-5 && isClose(extreme.upper, 1), "\(extreme)")
    }

    @Test(
        "the exact rank test agrees with SciPy, with ties and without",
        arguments: [
            ([3, 5, 9], [1, 2, 4, 6], 9.0, 0.2), ([1.5, 2.5, 3.5, 4.5], [0.5, 1, 2, 3], 13.0, 0.1),
            ([10, 11, 12, 13, 14], [1, 2, 3, 4, 5], 25.0, 0.003968253968253968),
            ([2, 2, 3], [1, 2, 2, 1], 10.0, 0.17142857142857143),
            ([1, 1, 2, 5], [1, 1, 1, 3, 4], 11.0, 0.48412698412698413), ([3, 3, 3], [3, 3, 2], 6.0, 0.5),
        ] as [([Double], [Double], Double, Double)])
    func exactRanks(candidate: [Double], stable: [Double], statistic: Double, p: Double) {
        let counts = OrdinalCounts(stableSamples: stable, candidateSamples: candidate)
        #expect(counts.statistic == statistic)
        #expect(isClose(RankTest.probability(counts), p), "\(RankTest.probability(counts))")
    }

    @Test(
        "the rank test on buckets agrees with SciPy's on as many tied samples",
        arguments: [
            ([50, 30, 15, 5], [40, 30, 20, 10], 5675.0, 0.03914169087309174),
            ([1000, 500, 100], [950, 520, 130], 1_326_500.0, 0.01935845617426961),
            ([5, 0, 20, 100, 3], [2, 1, 25, 110, 9], 9773.5, 0.2272321423496299),
            ([40, 40, 40], [40, 40, 40], 7200.0, 0.5003934172032571),
        ] as [([Double], [Double], Double, Double)])
    func rankedBuckets(stable: [Double], candidate: [Double], statistic: Double, p: Double) {
        let counts = OrdinalCounts(stable: stable, candidate: candidate)
        #expect(counts.statistic == statistic)
        #expect(isClose(RankTest.probability(counts), p), "\(RankTest.probability(counts))")
    }

    @Test("the median of differences agrees with NumPy, and its limits widen with fewer samples")
    func shift() {
        func shift(_ candidate: [Double], _ stable: [Double], size: Double = 100) -> (Double, Interval) {
            let found = RankTest.shift(
                stableSamples: stable, candidateSamples: candidate, sizes: (size, size), confidence: 0.95)
            return (found.estimate, found.interval)
        }
        #expect(shift([3, 5, 9], [1, 2, 4, 6]).0 == 2.5)
        #expect(shift([10, 11, 12, 13], [1, 2, 3, 4]).0 == 9)
        #expect(shift([3, 5, 9], [1, 2, 4, 6], size: 1).1 == Interval(lower: -.infinity, upper: .infinity))
        let narrow = shift(Array(stride(from: 0, to: 50, by: 1)), Array(stride(from: 0, to: 50, by: 1)), size: 50).1
        #expect(narrow.lower < 0 && narrow.upper > 0 && narrow.upper < 10)
    }

    @Test("distributions agree with SciPy")
    func distributions() {
        for (z, p) in [
            (-3.0, 0.9986501019683699), (0.0, 0.5), (1.0, 0.15865525393145707), (6.0, 9.865876450376946e-10),
            (12.0, 1.776482112077653e-33),
        ] { #expect(isClose(Normal.upperTail(z), p)) }
        for (p, z) in [
            (1e-12, -7.034483825301131), (0.001, -3.090232306167813), (0.025, -1.9599639845400545),
            (0.3, -0.5244005127080409), (0.95, 1.6448536269514722), (0.999999, 4.753424308817087),
        ] { #expect(isClose(Normal.quantile(p), z), "\(Normal.quantile(p))") }
        for (t, degrees, p) in [
            (0.5, 3.0, 0.3257239824240755), (2.0, 18.0, 0.030410732834666217), (4.5, 18.0, 0.00013849969675349883),
            (-1.0, 7.0, 0.8246916685898963),
        ] { #expect(isClose(Student.upperTail(t, degrees: degrees), p)) }
        for (degrees, t) in [(1.0, 6.313751514675037), (18.0, 1.7340636066175388), (200.0, 1.6525081009108769)] {
            #expect(isClose(Student.quantile(0.95, degrees: degrees), t))
        }
        for (x, value) in [
            (0.01, 4.599479878042022), (0.5, 0.5723649429247), (2.5, 0.2846828704729192), (9.99, 12.779315214350195),
            (123.4, 469.3360974421906), (1e6, 12_815_504.569147611),
        ] { #expect(isClose(Beta.logGamma(x), value, 1e-13), "\(Beta.logGamma(x))") }
        for (a, b, x, p) in [
            (2.0, 3.0, 0.4, 0.5248), (0.5, 0.5, 0.1, 0.20483276469913345), (30.0, 1000.0, 0.02, 0.02872692800884805),
            (5000.0, 5000.0, 0.51, 0.9772579676754254), (1e5, 2e6, 0.0477, 0.7093695141242857),
        ] { #expect(isClose(Beta.lowerTail(x, a, b), p, 1e-8), "\(Beta.lowerTail(x, a, b))") }
    }

    @Test("Holm's correction multiplies the smallest most, and never reverses an order")
    func holm() {
        #expect(MultipleTests.holm([0.01, 0.04, 0.03]) == [0.03, 0.06, 0.06])
        #expect(MultipleTests.holm([0.9, 0.9]) == [1, 1])
        #expect(MultipleTests.holm([]) == [])
    }

    @Test("correlated slices have less information than independent ones")
    func designEffects() {
        let even = (0..<20).map { _ in count(5, 100) }
        #expect(Clustering.designEffect(even) == 1)
        // All events in one of twenty slices: their number is 1, so to speak, not 100.
        let burst = (0..<20).map { count($0 == 3 ? 100 : 0, 100) }
        #expect(Clustering.designEffect(burst) > 90)
        // Bursts of two slices are seen better in pairs.
        let long = (0..<20).map { count($0 == 4 || $0 == 5 ? 50 : 0, 100) }
        let short = (0..<20).map { count($0 == 4 || $0 == 10 ? 50 : 0, 100) }
        #expect(Clustering.designEffect(long) > 1.5 * Clustering.designEffect(short))
    }
}
