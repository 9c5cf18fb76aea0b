public import MetricModel

/// One line with a value.
public struct ExpositionSample: Equatable, Sendable {
    /// The series.
    public var labels: Labels
    /// The value; NaN is always the canonical one.
    public var value: Double
    /// The line's own timestamp, if it has one.
    public var timestamp: Timestamp?
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

/// An example of what a value was measured on, such as a trace.
public struct Exemplar: Equatable, Sendable {
    /// Its labels.
    public var labels: Labels
    /// The value that was observed.
    public var value: Double
    /// When, if that is known.
    public var timestamp: Timestamp?
}

extension ExpositionBody {
    /// Everything in the body, in order.
    public func entries(_ format: ExpositionFormat) throws(ExpositionError) -> [ExpositionEntry] {
        try withParser(format) { parser throws(ExpositionError) in
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
