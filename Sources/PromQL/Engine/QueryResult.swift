public import MetricModel

/// One element of an instant vector.
public struct VectorElement: Equatable, Sendable {
    /// The series.
    public var labels: Labels
    /// The evaluation time.
    public var timestamp: Timestamp
    /// The value; ignored if `histogram` is set.
    public var value: Double
    /// The value if it is a native histogram.
    public var histogram: FloatHistogram?

    /// A sample at `timestamp`.
    public init(labels: Labels, timestamp: Timestamp, value: Double, histogram: FloatHistogram? = nil) {
        self.labels = labels
        self.timestamp = timestamp
        self.value = value
        self.histogram = histogram
    }
}

/// The value of an expression.
public enum QueryValue: Sendable {
    case scalar(Double, Timestamp)
    case string(String, Timestamp)
    /// In the order of `sort`, `topk` and similar functions; otherwise unspecified.
    case vector([VectorElement])
    /// Sorted by labels.
    case matrix([SeriesSamples])

    /// The number of samples.
    public var count: Int {
        switch self {
        case .scalar, .string: 1
        case .vector(let elements): elements.count
        case .matrix(let series): series.reduce(0) { $0 + $1.count }
        }
    }

    /// The type's name in the HTTP API.
    public var type: ValueType {
        switch self {
        case .scalar: .scalar
        case .string: .string
        case .vector: .vector
        case .matrix: .matrix
        }
    }
}

/// The cost of an evaluation.
public struct QueryStatistics: Equatable, Sendable {
    /// Samples read, counted once per step that uses them.
    public var totalSamples = 0
    /// The maximum number of samples held at once.
    public var peakSamples = 0

    /// Nothing was read yet.
    public init() {}
}

/// The value of a query, with annotations and statistics.
public struct QueryResult: Sendable {
    /// The value.
    public var value: QueryValue
    /// Warnings and infos.
    public var annotations: Annotations
    /// Its cost.
    public var statistics: QueryStatistics

    /// The result `value`.
    public init(value: QueryValue, annotations: Annotations = Annotations(), statistics: QueryStatistics = .init()) {
        self.value = value
        self.annotations = annotations
        self.statistics = statistics
    }
}
