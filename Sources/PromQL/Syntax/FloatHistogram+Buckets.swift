internal import MetricModel

extension FloatHistogram {
    /// The buckets that are not empty, with their indexes, in the order of the spans.
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
