public import MetricModel

/// Statistics of a store, sufficient for Prometheus's `/api/v1/status/tsdb`.
public struct StoreStatistics: Equatable, Sendable {
    /// A name with a value.
    public struct Entry: Equatable, Sendable {
        /// A metric, a label name, or a pair written `name=value`.
        public var name: String
        /// Its value.
        public var value: UInt64
    }

    /// Series with samples.
    public var seriesCount = 0
    /// Distinct label pairs.
    public var labelPairCount = 0
    /// Lanes with samples.
    public var laneCount = 0
    /// Samples in sealed chunks and blocks, without the up to 32 newest of every series.
    public var sampleCount: UInt64 = 0
    /// Size of the samples, in bytes.
    public var sampleBytes = 0
    /// The times of the oldest and the newest sample; `nil` in an empty store.
    public var timeRange: ClosedRange<Timestamp>?
    /// Metrics with the most series, largest first.
    public var seriesCountByMetricName: [Entry] = []
    /// Labels with the most values.
    public var valueCountByLabelName: [Entry] = []
    /// Labels whose values take the most bytes.
    public var bytesByLabelName: [Entry] = []
    /// Label pairs with the most series.
    public var seriesCountByLabelPair: [Entry] = []
}
