internal import Glibc

extension FloatHistogram {
    /// One bucket with its bounds.
    public struct Bucket: Equatable, Sendable {
        /// The lower bound.
        public var lower: Double
        /// The upper bound.
        public var upper: Double
        /// Whether the bucket includes its lower bound.
        public var lowerInclusive: Bool
        /// Whether the bucket includes its upper bound.
        public var upperInclusive: Bool
        /// The number of observations in the bucket.
        public var count: Double
    }

    /// The positive (or custom) buckets, ascending, including empty ones.
    public var positiveBucketList: [Bucket] {
        BucketRun(positiveSpans, positiveBuckets).entries.map { bucket($0, $1.sum, isPositive: true) }
    }

    /// The negative buckets in span order, from zero down.
    public var negativeBucketList: [Bucket] {
        BucketRun(negativeSpans, negativeBuckets).entries.map { bucket($0, $1.sum, isPositive: false) }
    }

    /// The bucket around zero.
    public var zeroBucket: Bucket {
        Bucket(
            lower: -zeroThreshold, upper: zeroThreshold, lowerInclusive: true, upperInclusive: true, count: zeroCount)
    }

    /// All buckets from the lowest to the highest. Includes the zero bucket if it has observations; the others end at
    /// it.
    public var allBuckets: [Bucket] {
        var result: [Bucket] = []
        for var bucket in negativeBucketList.reversed() {
            if bucket.upper < 0, bucket.upper > -zeroThreshold { bucket.upper = -zeroThreshold }
            result.append(bucket)
        }
        if zeroCount > 0 { result.append(zeroBucket) }
        for var bucket in positiveBucketList {
            if bucket.lower > 0, bucket.lower < zeroThreshold { bucket.lower = zeroThreshold }
            result.append(bucket)
        }
        return result
    }

    private func bucket(_ index: Int32, _ count: Double, isPositive: Bool) -> Bucket {
        let outer = bound(index)
        let inner = bound(index &- 1)
        let (lower, upper) = isPositive ? (inner, outer) : (-outer, -inner)
        return Bucket(
            lower: lower, upper: upper, lowerInclusive: usesCustomBuckets ? index == 0 : lower < 0,
            upperInclusive: usesCustomBuckets || upper > 0, count: count)
    }

    private func bound(_ index: Int32) -> Double {
        usesCustomBuckets
            ? Self.customBound(index, in: customValues) : Self.exponentialBound(index, schema: schema)
    }

    /// The upper bound of custom bucket `index`: -Inf before the first bound, +Inf after the last.
    static func customBound(_ index: Int32, in bounds: [Double]) -> Double {
        if index < 0 { return -.infinity }
        return index < bounds.count ? bounds[Int(index)] : .infinity
    }

    /// Removes empty buckets and joins spans that become adjacent.
    public mutating func compact() {
        (positiveSpans, positiveBuckets) = BucketRun(positiveSpans, positiveBuckets).compacted
        (negativeSpans, negativeBuckets) = BucketRun(negativeSpans, negativeBuckets).compacted
    }

    /// This histogram without empty buckets.
    public var compacted: FloatHistogram {
        var copy = self
        copy.compact()
        return copy
    }

    /// Whether both are equal except for hints and empty buckets. NaNs with the same bits are equal.
    public func isEqual(to other: FloatHistogram) -> Bool {
        let (left, right) = (compacted, other.compacted)
        func same(_ first: [Double], _ second: [Double]) -> Bool {
            first.elementsEqual(second) { $0.bitPattern == $1.bitPattern }
        }
        return schema == other.schema && same([count, sum], [other.count, other.sum])
            && zeroThreshold == other.zeroThreshold && zeroCount == other.zeroCount
            && left.positiveSpans == right.positiveSpans && left.negativeSpans == right.negativeSpans
            && same(left.positiveBuckets, right.positiveBuckets)
            && same(left.negativeBuckets, right.negativeBuckets)
            && (!usesCustomBuckets || same(customValues, other.customValues))
    }
}

/// Buckets of one side as index and count, ascending by index.
struct BucketRun {
    var entries: [(index: Int32, count: CompensatedSum)] = []

    init() {}

    /// Counts without a span, and spans without a count, are ignored.
    init(_ spans: [FloatHistogram.Span], _ counts: [Double]) {
        entries.reserveCapacity(counts.count)
        var index: Int32 = 0
        for span in spans {
            index &+= span.offset
            for _ in 0..<min(Int(span.length), counts.count - entries.count) {
                entries.append((index, CompensatedSum(counts[entries.count])))
                index &+= 1
            }
        }
    }

    /// The run as spans and counts, empty buckets included.
    var spans: ([FloatHistogram.Span], [Double]) {
        var spans: [FloatHistogram.Span] = []
        var next: Int32 = 0
        for (index, _) in entries {
            if spans.isEmpty || index != next {
                spans.append(FloatHistogram.Span(offset: index &- next, length: 1))
            } else {
                spans[spans.count - 1].length += 1
            }
            next = index &+ 1
        }
        return (spans, entries.map(\.count.total))
    }

    /// The run as spans and counts, without empty buckets.
    var compacted: ([FloatHistogram.Span], [Double]) {
        var copy = self
        copy.entries.removeAll { $0.count.total == 0 }
        return copy.spans
    }

    /// Adds `factor` times the counts of `other`.
    mutating func add(_ other: BucketRun, factor: Double) {
        var result: [(index: Int32, count: CompensatedSum)] = []
        result.reserveCapacity(max(entries.count, other.entries.count))
        var (mine, theirs) = (0, 0)
        while mine < entries.count || theirs < other.entries.count {
            if theirs == other.entries.count
                || (mine < entries.count && entries[mine].index < other.entries[theirs].index)
            {
                result.append(entries[mine])
                mine += 1
                continue
            }
            var entry = (index: other.entries[theirs].index, count: CompensatedSum())
            if mine < entries.count, entries[mine].index == entry.index {
                entry.count = entries[mine].count
                mine += 1
            }
            entry.count.add(factor * other.entries[theirs].count.total)
            result.append(entry)
            theirs += 1
        }
        entries = result
    }

    /// Moves each bucket to another index. `transform` must preserve the order.
    mutating func reindex(_ transform: (Int32) -> Int32) {
        var result: [(index: Int32, count: CompensatedSum)] = []
        for (index, count) in entries {
            let target = transform(index)
            if result.last?.index == target {
                result[result.count - 1].count.add(count.sum)
                result[result.count - 1].count.compensation += count.compensation
            } else {
                result.append((target, count))
            }
        }
        entries = result
    }

    mutating func scale(by factor: Double) {
        for index in entries.indices {
            entries[index].count.sum *= factor
            entries[index].count.compensation *= factor
        }
    }

    mutating func divide(by divisor: Double) {
        for index in entries.indices {
            entries[index].count.sum /= divisor
            entries[index].count.compensation /= divisor
        }
    }
}
