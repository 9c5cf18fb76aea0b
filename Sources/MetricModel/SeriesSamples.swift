/// The samples of one series in a window, copied from a store. Timestamps increase strictly.
public struct SeriesSamples: Sendable {
    /// The series.
    public var labels: Labels
    /// Milliseconds since the epoch. Series of one scrape share the storage of this array.
    public var timestamps: [Int64]
    /// Parallel to `timestamps`; ignored where `histograms` has a value.
    public var values: [Double]
    /// Empty if all samples are floats; otherwise parallel to `timestamps`.
    public var histograms: [FloatHistogram?]
    /// Empty if no start timestamps are known; otherwise parallel to `timestamps`, with `Int64.min` for an absent one.
    public var startTimestamps: [Int64]

    /// The samples of the series `labels`.
    public init(
        labels: Labels, timestamps: [Int64] = [], values: [Double] = [], histograms: [FloatHistogram?] = [],
        startTimestamps: [Int64] = []
    ) {
        self.labels = labels
        self.timestamps = timestamps
        self.values = values
        self.histograms = histograms
        self.startTimestamps = startTimestamps
    }

    /// The number of samples.
    public var count: Int { timestamps.count }
}
