internal import Exposition
internal import MetricModel

extension ScrapedBody {
    /// Reduces the resolution of native histograms to the configured limits. Throws if that is not enough.
    mutating func limitHistograms(_ settings: ScrapePool.HistogramSettings) throws(ScrapeFailure) {
        guard !histograms.isEmpty, settings.minimumBucketFactor > 0 || settings.bucketLimit > 0 else { return }
        let schema = FloatHistogram.schema(ofBucketFactor: settings.minimumBucketFactor)
        for index in histograms.indices {
            histograms[index].value.reduceResolution(to: schema)
            if settings.bucketLimit > 0, !histograms[index].value.limitBuckets(to: settings.bucketLimit) {
                throw ScrapeFailure("histogram bucket limit exceeded")
            }
        }
    }
}

extension ArraySlice {
    /// Removes and returns the first element if it belongs to `index`.
    mutating func take<Value>(_ index: Int) -> Value? where Element == ScrapedBody.Extra<Value> {
        guard let first, first.index == index else { return nil }
        removeFirst()
        return first.value
    }
}
