/// The samples of one series in a window, copied out of a store; timestamps ascend strictly.
public struct SeriesSamples: Sendable {
    /// The series.
    public var labels: Labels
    /// Milliseconds since the epoch. Series of one scrape share this array's storage.
    public var timestamps: [Int64]
    /// Parallel to `timestamps`; has no meaning where `histograms` holds a value.
    public var values: [Double]
    /// Empty for a series of floats alone, else parallel to `timestamps`.
    public var histograms: [FloatHistogram?]
    /// Empty where no start timestamps are known, else parallel to `timestamps`; `Int64.min` marks an absent one.
    public var startTimestamps: [Int64]

    /// The samples of the series called `labels`.
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
