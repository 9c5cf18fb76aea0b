public import MetricModel

/// One line with a value.
public struct ExpositionSample: Equatable, Sendable {
    /// The series.
    public var labels: Labels
    /// The value; NaN is always the canonical one.
    public var value: Double
    /// The line's own timestamp, if it has one.
    public var timestamp: Timestamp?
    /// The start timestamp, if it is known and requested.
    public var startTimestamp: Timestamp?
    /// The exemplar, if there is one.
    public var exemplar: Exemplar?

    /// A line with a value.
    public init(labels: Labels, value: Double, timestamp: Timestamp? = nil, exemplar: Exemplar? = nil) {
        self.labels = labels
        self.value = value
        self.timestamp = timestamp
        self.exemplar = exemplar
    }
}

/// One native histogram.
public struct ExpositionHistogram: Equatable, Sendable {
    /// The series.
    public var labels: Labels
    /// The histogram.
    public var histogram: FloatHistogram
    /// Its own timestamp, if it has one.
    public var timestamp: Timestamp?
    /// The start timestamp, if it is known and requested.
    public var startTimestamp: Timestamp?
    /// Its exemplars, each with a timestamp.
    public var exemplars: [Exemplar]

    /// A native histogram.
    public init(
        labels: Labels, histogram: FloatHistogram, timestamp: Timestamp? = nil, startTimestamp: Timestamp? = nil,
        exemplars: [Exemplar] = []
    ) {
        self.labels = labels
        self.histogram = histogram
        self.timestamp = timestamp
        self.startTimestamp = startTimestamp
        self.exemplars = exemplars
    }
}

extension ExpositionBody {
    /// All entries of the body, in order.
    ///
    /// - Parameter options: the parts of a protobuf body to read. Text formats are read completely.
    public func entries(
        _ format: ExpositionFormat, options: ExpositionOptions = ExpositionOptions()
    ) throws(ExpositionError) -> [ExpositionEntry] {
        if format == .protobuf { return try protobufEntries(options) }
        return try withParser(format) { parser throws(ExpositionError) in
            var entries: [ExpositionEntry] = []
            while true {
                switch try parser.next() {
                case .end: return entries
                case .type: entries.append(.type(metric: parser.metricName(), parser.type))
                case .help: entries.append(.help(metric: parser.metricName(), try parser.helpText()))
                case .unit: entries.append(.unit(metric: parser.metricName(), try parser.plainText()))
                case .comment: entries.append(.comment(parser.commentText()))
                case .sample:
                    entries.append(
                        .sample(
                            ExpositionSample(
                                labels: try parser.seriesLabels(), value: parser.value, timestamp: parser.timestamp,
                                exemplar: try parser.exemplar())))
                }
            }
        }
    }
}
