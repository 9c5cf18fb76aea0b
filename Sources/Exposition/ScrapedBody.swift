public import MetricModel

/// The samples of one body by number, as read by ``BodyPredictor``. Reused from scrape to scrape.
///
/// The predictor assigns small numbers to series. If ``isUnchanged``, the sequence of series is that of the last
/// committed body and ``series`` is empty: a caller that keeps the slots in that order needs no lookup.
public struct ScrapedBody: Sendable {
    /// An attribute that only some samples have.
    public struct Extra<Value: Sendable>: Sendable {
        /// The index of the sample in ``ScrapedBody/values``.
        public var index: Int
        /// The attribute.
        public var value: Value
    }

    /// Whether the series are those of the last committed body, in the same order.
    public internal(set) var isUnchanged = true
    /// Parallel to ``values``; empty if ``isUnchanged``.
    public internal(set) var series: [Int32] = []
    /// The values in body order.
    public internal(set) var values: [Double] = []
    /// The timestamps of samples that have their own, ascending by index.
    public internal(set) var timestamps: [Extra<Timestamp>] = []
    /// Native histograms, ascending by index. Their entries in ``values`` are unused.
    public var histograms: [Extra<FloatHistogram>] = []
    /// Start timestamps, ascending by index; only if they were requested.
    public internal(set) var startTimestamps: [Extra<Timestamp>] = []
    /// Exemplars that differ from those of the last committed body, ascending by index; several of a native histogram.
    public internal(set) var exemplars: [Extra<Exemplar>] = []
    /// Series that were not in the last committed body.
    public internal(set) var newSeries: [NewSeries] = []
    /// Why the body was not read completely; `nil` if it was.
    public internal(set) var stop: ReadingLimits.Stop?

    /// A series that was not in the last committed body.
    public struct NewSeries: Equatable, Sendable {
        /// The number given to it.
        public var number: Int32
        /// Its labels, as exposed.
        public var labels: Labels
        /// The type of its family, if the body declares it.
        public var type: MetricType
    }

    /// An empty body.
    public init() {}

    /// Releases the memory that only a body with new series needs.
    public mutating func releaseSeries() {
        series = []
        newSeries = []
        values = values.trimmed()
    }

    mutating func removeAll() {
        isUnchanged = true
        stop = nil
        series.removeAll(keepingCapacity: true)
        values.removeAll(keepingCapacity: true)
        timestamps.removeAll(keepingCapacity: true)
        histograms.removeAll(keepingCapacity: true)
        startTimestamps.removeAll(keepingCapacity: true)
        exemplars.removeAll(keepingCapacity: true)
        newSeries.removeAll(keepingCapacity: true)
    }
}
