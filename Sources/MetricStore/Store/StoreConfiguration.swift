/// How a ``MetricStore`` keeps its samples.
public struct StoreConfiguration: Sendable {
    /// Where lanes, segments and the series table live; `nil` keeps everything in memory and loses it with the process.
    public var directory: String?
    /// Samples older than this are given up, a whole segment at a time.
    public var retentionMilliseconds: Int64 = 24 * 3_600_000
    /// Upper bound for sealed samples in bytes; the oldest segments go first.
    public var retentionBytes = 1 << 30
    /// Bytes of the row log that slow lanes may hold back before their rows are written once more.
    var rowLogBudget = 32 << 20
    /// Most series kept at a time; creating more is refused.
    public var maximumSeries = 5_000_000

    /// Most exemplars kept at a time, in memory; the oldest go first. Each takes some 200 bytes, and its series once as
    /// much.
    public var maximumExemplars = 100_000

    /// A day of samples in at most 1 GiB, in memory unless `directory` is given.
    public init(directory: String? = nil) {
        self.directory = directory
    }
}
