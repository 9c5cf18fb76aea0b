internal import MetricModel

/// The series of one classic histogram, by the indices of their values in a body. A value.
struct ClassicHistogramSeries: Sendable {
    /// The number of the resulting native histogram.
    var number: Int32
    private(set) var bounds: [Double] = []
    private var buckets: [Int] = []
    var sum: Int?
    var count: Int?

    init(number: Int32) {
        self.number = number
    }

    /// Inserts a bucket in order; targets expose them in order. A duplicate is ignored.
    mutating func add(bucket index: Int, upTo bound: Double) {
        var place = bounds.count
        while place > 0, bounds[place - 1] > bound { place -= 1 }
        if place > 0, bounds[place - 1] == bound { return }
        bounds.insert(bound, at: place)
        buckets.insert(index, at: place)
    }

    /// The equivalent histogram with custom bounds; `nil` if the counts are invalid: they decrease from bucket to
    /// bucket, or the total differs from the last bucket.
    func native(_ values: [Double]) -> FloatHistogram? {
        var cumulative = buckets.map { values[$0] }
        var bounds = bounds
        if bounds.last != .infinity {
            guard let last = cumulative.last, let all = count.map({ values[$0] }) ?? last as Double?, all >= last else {
                return nil
            }
            bounds.append(.infinity)
            cumulative.append(all)
        }
        var histogram = FloatHistogram()
        histogram.schema = FloatHistogram.customBucketsSchema
        histogram.customValues = Array(bounds.dropLast())
        histogram.count = count.map { values[$0] } ?? cumulative[cumulative.count - 1]
        histogram.sum = sum.map { values[$0] } ?? 0
        histogram.positiveSpans = [.init(offset: 0, length: UInt32(cumulative.count))]
        var before = 0.0
        for all in cumulative {
            histogram.positiveBuckets.append(all - before)
            before = all
        }
        guard histogram.count == before, histogram.fault(countsAreIntegers: false) == nil else { return nil }
        histogram.compact()
        return histogram
    }
}
