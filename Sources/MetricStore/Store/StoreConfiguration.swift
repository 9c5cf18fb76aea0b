/// Settings of a ``MetricStore``.
public struct StoreConfiguration: Sendable {
    /// The directory for lanes, segments and the series table. `nil` keeps everything in memory and loses it at exit.
    public var directory: String?
    /// Samples older than this are dropped, a whole segment at a time.
    public var retentionMilliseconds: Int64 = 24 * 3_600_000
    /// Limit of the size of sealed samples, in bytes. The oldest segments are dropped first.
    public var retentionBytes = 1 << 30
    /// Bytes of the row log that slow lanes may hold back before their rows are written again.
    var rowLogBudget = 32 << 20
    /// The longest time range of a segment, in milliseconds, unless a twelfth of the retention is shorter.
    public var segmentSpan: Int64 = 2 * 3_600_000
    /// The same of a block.
    var blockSpan: Int64 = 24 * 3_600_000
    /// Limit of the number of series. Creating more fails.
    public var maximumSeries = 5_000_000

    /// Limit of the number of exemplars, in memory. The oldest are dropped first. Each takes about 200 bytes, and its
    /// series once the same.
    public var maximumExemplars = 100_000

    /// One day of samples in at most 1 GiB, in memory unless `directory` is set.
    public init(directory: String? = nil) {
        self.directory = directory
    }
}
