internal import MetricModel

extension TelemetryExponentialHistogram {
    private typealias Rejection = TelemetryTranslation.Rejection

    /// The width of the zero bucket, as in Prometheus.
    private static let zeroThreshold = 1e-128
    private static let finestSchema: Int32 = 8

    /// The native histogram with the same buckets; with fewer of them if they are finer than native ones.
    ///
    /// - Parameter isDelta: whether the counts start at zero in each point, so that resets have no meaning.
    func native(isDelta: Bool) throws(TelemetryTranslation.Rejection) -> FloatHistogram {
        guard scale >= FloatHistogram.exponentialSchemas.lowerBound else {
            throw Rejection("scale \(scale) is below \(FloatHistogram.exponentialSchemas.lowerBound)")
        }
        var histogram = FloatHistogram()
        histogram.schema = min(scale, Self.finestSchema)
        histogram.zeroThreshold = Self.zeroThreshold
        histogram.zeroCount = Double(zeroCount)
        histogram.counterResetHint = isDelta ? .gauge : .unknown
        if point.hasNoValue { return .stale }
        histogram.count = Double(count)
        histogram.sum = sum ?? 0
        let shift = min(Int64(scale) - Int64(histogram.schema), 40)
        (histogram.positiveSpans, histogram.positiveBuckets) = try Self.run(positive, shift)
        (histogram.negativeSpans, histogram.negativeBuckets) = try Self.run(negative, shift)
        histogram.compact()
        if let fault = histogram.fault(countsAreIntegers: true) { throw Rejection(fault) }
        return histogram
    }

    /// Joins 2^`shift` buckets into one. Index 0 is (1, base] in OpenTelemetry and (1/base, 1] in Prometheus.
    private static func run(
        _ buckets: Buckets, _ shift: Int64
    ) throws(TelemetryTranslation.Rejection) -> ([FloatHistogram.Span], [Double]) {
        if buckets.counts.isEmpty { return ([], []) }
        func index(_ position: Int) -> Int64 { (Int64(buckets.offset) + Int64(position)) >> shift + 1 }
        let first = index(0)
        guard let offset = Int32(exactly: first), Int32(exactly: index(buckets.counts.count - 1)) != nil else {
            throw Rejection("a bucket with the index \(first), which is out of range")
        }
        var counts = [Double](repeating: 0, count: Int(index(buckets.counts.count - 1) - first) + 1)
        for (position, count) in buckets.counts.enumerated() { counts[Int(index(position) - first)] += Double(count) }
        return ([FloatHistogram.Span(offset: offset, length: UInt32(counts.count))], counts)
    }
}

extension TelemetryHistogram {
    /// The native histogram with custom bounds.
    func customBuckets(isDelta: Bool) throws(TelemetryTranslation.Rejection) -> FloatHistogram {
        if point.hasNoValue { return .stale }
        var histogram = FloatHistogram()
        histogram.schema = FloatHistogram.customBucketsSchema
        histogram.customValues = bounds
        histogram.counterResetHint = isDelta ? .gauge : .unknown
        histogram.count = Double(count)
        histogram.sum = sum ?? 0
        if !bucketCounts.isEmpty {
            histogram.positiveSpans = [.init(offset: 0, length: UInt32(clamping: bucketCounts.count))]
            histogram.positiveBuckets = bucketCounts.map { Double($0) }
            histogram.compact()
        }
        if let fault = histogram.fault(countsAreIntegers: true) { throw TelemetryTranslation.Rejection(fault) }
        return histogram
    }
}

extension FloatHistogram {
    /// The marker that ends a series of histograms.
    fileprivate static var stale: FloatHistogram {
        var histogram = FloatHistogram()
        histogram.sum = .staleMarker
        return histogram
    }
}
