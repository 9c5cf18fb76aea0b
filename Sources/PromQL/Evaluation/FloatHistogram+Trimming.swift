internal import Glibc
internal import MetricModel

/// The operators `</` and `>/`: histograms without the observations on one side of a bound.
extension FloatHistogram {
    /// Without the observations above `bound`.
    func trimmed(above bound: Double) -> FloatHistogram { trimmed(Trim(bound: bound, keepsLower: true)) }

    /// Without the observations below `bound`.
    func trimmed(below bound: Double) -> FloatHistogram { trimmed(Trim(bound: bound, keepsLower: false)) }

    private func trimmed(_ trim: Trim) -> FloatHistogram {
        var result = self
        var remaining = 0.0
        var removedSum = 0.0
        var hasPositive = false
        var hasNegative = false
        for (index, bucket) in positiveBucketList.enumerated() where bucket.count != 0 {
            if usesCustomBuckets {
                hasNegative = hasNegative || bucket.upper <= 0 || bucket.lower < 0
                hasPositive = hasPositive || bucket.upper > 0
            } else {
                hasPositive = true
            }
            let part = trim.apply(to: bucket, isLinear: usesCustomBuckets, isPositive: true)
            result.positiveBuckets[index] = part.kept
            remaining += part.kept
            removedSum += part.removedSum
        }
        for (index, bucket) in negativeBucketList.enumerated() where bucket.count != 0 {
            hasNegative = true
            let part = trim.apply(to: bucket, isLinear: usesCustomBuckets, isPositive: false)
            result.negativeBuckets[index] = part.kept
            remaining += part.kept
            removedSum += part.removedSum
        }
        if zeroCount > 0 {
            // The zero bucket is spread evenly; what goes from it changes the sum by nothing.
            let below = trim.countBelow(zeroBucket, isLinear: true, isPositive: true)
            result.zeroCount = trim.keepsLower ? below : zeroCount - below
            remaining += result.zeroCount
        }
        var newSum = 0.0
        if remaining != 0 {
            newSum = sum - removedSum
            // Observations of one sign cannot add up to the other.
            if !hasNegative && newSum < 0 || !hasPositive && newSum > 0 { newSum = 0 }
        }
        result.count = remaining
        result.sum = newSum
        result.compact()
        return result
    }
}

/// A cut through a histogram.
private struct Trim {
    let bound: Double
    /// Whether the observations below the bound are kept.
    let keepsLower: Bool

    /// How many observations of a bucket are kept, and what the others are estimated to add up to.
    func apply(
        to bucket: FloatHistogram.Bucket, isLinear: Bool, isPositive: Bool
    ) -> (kept: Double, removedSum: Double) {
        let isKept = keepsLower ? bucket.upper <= bound : bucket.lower >= bound
        if isKept { return (bucket.count, 0) }
        let isCut = keepsLower ? bucket.lower < bound : bucket.upper > bound
        let part = cut(bucket, isLinear: isLinear, isPositive: isPositive)
        if isCut { return (part.kept, (bucket.count - part.kept) * part.middle) }
        let middle = isLinear ? part.middle : Self.middle(bucket.lower, bucket.upper, isPositive: isPositive)
        return (0, bucket.count * middle)
    }

    /// What is kept of a bucket that is cut, and the middle of what is removed.
    private func cut(
        _ bucket: FloatHistogram.Bucket, isLinear: Bool, isPositive: Bool
    ) -> (kept: Double, middle: Double) {
        if bucket.lower == -.infinity { return cutFirst(bucket) }
        if bucket.upper == .infinity {
            // How far up it reaches is not known: what is not certainly kept goes.
            return !keepsLower && bound <= bucket.lower ? (bucket.count, 0) : (0, bucket.lower)
        }
        let below = countBelow(bucket, isLinear: isLinear, isPositive: isPositive)
        let middle =
            isLinear
            ? (bucket.lower + bucket.upper) / 2
            : keepsLower
                ? Self.middle(bucket.lower, bound, isPositive: isPositive)
                : Self.middle(bound, bucket.upper, isPositive: isPositive)
        return (keepsLower ? below : bucket.count - below, middle)
    }

    /// A first custom bucket: it begins at zero if it ends above, else it is not known where.
    private func cutFirst(_ bucket: FloatHistogram.Bucket) -> (kept: Double, middle: Double) {
        if keepsLower && bound >= bucket.upper || !keepsLower && bound == -.infinity { return (bucket.count, 0) }
        if bound >= 0 && bucket.upper > bound && bucket.upper != .infinity {
            return keepsLower
                ? (bucket.count * bound / bucket.upper, (bound + bucket.upper) / 2)
                : (bucket.count * (1 - bound / bucket.upper), bound / 2)
        }
        return (0, bucket.upper)
    }

    /// How many observations are estimated to lie below the bound.
    func countBelow(_ bucket: FloatHistogram.Bucket, isLinear: Bool, isPositive: Bool) -> Double {
        if bound <= bucket.lower { return 0 }
        if bound >= bucket.upper { return bucket.count }
        if isLinear { return bucket.count * (bound - bucket.lower) / (bucket.upper - bucket.lower) }
        let (low, high, place) = (log2(bucket.lower.magnitude), log2(bucket.upper.magnitude), log2(bound.magnitude))
        return bucket.count * (isPositive ? (place - low) / (high - low) : 1 - (place - high) / (low - high))
    }

    /// The geometric mean, with the sign of the side.
    private static func middle(_ lower: Double, _ upper: Double, isPositive: Bool) -> Double {
        let root = (lower.magnitude * upper.magnitude).squareRoot()
        return isPositive ? root : -root
    }
}
