/// A running sum of native histograms, with compensation for rounding in every part.
///
/// Different resolutions are reduced to the lower one, different zero buckets are widened to a common width, and custom
/// buckets are reduced to the bounds that both have. Exponential and custom buckets are incompatible.
public struct HistogramAccumulator: Sendable {
    /// The corrections made by an addition.
    public struct Outcome: Equatable, Sendable {
        /// One histogram has a hint that the counter was reset, the other that it was not.
        public var hintsCollided = false
        /// Custom bounds differed.
        public var boundsReconciled = false
    }

    private var schema: Int32
    private var zeroThreshold: Double
    private var customValues: [Double]
    private var counterResetHint: FloatHistogram.CounterResetHint
    private var zeroCount: CompensatedSum
    private var count: CompensatedSum
    private var sum: CompensatedSum
    private var positive: BucketRun
    private var negative: BucketRun

    /// A sum that starts with `histogram`.
    public init(_ histogram: FloatHistogram) {
        schema = histogram.schema
        zeroThreshold = histogram.zeroThreshold
        customValues = histogram.customValues
        counterResetHint = histogram.counterResetHint
        zeroCount = CompensatedSum(histogram.zeroCount)
        count = CompensatedSum(histogram.count)
        sum = CompensatedSum(histogram.sum)
        positive = BucketRun(histogram.positiveSpans, histogram.positiveBuckets)
        negative = BucketRun(histogram.negativeSpans, histogram.negativeBuckets)
    }

    /// The sum, including buckets that have become empty.
    public var total: FloatHistogram {
        var result = FloatHistogram()
        result.schema = schema
        result.zeroThreshold = zeroThreshold
        result.customValues = customValues
        result.counterResetHint = counterResetHint
        result.zeroCount = zeroCount.total
        result.count = count.total
        result.sum = sum.total
        (result.positiveSpans, result.positiveBuckets) = positive.spans
        (result.negativeSpans, result.negativeBuckets) = negative.spans
        return result
    }

    /// Whether any part has become infinite.
    public var hasOverflow: Bool {
        zeroCount.sum.isInfinite || count.sum.isInfinite || sum.sum.isInfinite
            || positive.entries.contains { $0.count.sum.isInfinite }
            || negative.entries.contains { $0.count.sum.isInfinite }
    }

    /// Multiplies every part by `factor`.
    public mutating func scale(by factor: Double) {
        apply({ $0 *= factor }, { $0.scale(by: factor) })
    }

    /// Divides every part by `divisor`. Zero gives infinities and NaN.
    public mutating func divide(by divisor: Double) {
        apply({ $0 /= divisor }, { $0.divide(by: divisor) })
    }

    private mutating func apply(_ change: (inout Double) -> Void, _ changeRun: (inout BucketRun) -> Void) {
        for part in [\HistogramAccumulator.zeroCount, \.count, \.sum] {
            change(&self[keyPath: part].sum)
            change(&self[keyPath: part].compensation)
        }
        changeRun(&positive)
        changeRun(&negative)
    }

    /// Adds `factor` times `other`.
    ///
    /// - Returns: `nil`, without a change, if one has exponential and the other custom buckets.
    public mutating func add(_ other: FloatHistogram, factor: Double = 1) -> Outcome? {
        guard usesCustomBuckets == other.usesCustomBuckets else { return nil }
        var other = HistogramAccumulator(other)
        var outcome = Outcome()
        outcome.hintsCollided = adoptHint(other.counterResetHint)
        if usesCustomBuckets {
            outcome.boundsReconciled = reconcileBounds(&other)
        } else {
            reconcileZeroBuckets(&other)
            let lowest = min(schema, other.schema)
            reduceResolution(to: lowest)
            other.reduceResolution(to: lowest)
        }
        zeroCount.add(factor * other.zeroCount.total)
        count.add(factor * other.count.total)
        sum.add(factor * other.sum.total)
        positive.add(other.positive, factor: factor)
        negative.add(other.negative, factor: factor)
        return outcome
    }

    private var usesCustomBuckets: Bool { schema == FloatHistogram.customBucketsSchema }

    /// - Returns: whether the hints contradict each other.
    private mutating func adoptHint(_ other: FloatHistogram.CounterResetHint) -> Bool {
        if other == counterResetHint || counterResetHint == .gauge { return false }
        if other == .gauge {
            counterResetHint = .gauge
            return false
        }
        let collided = counterResetHint != .unknown && other != .unknown
        counterResetHint = .unknown
        return collided
    }
}

