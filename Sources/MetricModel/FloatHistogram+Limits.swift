internal import Glibc

extension FloatHistogram {
    /// The finest schema with a ratio of adjacent bounds of at least `factor`; the finest of all for a factor up to 1.
    public static func schema(ofBucketFactor factor: Double) -> Int32 {
        guard factor > 1 else { return exponentialSchemas.upperBound }
        let schema = (-log2(log2(factor))).rounded(.down)
        return Int32(max(Double(exponentialSchemas.lowerBound), min(Double(exponentialSchemas.upperBound), schema)))
    }

    /// Reduces the resolution until there are at most `limit` buckets, not counting the zero bucket.
    ///
    /// - Returns: whether that was possible. Custom buckets are never joined.
    public mutating func limitBuckets(to limit: Int) -> Bool {
        while positiveBuckets.count + negativeBuckets.count > limit {
            guard !usesCustomBuckets, schema > Self.exponentialSchemas.lowerBound else { return false }
            reduceResolution(to: schema - 1)
        }
        return true
    }
}

extension FloatHistogram {
    /// A histogram of the same kind without observations.
    public var emptied: FloatHistogram {
        var histogram = FloatHistogram()
        histogram.schema = schema
        histogram.zeroThreshold = zeroThreshold
        histogram.customValues = customValues
        histogram.counterResetHint = counterResetHint == .gauge ? .gauge : .unknown
        return histogram
    }
}
