/// A native histogram with float counts: exponential buckets, or custom bounds (schema -53).
///
/// A value; a stored histogram is copied from the store.
public struct FloatHistogram: Hashable, Sendable {
    /// A run of consecutive buckets.
    public struct Span: Hashable, Sendable {
        /// Gap to the end of the previous span; for the first one, the index of its first bucket.
        public var offset: Int32
        /// Number of buckets in the run.
        public var length: UInt32

        /// A run of `length` buckets, `offset` after the previous one.
        public init(offset: Int32, length: UInt32) {
            self.offset = offset
            self.length = length
        }
    }

    /// Whether a counter reset is known between the series' previous histogram and this one.
    public enum CounterResetHint: UInt8, Hashable, Sendable {
        case unknown = 0
        case reset = 1
        case notReset = 2
        /// A gauge histogram: resets do not apply.
        case gauge = 3
    }

    /// The schema of custom bounds.
    public static let customBucketsSchema: Int32 = -53

    /// Bucket growth is 2^(2^-schema) for -4...8; -53 means `customValues` are the upper bounds.
    public var schema: Int32 = 0
    /// Width of the zero bucket, which contains observations in ±threshold.
    public var zeroThreshold: Double = 0
    /// The number of observations in the zero bucket.
    public var zeroCount: Double = 0
    /// The number of observations.
    public var count: Double = 0
    /// Sum of all observations.
    public var sum: Double = 0
    /// The positions of the positive buckets.
    public var positiveSpans: [Span] = []
    /// Absolute counts of the positive buckets, in span order.
    public var positiveBuckets: [Double] = []
    /// The positions of the negative buckets.
    public var negativeSpans: [Span] = []
    /// Absolute counts of the negative buckets, in span order.
    public var negativeBuckets: [Double] = []
    /// Upper bounds for schema -53, ascending, without +Inf.
    public var customValues: [Double] = []
    /// Whether the counter was reset before this histogram, if known.
    public var counterResetHint: CounterResetHint = .unknown

    /// The empty histogram of schema 0.
    public init() {}

    /// Whether the bounds are custom.
    public var usesCustomBuckets: Bool { schema == Self.customBucketsSchema }
    /// Whether this histogram is a staleness marker: its sum is the marker.
    public var isStaleMarker: Bool { sum.isStaleMarker }
}
