internal import Rollback

/// How much less information clustered observations carry than the same number of independent ones.
///
/// Requests of the same time depend on each other: bursts, a slow dependency, a busy host. A window is divided into
/// slices, and the variance between slices is compared with that of independent observations. The ratio is the design
/// effect; dividing counts by it makes tests for independent data valid (Rao and Scott 1992). It is never below 1.
/// Bursts longer than a slice are found by also comparing pairs of adjacent slices; the larger value is used.
public enum Clustering {
    /// The design effect of a share that was counted by slice.
    public static func designEffect(_ slices: [EventCount]) -> Double {
        max(1, effect(slices), effect(paired(slices, +)))
    }

    /// The degrees of freedom of a variance estimated from these numbers of slices. Half of the slices count, because
    /// adjacent ones depend on each other. `nil` if there are no slices and nothing was estimated.
    public static func degrees(stable: Int, candidate: Int) -> Double? {
        let degrees = Double(stable + candidate) / 2 - 2
        return stable > 1 && candidate > 1 && degrees >= 1 ? degrees : nil
    }

    /// Converts a probability under a known variance to one under an estimated variance: its normal deviate is used as
    /// a deviate of Student's t.
    static func widened(_ probability: Double, degrees: Double?) -> Double {
        guard let degrees, probability > 0, probability < 0.5 else { return probability }
        return Student.upperTail(-Normal.quantile(probability), degrees: degrees)
    }

    /// The confidence at which limits under a known variance are as wide as those under an estimated one at
    /// `confidence`.
    static func widened(confidence: Double, degrees: Double?) -> Double {
        guard let degrees, confidence > 0.5 else { return confidence }
        return Normal.lowerTail(Student.quantile(confidence, degrees: degrees))
    }

    static func effect(_ slices: [EventCount]) -> Double {
        let used = slices.filter { $0.trials > 0 }
        let total = used.reduce(EventCount(events: 0, trials: 0), +)
        let share = total.share
        guard used.count > 1, share > 0, share < 1 else { return 1 }
        let squares = used.reduce(0.0) { sum, slice in
            let residual = slice.events - share * slice.trials
            return sum + residual * residual
        }
        let m = Double(used.count)
        return m / (m - 1) * squares / (total.trials * share * (1 - share))
    }

    /// The design effect of the mean placement of one version's observations, counted by category and slice.
    ///
    /// - Parameter placements: by category, among the other version's observations.
    static func designEffect(_ slices: [[Double]], placements: [Double]) -> Double {
        let pairs = paired(slices) { left, right in zip(left, right).map { $0 + $1 } }
        return max(1, effect(slices, placements), effect(pairs, placements))
    }

    static func effect(_ slices: [[Double]], _ placements: [Double]) -> Double {
        let sums = slices.map { PlacementSums($0, placements) }.filter { $0.total > 0 }
        let total = sums.reduce(0) { $0 + $1.total }
        guard sums.count > 1, total > 1 else { return 1 }
        let mean = sums.reduce(0) { $0 + $1.first } / total
        let independent = sums.reduce(0) { $0 + $1.second } - total * mean * mean
        guard independent > 0 else { return 1 }
        let squares = sums.reduce(0.0) { sum, slice in
            let residual = slice.first - mean * slice.total
            return sum + residual * residual
        }
        let m = Double(sums.count)
        return m / (m - 1) * squares / independent
    }

    static func paired<Slice>(_ slices: [Slice], _ add: (Slice, Slice) -> Slice) -> [Slice] {
        // Fewer than four pairs give no useful variance.
        guard slices.count >= 8 else { return [] }
        return stride(from: 0, to: slices.count - 1, by: 2).map { add(slices[$0], slices[$0 + 1]) }
    }
}

/// The number of observations of a slice, the sum of their placements, and the sum of the squares.
struct PlacementSums {
    var total = 0.0
    var first = 0.0
    var second = 0.0

    init(_ counts: [Double], _ placements: [Double]) {
        for (count, placement) in zip(counts, placements) {
            total += count
            first += count * placement
            second += count * placement * placement
        }
    }
}

/// Corrections for several tests at once.
public enum MultipleTests {
    /// Holm's adjusted p-values: rejecting those below a level keeps the chance of any false rejection below it.
    public static func holm(_ probabilities: [Double]) -> [Double] {
        let order = probabilities.indices.sorted { probabilities[$0] < probabilities[$1] }
        var adjusted = probabilities
        var largest = 0.0
        for (rank, index) in order.enumerated() {
            largest = max(largest, min(1, probabilities[index] * Double(probabilities.count - rank)))
            adjusted[index] = largest
        }
        return adjusted
    }
}
