internal import Glibc
internal import Rollback
internal import Synchronization

/// The levels at which a test may be repeated while its data grow, so that all looks together are wrong no more often
/// than one test would be. A value.
///
/// Group-sequential test with a spending function (Lan and DeMets 1983, with Kim and DeMets's power family 1987: at the
/// share *t* of the data the error rate *αt^ρ* is spent). The joint distribution of the test statistics of all looks is
/// that of Brownian motion; the boundary of each look follows from the one before by numerical integration (Armitage,
/// McPherson and Rowe 1969).
public struct SpendingSchedule: Equatable, Sendable {
    /// The level of each look, one-sided: the p-value below which the look ends the test.
    public let levels: [Double]

    /// The schedule of `looks` looks at equal distances.
    ///
    /// - Parameters:
    ///   - level: the error rate of all looks together, below one half.
    ///   - power: ρ. 1 spends evenly; a higher value saves the error rate for later looks, when there are more data.
    /// - Complexity: O(looks · points²) with 300 points.
    public init(level: Double, power: Double, looks: Int) {
        levels = Self.levels(Key(level: level, power: power, looks: looks))
    }

    private struct Key: Hashable {
        var level: Double
        var power: Double
        var looks: Int
    }

    /// Schedules by their parameters, because every look of a watch needs the same one again.
    private static let known = Mutex<[Key: [Double]]>([:])
    private static let knownLimit = 100

    private static func levels(_ key: Key) -> [Double] {
        if let levels = known.withLock({ $0[key] }) { return levels }
        let levels = computed(level: key.level, power: key.power, looks: key.looks)
        known.withLock { known in
            if known.count >= knownLimit { known.removeAll() }
            known[key] = levels
        }
        return levels
    }

    private static func computed(level: Double, power: Double, looks: Int) -> [Double] {
        let step = 1 / Double(looks)
        var levels: [Double] = []
        var density = Density()
        var spent = 0.0
        for look in 1...looks {
            let time = Double(look) * step
            let total = level * pow(time, power)
            let boundary = density.boundary(crossedWith: total - spent, after: step)
            spent = total
            density.advance(by: step, to: time, below: boundary)
            levels.append(Normal.upperTail(boundary / time.squareRoot()))
        }
        return levels
    }

    /// The distribution of the statistic among the tests that have not ended, as weights at points. It begins at 0.
    private struct Density {
        private var points = [0.0]
        private var weights = [1.0]
        private static let count = 300
        /// In standard deviations below 0, where the rest of the distribution is negligible.
        private static let reach = 8.0

        /// The boundary that is crossed with `probability` after the time `step`.
        func boundary(crossedWith probability: Double, after step: Double) -> Double {
            let deviation = step.squareRoot()
            var (low, high) = (-Self.reach, 2 * Self.reach)
            for _ in 0..<60 {
                let middle = (low + high) / 2
                var crossed = 0.0
                for (point, weight) in zip(points, weights) {
                    crossed += weight * Normal.upperTail((middle - point) / deviation)
                }
                if crossed > probability { low = middle } else { high = middle }
            }
            return (low + high) / 2
        }

        mutating func advance(by step: Double, to time: Double, below boundary: Double) {
            let least = -Self.reach * time.squareRoot()
            let width = (boundary - least) / Double(Self.count)
            let scale = width / (2 * Double.pi * step).squareRoot()
            let next = (0..<Self.count).map { least + width * (Double($0) + 0.5) }
            weights = next.map { point in
                var sum = 0.0
                for (old, weight) in zip(points, weights) {
                    sum += weight * exp(-(point - old) * (point - old) / (2 * step))
                }
                return sum * scale
            }
            points = next
        }
    }
}

/// The plan of a watch: looks at growing data, of which each may decide. A value.
public struct GateWatch: Equatable, Sendable {
    /// The number of looks, unless a watch is too short for it.
    public static let looks = 20
    /// The exponent of spending for failures. The variance between slices is badly known at first, when a single burst
    /// fills most of the window: little is spent then, which still catches what is far worse.
    static let failurePower = 4.0
    /// The exponent for passes. There is no hurry to pass, so the error rate is kept for the later looks.
    static let passPower = 3.0

    private let failures: SpendingSchedule
    private let passes: SpendingSchedule

    /// The plan for a test with the error rates of `confidence`, over all looks.
    public init(_ confidence: GateConfidence, looks: Int = Self.looks) {
        failures = SpendingSchedule(level: confidence.significance, power: Self.failurePower, looks: looks)
        passes = SpendingSchedule(level: 1 - confidence.confidence, power: Self.passPower, looks: looks)
    }

    /// The requirement of the look with this number, from 1.
    public func confidence(at look: Int) -> GateConfidence {
        let index = min(max(0, look - 1), failures.levels.count - 1)
        return GateConfidence(significance: failures.levels[index], confidence: 1 - passes.levels[index])
    }
}
