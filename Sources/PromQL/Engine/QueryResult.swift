public import MetricModel

/// One element of an instant vector.
public struct VectorElement: Equatable, Sendable {
    /// The series.
    public var labels: Labels
    /// The evaluation time.
    public var timestamp: Timestamp
    /// The value; has no meaning where `histogram` is there.
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
    /// In the order that `sort`, `topk` and the like ask for, else unspecified.
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

    /// The type as the HTTP API names it.
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
    /// Samples that were read, counted once per step that used them.
    public var totalSamples = 0
    /// Most samples that were held at once.
    public var peakSamples = 0

    /// Nothing read yet.
    public init() {}
}

/// The value of a query with what is to be said about it.
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
