internal import Glibc
internal import JSON
internal import MetricModel
internal import WebCore

/// A native histogram as `{"count":…,"sum":…,"buckets":[[rule,"lower","upper","count"],…]}`.
enum HistogramJSON {
    /// The ends that a bucket includes.
    private enum Ends: Int {
        /// (lower, upper], for positive and custom buckets.
        case upper = 0
        /// [lower, upper), for negative buckets.
        case lower = 1
        case both = 3
    }

    private struct Bucket {
        var ends: Ends
        var lower: Double
        var upper: Double
        var count: Double
    }

    /// `[t,{…}]`.
    static func write(_ histogram: FloatHistogram, at time: Int64, into writer: inout JSONWriter) {
        writer.beginArray()
        writer.raw { SampleText.append(time: time, to: &$0) }
        write(histogram, into: &writer)
        writer.endArray()
    }

    static func write(_ histogram: FloatHistogram, into writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("count", FloatText.json(histogram.count))
            writer.member("sum", FloatText.json(histogram.sum))
            let buckets = buckets(of: histogram).filter { $0.count != 0 }
            if buckets.isEmpty { return }
            writer.name("buckets")
            writer.array(buckets) { writer, bucket in
                writer.beginArray()
                writer.integer(bucket.ends.rawValue)
                for number in [bucket.lower, bucket.upper, bucket.count] { writer.string(FloatText.json(number)) }
                writer.endArray()
            }
        }
    }

    /// From the most negative to the most positive.
    private static func buckets(of histogram: FloatHistogram) -> [Bucket] {
        if histogram.usesCustomBuckets {
            let bounds = histogram.customValues
            return indexed(histogram.positiveSpans, histogram.positiveBuckets).map { index, count in
                let lower = index > 0 && index <= bounds.count ? bounds[index - 1] : -.infinity
                let upper = bounds.indices.contains(index) ? bounds[index] : .infinity
                return Bucket(ends: index == 0 ? .both : .upper, lower: lower, upper: upper, count: count)
            }
        }
        let negative = indexed(histogram.negativeSpans, histogram.negativeBuckets).map { index, count in
            Bucket(
                ends: .lower, lower: -bound(index, histogram.schema), upper: -bound(index - 1, histogram.schema),
                count: count)
        }
        let zero = Bucket(
            ends: .both, lower: -histogram.zeroThreshold, upper: histogram.zeroThreshold, count: histogram.zeroCount)
        let positive = indexed(histogram.positiveSpans, histogram.positiveBuckets).map { index, count in
            Bucket(
                ends: .upper, lower: bound(index - 1, histogram.schema), upper: bound(index, histogram.schema),
                count: count)
        }
        return negative.reversed() + [zero] + positive
    }

    /// The buckets with their indices.
    private static func indexed(_ spans: [FloatHistogram.Span], _ counts: [Double]) -> [(Int, Double)] {
        var result: [(Int, Double)] = []
        var index = 0
        for span in spans {
            index += Int(span.offset)
            for _ in 0..<span.length where result.count < counts.count {
                result.append((index, counts[result.count]))
                index += 1
            }
        }
        return result
    }

    /// The upper bound of the positive bucket `index`: 2^(index × 2^-schema), at most the largest finite number.
    private static func bound(_ index: Int, _ schema: Int32) -> Double {
        // Schemas are checked when histograms are received. An invalid one must still be harmless here.
        let shift = Int(max(-8, min(schema, 8)))
        if shift < 0 {
            let exponent = index << -shift
            return exponent >= 1024 ? .greatestFiniteMagnitude : ldexp(1, Int32(clamping: exponent))
        }
        let perPower = 1 << shift
        let fraction = index & (perPower - 1)
        let exponent = index >> shift
        // Computed like Go, with a mantissa below 1, so that the last bit agrees.
        if fraction == 0, exponent == 1024 { return .greatestFiniteMagnitude }
        let mantissa = 0.5 * exp2(Double(fraction) / Double(perPower))
        return ldexp(mantissa, Int32(clamping: exponent + 1))
    }
}
