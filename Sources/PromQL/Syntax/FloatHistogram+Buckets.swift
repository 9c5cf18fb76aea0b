internal import MetricModel

extension FloatHistogram {
    /// The buckets that are not empty, with their indexes, in ascending order.
    static func occupied(_ spans: [Span], _ counts: [Double]) -> [(index: Int64, count: Double)] {
        var result: [(index: Int64, count: Double)] = []
        var index: Int64 = 0
        var position = 0
        for span in spans {
            index += Int64(span.offset)
            for _ in 0..<min(Int(span.length), counts.count - position) {
                if counts[position] != 0 { result.append((index, counts[position])) }
                index += 1
                position += 1
            }
        }
        return result
    }

    /// Adds `factor` times `other` in the course of expanding a notation; false where exponential and custom buckets
    /// meet. The schema of `other` must not be lower.
    mutating func accumulate(_ other: FloatHistogram, factor: Double) -> Bool {
        guard usesCustomBuckets == other.usesCustomBuckets, other.schema - schema < 32 else { return false }
        sum += factor * other.sum
        count += factor * other.count
        zeroCount += factor * other.zeroCount
        let shift = usesCustomBuckets ? 0 : other.schema - schema
        (positiveSpans, positiveBuckets) = Self.merged(
            Self.occupied(positiveSpans, positiveBuckets), Self.occupied(other.positiveSpans, other.positiveBuckets),
            factor, shift)
        (negativeSpans, negativeBuckets) = Self.merged(
            Self.occupied(negativeSpans, negativeBuckets), Self.occupied(other.negativeSpans, other.negativeBuckets),
            factor, shift)
        return true
    }

    private static func merged(
        _ buckets: [(index: Int64, count: Double)], _ others: [(index: Int64, count: Double)], _ factor: Double,
        _ shift: Int32
    ) -> ([Span], [Double]) {
        var sums: [Int64: Double] = [:]
        for bucket in buckets { sums[bucket.index, default: 0] += bucket.count }
        for bucket in others { sums[((bucket.index - 1) >> shift) + 1, default: 0] += factor * bucket.count }
        var spans: [Span] = []
        var counts: [Double] = []
        var next: Int64 = 0
        for (index, count) in sums.sorted(by: { $0.key < $1.key }) {
            if index == next, !spans.isEmpty {
                spans[spans.count - 1].length += 1
            } else {
                spans.append(Span(offset: Int32(truncatingIfNeeded: index - next), length: 1))
            }
            counts.append(count)
            next = index + 1
        }
        return (spans, counts)
    }
}
