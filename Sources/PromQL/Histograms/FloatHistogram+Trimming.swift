internal import Glibc
internal import MetricModel

/// The operators `</` and `>/`: remove the observations on one side of a bound.
extension FloatHistogram {
    /// Without the observations above `bound`.
    func trimmed(above bound: Double) -> FloatHistogram { trimmed(Trim(bound: bound, keepsLower: true)) }

    /// Without the observations below `bound`.
    func trimmed(below bound: Double) -> FloatHistogram { trimmed(Trim(bound: bound, keepsLower: false)) }

    /// Count and sum are estimated from the remaining buckets, unless all remain.
    private func trimmed(_ trim: Trim) -> FloatHistogram {
        var result = self
        var count = 0.0
        var sum = 0.0
        func keep(_ part: Trim.Part) -> Double {
            count += part.count
            sum += part.middle * part.count
            return part.count
        }
        for (index, bucket) in positiveBucketList.enumerated() where bucket.count != 0 {
            result.positiveBuckets[index] = keep(trim.part(of: bucket, isLinear: usesCustomBuckets, isPositive: true))
        }
        for (index, bucket) in negativeBucketList.enumerated() where bucket.count != 0 {
            result.negativeBuckets[index] = keep(trim.part(of: bucket, isLinear: false, isPositive: false))
        }
        if zeroCount > 0 {
            let hasPositive = positiveBuckets.contains { $0 != 0 }
            let hasNegative = negativeBuckets.contains { $0 != 0 }
            result.zeroCount = keep(
                trim.part(
                    ofZero: zeroBucket, lower: hasPositive && !hasNegative ? 0 : -zeroThreshold,
                    upper: hasNegative && !hasPositive ? 0 : zeroThreshold))
        }
        let isWhole =
            result.positiveBuckets == positiveBuckets && result.negativeBuckets == negativeBuckets
            && result.zeroCount == zeroCount
        if isWhole { return self }
        result.count = count
        result.sum = sum
        result.compact()
        return result
    }
}

/// A cut through a histogram.
private struct Trim {
    /// The kept part of a bucket: the number of observations, and the value assumed for each.
    struct Part {
        var count: Double
        var middle: Double

        static let nothing = Part(count: 0, middle: 0)
    }

    let bound: Double
    /// Whether the observations below the bound are kept.
    let keepsLower: Bool

    func part(of bucket: FloatHistogram.Bucket, isLinear: Bool, isPositive: Bool) -> Part {
        let (lower, upper) = (bucket.lower, bucket.upper)
        if keepsLower ? upper <= bound : lower >= bound {
            return Part(
                count: bucket.count, middle: middle(lower, upper, isLinear: isLinear, isPositive: isPositive))
        }
        guard keepsLower ? lower < bound : upper > bound else { return .nothing }
        if lower == -.infinity { return partOfFirst(bucket) }
        // The upper end of the last bucket is unknown: it is kept completely, at the bound, or removed completely.
        if upper == .infinity { return keepsLower ? .nothing : Part(count: bucket.count, middle: bound) }
        let below = bucket.count * share(of: bucket, isLinear: isLinear, isPositive: isPositive)
        return keepsLower
            ? Part(count: below, middle: middle(lower, bound, isLinear: isLinear, isPositive: isPositive))
            : Part(
                count: bucket.count - below,
                middle: middle(bound, upper, isLinear: isLinear, isPositive: isPositive))
    }

    /// A first custom bucket that is cut. It is assumed to start at zero if it ends above; otherwise its start is
    /// unknown.
    private func partOfFirst(_ bucket: FloatHistogram.Bucket) -> Part {
        let (count, upper) = (bucket.count, bucket.upper)
        if keepsLower {
            if upper <= 0 { return Part(count: count, middle: bound) }
            if bound <= 0 || upper == .infinity { return .nothing }
            return Part(count: count * bound / upper, middle: bound / 2)
        }
        if bound < 0 || upper == .infinity { return .nothing }
        return Part(count: count * (1 - bound / upper), middle: (bound + upper) / 2)
    }

    /// The zero bucket, assumed to range from `lower` to `upper` and to be filled evenly.
    func part(ofZero bucket: FloatHistogram.Bucket, lower: Double, upper: Double) -> Part {
        // If the bucket has no width, the first of these applies, as in Prometheus.
        if bound <= lower {
            return keepsLower ? .nothing : Part(count: bucket.count, middle: (lower + upper) / 2)
        }
        if bound >= upper {
            return keepsLower ? Part(count: bucket.count, middle: (lower + upper) / 2) : .nothing
        }
        let (from, to) = keepsLower ? (lower, bound) : (bound, upper)
        return Part(count: bucket.count * ((to - from) / (upper - lower)), middle: (from + to) / 2)
    }

    /// The estimated share of the observations below the bound.
    private func share(of bucket: FloatHistogram.Bucket, isLinear: Bool, isPositive: Bool) -> Double {
        if isLinear { return (bound - bucket.lower) / (bucket.upper - bucket.lower) }
        let (low, high, place) = (log2(bucket.lower.magnitude), log2(bucket.upper.magnitude), log2(bound.magnitude))
        return isPositive ? (place - low) / (high - low) : 1 - (place - high) / (low - high)
    }

    /// The value assumed for observations between two bounds: the arithmetic mean in custom buckets, otherwise the
    /// geometric mean; if one bound is infinite, the other one (or half of it, above zero).
    private func middle(_ lower: Double, _ upper: Double, isLinear: Bool, isPositive: Bool) -> Double {
        if lower.isInfinite { return upper.isInfinite ? 0 : upper > 0 ? upper / 2 : upper }
        if upper.isInfinite { return lower }
        if isLinear { return (lower + upper) / 2 }
        let root = (lower * upper).magnitude.squareRoot()
        return isPositive ? root : -root
    }
}