// MARK: Reconciling layouts

extension HistogramAccumulator {
    /// Reduces the resolution to `target`. No effect if it is not higher.
    mutating func reduceResolution(to target: Int32) {
        guard !usesCustomBuckets, target < schema else { return }
        let shift = schema &- target
        positive.reindex { (($0 &- 1) >> shift) &+ 1 }
        negative.reindex { (($0 &- 1) >> shift) &+ 1 }
        schema = target
    }

    /// Reduces both to the custom bounds that both have.
    ///
    /// - Returns: whether their bounds differed.
    private mutating func reconcileBounds(_ other: inout HistogramAccumulator) -> Bool {
        if customValues == other.customValues { return false }
        let theirs = Set(other.customValues)
        let common = customValues.filter(theirs.contains)
        coarsen(to: common)
        other.coarsen(to: common)
        return true
    }

    /// Moves each custom bucket to the first of `bounds` that is at least its own upper bound.
    mutating func coarsen(to bounds: [Double]) {
        positive.reindex { [customValues] index in
            let upper = FloatHistogram.customBound(index, in: customValues)
            return Int32(bounds.firstIndex { $0 >= upper } ?? bounds.count)
        }
        customValues = bounds
    }

    /// Widens the zero buckets until both have the same width and cut no populated bucket.
    mutating func reconcileZeroBuckets(_ other: inout HistogramAccumulator) {
        while zeroThreshold != other.zeroThreshold {
            if zeroThreshold > other.zeroThreshold {
                other.widenZeroBucket(to: zeroThreshold)
            } else {
                widenZeroBucket(to: other.zeroThreshold)
            }
        }
    }

    /// Widens the zero bucket to `threshold`, or further if that would cut a populated bucket.
    mutating func widenZeroBucket(to threshold: Double) {
        guard threshold > zeroThreshold else { return }
        var threshold = threshold
        // A cut bucket moves the threshold, which may cut a bucket on the other side.
        while let wider = cutBound(positive, threshold) ?? cutBound(negative, threshold) { threshold = wider }
        absorb(\.positive, below: threshold)
        absorb(\.negative, below: threshold)
        zeroThreshold = threshold
    }

    /// The outer bound of a populated bucket that `threshold` cuts.
    private func cutBound(_ run: BucketRun, _ threshold: Double) -> Double? {
        for (index, count) in run.entries where count.sum != 0 {
            let inner = FloatHistogram.exponentialBound(index &- 1, schema: schema)
            if inner >= threshold { return nil }
            let outer = FloatHistogram.exponentialBound(index, schema: schema)
            if outer > threshold { return outer }
        }
        return nil
    }

    private mutating func absorb(_ side: WritableKeyPath<HistogramAccumulator, BucketRun>, below threshold: Double) {
        let inside = self[keyPath: side].entries.prefix {
            FloatHistogram.exponentialBound($0.index &- 1, schema: schema) < threshold
        }
        for entry in inside { zeroCount.add(entry.count.total) }
        self[keyPath: side].entries.removeFirst(inside.count)
    }

    /// Whether the counter must have been reset after `previous`: a bucket decreased or disappeared, or the layout
    /// became finer.
    func isReset(after previous: HistogramAccumulator) -> Bool {
        if count.sum < previous.count.sum { return true }
        if usesCustomBuckets != previous.usesCustomBuckets { return true }
        var (current, previous) = (self, previous)
        if usesCustomBuckets {
            _ = current.reconcileBounds(&previous)
        } else {
            if schema > previous.schema || zeroThreshold < previous.zeroThreshold { return true }
            previous.widenZeroBucket(to: zeroThreshold)
            if previous.zeroThreshold != zeroThreshold || zeroCount.sum < previous.zeroCount.sum { return true }
            previous.reduceResolution(to: schema)
        }
        return Self.fell(current.positive, previous.positive) || Self.fell(current.negative, previous.negative)
    }

    private static func fell(_ current: BucketRun, _ previous: BucketRun) -> Bool {
        var position = 0
        for (index, count) in previous.entries where count.sum != 0 {
            while position < current.entries.count, current.entries[position].index < index { position += 1 }
            let now =
                position < current.entries.count && current.entries[position].index == index
                ? current.entries[position].count.sum : 0
            if now < count.sum { return true }
        }
        return false
    }
}
