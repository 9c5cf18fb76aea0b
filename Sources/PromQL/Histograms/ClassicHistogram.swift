internal import Glibc

/// A histogram of cumulative counts at upper bounds.
struct ClassicHistogram {
    struct Bucket {
        var upper: Double
        var count: Double
    }

    /// The correction for counts that decreased from one bound to a higher one.
    struct Correction {
        /// The lowest and the highest bound at which a count was raised.
        var lowest: Double
        var highest: Double
        /// The greatest increase of a count.
        var greatest: Double
    }

    /// Relative differences up to this are treated as rounding errors.
    private static let tolerance = 1e-12

    private var buckets: [Bucket]

    /// - Parameter buckets: ascending by bound, at least one. Counts at equal bounds are added up.
    init(ascending buckets: [Bucket]) {
        var joined: [Bucket] = []
        joined.reserveCapacity(buckets.count)
        for bucket in buckets {
            if joined.last?.upper == bucket.upper {
                joined[joined.count - 1].count += bucket.count
            } else {
                joined.append(bucket)
            }
        }
        self.buckets = joined
    }

    /// Interpolates the `quantile` linearly in a bucket, like `histogram_quantile`.
    ///
    /// - Returns: -Inf below 0, +Inf above 1; NaN for NaN, without observations, with fewer than two buckets or a last
    ///   bound other than +Inf.
    func quantile(_ quantile: Double) -> (value: Double, correction: Correction?) {
        if quantile.isNaN { return (.nan, nil) }
        if quantile < 0 { return (-.infinity, nil) }
        if quantile > 1 { return (.infinity, nil) }
        guard buckets.last?.upper == .infinity else { return (.nan, nil) }
        var copy = self
        let correction = copy.makeMonotonic()
        let buckets = copy.buckets
        guard buckets.count >= 2, buckets[buckets.count - 1].count != 0 else { return (.nan, nil) }
        let last = buckets.count - 1
        var rank = quantile * buckets[last].count
        let index = buckets[..<last].firstIndex { $0.count >= rank } ?? last
        if index == last { return (buckets[last - 1].upper, correction) }
        if index == 0 && buckets[0].upper <= 0 { return (buckets[0].upper, correction) }
        var lower = 0.0
        var count = buckets[index].count
        if index > 0 {
            lower = buckets[index - 1].upper
            count -= buckets[index - 1].count
            rank -= buckets[index - 1].count
        }
        return (lower + (buckets[index].upper - lower) * (rank / count), correction)
    }

    /// The fraction of observations between `lower` and `upper`.
    func fraction(_ lower: Double, _ upper: Double) -> Double {
        guard buckets.last?.upper == .infinity else { return .nan }
        let total = buckets[buckets.count - 1].count
        if total == 0 || lower.isNaN || upper.isNaN { return .nan }
        if lower >= upper { return 0 }
        let (low, high) = (rank(of: lower), rank(of: upper))
        return (min(high, total) - min(low, total)) / total
    }

    /// The estimated number of observations below `value`.
    private func rank(of value: Double) -> Double {
        var previous = 0.0
        for (index, bucket) in buckets.enumerated() {
            // A first bucket with positive numbers starts at zero.
            let lower = index > 0 ? buckets[index - 1].upper : bucket.upper > 0 ? 0 : -.infinity
            if lower >= value { return previous }
            if bucket.upper > value {
                // The position of observations in a bucket of infinite width is unknown: none is counted.
                if lower == -.infinity { return bucket.count }
                if bucket.upper == .infinity { return previous }
                return previous + (bucket.count - previous) * (value - lower) / (bucket.upper - lower)
            }
            previous = bucket.count
        }
        return previous
    }

    /// Makes counts non-decreasing. Small differences are ignored, greater ones are raised to the previous count.
    private mutating func makeMonotonic() -> Correction? {
        var correction: Correction?
        guard var previous = buckets.first?.count else { return nil }
        for index in buckets.indices.dropFirst() {
            let count = buckets[index].count
            if count == previous { continue }
            if Self.areClose(previous, count) {
                buckets[index].count = previous
            } else if count < previous {
                let bound = buckets[index].upper
                let raised = previous - count
                correction = Correction(
                    lowest: min(correction?.lowest ?? bound, bound),
                    highest: max(correction?.highest ?? bound, bound),
                    greatest: max(correction?.greatest ?? raised, raised))
                buckets[index].count = previous
            } else {
                previous = count
            }
        }
        return correction
    }

    private static func areClose(_ left: Double, _ right: Double) -> Bool {
        if left.isNaN && right.isNaN || left == right { return true }
        let sum = left.magnitude + right.magnitude
        let difference = (left - right).magnitude
        if left == 0 || right == 0 || sum < .leastNormalMagnitude {
            return difference < tolerance * .leastNormalMagnitude
        }
        return difference / min(sum, .greatestFiniteMagnitude) < tolerance
    }
}
