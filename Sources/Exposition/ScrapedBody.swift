public import MetricModel

/// The samples of one body by number, as ``BodyPredictor`` found them. Reused from scrape to scrape.
///
/// Series go by small numbers that the predictor gives out. Where ``isUnchanged``, the sequence of series is that of
/// the last committed body and ``series`` is empty: a caller that keeps the slots in that order needs no lookup.
public struct ScrapedBody: Sendable {
    /// Something that only some samples have.
    public struct Extra<Value: Sendable>: Sendable {
        /// The index of the sample in ``ScrapedBody/values``.
        public var index: Int
        /// The attribute.
        public var value: Value
    }

    /// Whether the series are those of the last committed body, in the same order.
    public internal(set) var isUnchanged = true
    /// Parallel to ``values``; empty where ``isUnchanged``.
    public internal(set) var series: [Int32] = []
    /// The values in the order of the body.
    public internal(set) var values: [Double] = []
    /// The timestamps of samples that bring their own, ascending by index.
    public internal(set) var timestamps: [Extra<Timestamp>] = []
    /// Native histograms, ascending by index. Their entries in ``values`` have no meaning.
    public var histograms: [Extra<FloatHistogram>] = []
    /// Since when samples count, ascending by index; where that was asked for.
    public internal(set) var startTimestamps: [Extra<Timestamp>] = []
    /// Exemplars that differ from those of the last committed body, ascending by index; several of a native histogram.
    public internal(set) var exemplars: [Extra<Exemplar>] = []
    /// Series that were not in the last committed body.
    public internal(set) var newSeries: [NewSeries] = []
    /// Why the body was not read to its end; `nil` where it was.
    public internal(set) var stop: ReadingLimits.Stop?

    /// A series that was not in the last committed body.
    public struct NewSeries: Equatable, Sendable {
        /// The number given to it.
        public var number: Int32
        /// Its labels, as exposed.
        public var labels: Labels
        /// The type of its family, as far as the body says.
        public var type: MetricType
    }

    /// Nothing yet.
    public init() {}

    /// Gives back what only a body with new series needs, so that it does not lie idle until the next one.
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
