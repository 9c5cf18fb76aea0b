public import MetricModel

extension FloatHistogram {
    /// The histogram in series notation: `{{schema:1 count:3 sum:4 offset:1 buckets:[1 2]}}`. Fields with value 0 are
    /// omitted; empty buckets between others are included.
    public var seriesNotation: String {
        var fields: [String] = []
        func field(_ name: String, _ value: Double) {
            if value != 0 { fields.append("\(name):\(FloatText.general(value))") }
        }
        if schema != 0 { fields.append("schema:\(schema)") }
        field("count", count)
        field("sum", sum)
        field("z_bucket", zeroCount)
        field("z_bucket_w", zeroThreshold)
        if usesCustomBuckets { fields.append("custom_values:\(Self.list(customValues))") }
        switch counterResetHint {
        case .unknown: break
        case .reset: fields.append("counter_reset_hint:reset")
        case .notReset: fields.append("counter_reset_hint:not_reset")
        case .gauge: fields.append("counter_reset_hint:gauge")
        }
        fields += Self.buckets(positiveSpans, positiveBuckets, "offset", "buckets")
        fields += Self.buckets(negativeSpans, negativeBuckets, "n_offset", "n_buckets")
        return "{{\(fields.joined(separator: " "))}}"
    }

    private static func list(_ values: [Double]) -> String {
        "[\(values.map(FloatText.general).joined(separator: " "))]"
    }

    private static func buckets(
        _ spans: [Span], _ counts: [Double], _ offsetName: String, _ countsName: String
    ) -> [String] {
        // Spans that pass the largest index continue at the smallest one.
        let filled = occupied(spans, counts).sorted { $0.index < $1.index }
        guard let first = filled.first, let last = filled.last else { return [] }
        let width = last.index - first.index + 1
        // The text is for people: very large gaps are not printed.
        guard width <= 100_000 else { return ["\(offsetName):\(first.index)", "\(countsName):[…]"] }
        var values = [Double](repeating: 0, count: Int(width))
        for bucket in filled { values[Int(bucket.index - first.index)] = bucket.count }
        return (first.index == 0 ? [] : ["\(offsetName):\(first.index)"]) + ["\(countsName):\(list(values))"]
    }

    /// The buckets that are not empty, with their indices, in span order.
    static func occupied(_ spans: [Span], _ counts: [Double]) -> [(index: Int64, count: Double)] {
        var result: [(index: Int64, count: Double)] = []
        var index: Int32 = 0
        var position = 0
        for span in spans {
            index &+= span.offset
            for _ in 0..<min(Int(span.length), counts.count - position) {
                if counts[position] != 0 { result.append((Int64(index), counts[position])) }
                index &+= 1
                position += 1
            }
        }
        return result
    }
}
