internal import Glibc
internal import MetricModel

extension FloatHistogram {
    /// The estimated `quantile`: linear in custom buckets and the zero bucket, otherwise exponential.
    ///
    /// - Returns: -Inf below 0, +Inf above 1; NaN for NaN and without observations.
    func quantile(_ quantile: Double) -> Double {
        if quantile < 0 { return -.infinity }
        if quantile > 1 { return .infinity }
        if count == 0 || quantile.isNaN { return .nan }
        // NaN observations are counted but in no bucket. Then ranks are correct only from the low end.
        let isForward = sum.isNaN || quantile < 0.5
        let buckets = isForward ? allBuckets : allBuckets.reversed()
        var rank = (isForward ? quantile : 1 - quantile) * count
        // If all buckets are empty, the result is the zero bucket.
        var found = zeroBucket
        (found.lower, found.upper) = (0, 0)
        var seen = 0.0
        for bucket in buckets where bucket.count != 0 {
            found = bucket
            seen += bucket.count
            if seen >= rank { break }
        }
        if usesCustomBuckets {
            if found.lower == -.infinity {
                if found.upper <= 0 { return found.upper }
                found.lower = 0
            } else if found.upper == .infinity {
                return found.lower
            }
        } else if found.lower < 0 && found.upper > 0 {
            narrowZeroBucket(&found)
        }
        seen = min(seen, count)
        if seen < rank {
            return sum.isNaN ? .nan : found.upper
        }
        rank = isForward ? rank - (seen - found.count) : seen - rank
        let fraction = rank / found.count
        if usesCustomBuckets || (found.lower <= 0 && found.upper >= 0) {
            return found.lower + (found.upper - found.lower) * fraction
        }
        let low = log2(found.lower.magnitude)
        let high = log2(found.upper.magnitude)
        if found.lower > 0 { return exp2(low + (high - low) * fraction) }
        return -exp2(high + (low - high) * (1 - fraction))
    }

    /// If buckets exist on one side only, the zero bucket is assumed to be on that side too.
    private func narrowZeroBucket(_ bucket: inout Bucket) {
        if negativeBuckets.isEmpty && !positiveBuckets.isEmpty {
            bucket.lower = 0
        } else if positiveBuckets.isEmpty && !negativeBuckets.isEmpty {
            bucket.upper = 0
        }
    }

    /// The estimated fraction of observations between `lower` and `upper`. NaN observations are in no range.
    func fraction(_ lower: Double, _ upper: Double) -> Double {
        if count == 0 || lower.isNaN || upper.isNaN { return .nan }
        if lower >= upper { return 0 }
        let buckets = allBuckets
        // With NaN observations, the sum of the buckets is less than the count.
        let total = sum.isNaN ? buckets.reduce(0) { $0 + $1.count } : count
        let (low, high) = (rank(of: lower, buckets) ?? total, rank(of: upper, buckets) ?? total)
        return (min(high, total) - min(low, total)) / count
    }

    /// The estimated number of observations below `value`; `nil` if all buckets are.
    private func rank(of value: Double, _ buckets: [Bucket]) -> Double? {
        var rank = 0.0
        for var bucket in buckets {
            let isZero = bucket.lower <= 0 && bucket.upper >= 0
            if isZero && !usesCustomBuckets { narrowZeroBucket(&bucket) }
            if usesCustomBuckets && bucket.lower == -.infinity && bucket.upper > 0 { bucket.lower = 0 }
            if bucket.lower >= value { return rank }
            if bucket.upper > value {
                return rank + bucket.count * share(of: bucket, below: value, isLinear: usesCustomBuckets || isZero)
            }
            rank += bucket.count
        }
        return nil
    }

    private func share(of bucket: Bucket, below value: Double, isLinear: Bool) -> Double {
        if isLinear {
            // The position of observations in a bucket of infinite width is unknown: none is counted.
            if bucket.lower == -.infinity { return 1 }
            if bucket.upper == .infinity { return 0 }
            return (value - bucket.lower) / (bucket.upper - bucket.lower)
        }
        let (low, high, place) = (log2(bucket.lower.magnitude), log2(bucket.upper.magnitude), log2(value.magnitude))
        return value > 0 ? (place - low) / (high - low) : 1 - (place - high) / (low - high)
    }

    /// The estimated variance of the observations. Each is assumed to be in the middle of its bucket.
    var variance: Double {
        let mean = sum / count
        var squares = CompensatedSum()
        for bucket in allBuckets where bucket.count != 0 {
            var middle: Double
            if usesCustomBuckets {
                middle = (bucket.upper + bucket.lower) / 2
            } else if bucket.lower <= 0 && bucket.upper >= 0 {
                middle = 0
            } else {
                middle = (bucket.upper * bucket.lower).squareRoot()
                if bucket.upper < 0 { middle = -middle }
            }
            let delta = middle - mean
            squares.add(bucket.count * delta * delta)
        }
        return (squares.sum + squares.compensation) / count
    }
}

extension FloatHistogram {
    /// Whether there are NaN observations, which are counted but in no bucket.
    var hasNaNObservations: Bool {
        sum.isNaN && allBuckets.reduce(0) { $0 + $1.count } < count
    }
}
