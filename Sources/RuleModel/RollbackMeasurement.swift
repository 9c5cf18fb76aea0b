public import MetricModel

/// The result of one evaluation of a rollback rule.
public struct RollbackMeasurement: Equatable, Sendable {
    /// One element of the result.
    public struct Element: Equatable, Sendable {
        /// Labels of the element, without the metric name.
        public var labels: Labels
        /// The measured value; NaN counts as missing.
        public var value: Double
        /// Whether minimum samples and guard are satisfied.
        public var counts: Bool
        /// The time of the newest sample that the value rests on; `nil` where that is the time of the evaluation, as
        /// for a value without samples.
        public var sampledAt: Timestamp?
        /// The rule's annotations for this element, expanded; empty for an element that is no violation.
        public var annotations = Labels.empty

        /// An element.
        public init(labels: Labels, value: Double, counts: Bool = true, sampledAt: Timestamp? = nil) {
            self.labels = labels
            self.value = value
            self.counts = counts
            self.sampledAt = sampledAt
        }
    }

    /// `file;group;name` of the rule.
    public var rule: String
    /// SHA-256 of the rule's canonical definition, as hexadecimal digits.
    public var ruleHash: String
    /// The rule.
    public var definition: RollbackDefinition
    /// The evaluation time.
    public var time: Timestamp
    /// The commit time of the scrape that caused the evaluation, in nanoseconds of the monotonic clock; 0 for a timer.
    public var causeNanoseconds: Int64
    /// Sorted by labels; empty if data is missing.
    public var elements: [Element]
    /// Why the expression could not be evaluated. Counts as missing data.
    public var failure: String?
    /// Whether the failure says nothing about the data: a server that was asked did not answer, or not with
    /// everything. Such a measurement is neither healthy nor missing, and trips nothing.
    public var isUnknown = false

    /// The result of one evaluation.
    public init(
        rule: String, ruleHash: String, definition: RollbackDefinition, time: Timestamp, causeNanoseconds: Int64 = 0,
        elements: [Element], failure: String? = nil
    ) {
        self.rule = rule
        self.ruleHash = ruleHash
        self.definition = definition
        self.time = time
        self.causeNanoseconds = causeNanoseconds
        self.elements = elements
        self.failure = failure
    }
}
