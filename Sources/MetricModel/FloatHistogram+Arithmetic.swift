extension FloatHistogram {
    /// Multiplies every count and the sum by `factor`. With a negative factor the result is a gauge, not a counter.
    public mutating func scale(by factor: Double) {
        if factor < 0 { counterResetHint = .gauge }
        zeroCount *= factor
        count *= factor
        sum *= factor
        for index in positiveBuckets.indices { positiveBuckets[index] *= factor }
        for index in negativeBuckets.indices { negativeBuckets[index] *= factor }
    }

    /// Divides every count and the sum by `divisor`. With a negative divisor the result is a gauge, not a counter. Zero
    /// removes the buckets, because the distribution of infinitely many observations is unknown.
    public mutating func divide(by divisor: Double) {
        if divisor < 0 { counterResetHint = .gauge }
        zeroCount /= divisor
        count /= divisor
        sum /= divisor
        if divisor == 0 {
            (positiveSpans, positiveBuckets, negativeSpans, negativeBuckets) = ([], [], [], [])
            return
        }
        for index in positiveBuckets.indices { positiveBuckets[index] /= divisor }
        for index in negativeBuckets.indices { negativeBuckets[index] /= divisor }
    }

    /// Adds `other`. Different layouts are reconciled by `HistogramAccumulator`.
    ///
    /// - Returns: `nil`, without a change, if one has exponential and the other custom buckets.
    public mutating func add(_ other: FloatHistogram) -> HistogramAccumulator.Outcome? {
        combine(other, factor: 1)
    }

    /// Subtracts `other` in the same way.
    public mutating func subtract(_ other: FloatHistogram) -> HistogramAccumulator.Outcome? {
        combine(other, factor: -1)
    }

    private mutating func combine(_ other: FloatHistogram, factor: Double) -> HistogramAccumulator.Outcome? {
        var accumulator = HistogramAccumulator(self)
        guard let outcome = accumulator.add(other, factor: factor) else { return nil }
        self = accumulator.total
        return outcome
    }

    /// Reduces the resolution of exponential buckets to `target`. No effect if it is not higher.
    public mutating func reduceResolution(to target: Int32) {
        guard !usesCustomBuckets, target < schema else { return }
        var accumulator = HistogramAccumulator(self)
        accumulator.reduceResolution(to: target)
        self = accumulator.total
    }

    /// Whether a counter was reset between `previous` and this histogram.
    ///
    /// The hint decides if it is set for a counter.
    public func isReset(after previous: FloatHistogram) -> Bool {
        switch counterResetHint {
        case .reset: true
        case .notReset: false
        case .unknown, .gauge: HistogramAccumulator(self).isReset(after: HistogramAccumulator(previous))
        }
    }
}
