public import MetricModel
public import RuleModel

/// A measured value as evidence.
public struct EvidenceSample: Hashable, Sendable {
    /// The evaluation time.
    public var time: Timestamp
    /// The measured value; NaN if missing data counted as a violation.
    public var value: Double

    /// The value measured at `time`.
    public init(time: Timestamp, value: Double) {
        self.time = time
        self.value = value
    }

    /// Whether both are equal; missing values are equal, unlike NaN.
    public static func == (left: EvidenceSample, right: EvidenceSample) -> Bool {
        left.time == right.time && (left.value == right.value || left.value.isNaN && right.value.isNaN)
    }

    /// Equal for equal samples: all missing values are one.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(time)
        hasher.combine(value.isNaN ? .nan : value)
    }
}

/// The decision that a rollback rule was violated often enough, with its evidence.
public struct Trip: Hashable, Sendable {
    /// `file;group;name` of the rule.
    public var rule: String
    /// The rule's own name.
    public var name: String
    /// SHA-256 of the rule's canonical definition.
    public var ruleHash: String
    /// `critical`, `high`, `warning` …
    public var severity: String
    /// PromQL of the measured value.
    public var expression: String
    /// The comparison that was met.
    public var condition: RollbackDefinition.Condition
    /// Labels of the element that tripped.
    public var labels: Labels
    /// Joins the violations that led here, the decision and what is done about it in the record.
    public var incident: String
    /// The violations in a row that caused the trip, oldest first.
    public var samples: [EvidenceSample]
    /// The affected service; `nil` if neither the rule nor the element names one.
    public var service: String?
    /// Which services roll back.
    public var scope: RollbackDefinition.Action.Scope
    /// The share of the candidate, in percent, to which it is lowered instead of a rollback; `nil` for a rollback.
    public var reduceTo: Int?
    /// Whether the trip causes an action.
    public var mode: RollbackDefinition.Mode
    /// How long afterwards promotion is stopped.
    public var cooldown: Milliseconds
    /// The time of the decision: that of the last measurement.
    public var time: Timestamp
    /// When the newest sample of the last measurement was scraped; `nil` if it rests on none.
    public var sampledAt: Timestamp?
    /// The rule's labels.
    public var ruleLabels = Labels.empty
    /// The rule's annotations for the element, expanded; empty if missing data caused the trip.
    public var annotations = Labels.empty
    /// The commit time of the scrape that proved the violation, on the monotonic clock; 0 for a timer.
    public var causeNanoseconds: Int64

    /// The trip of one element of `measurement`.
    ///
    /// - Parameter since: when the first of the violations was measured; `nil` for the first sample.
    public init(
        of measurement: RollbackMeasurement, labels: Labels, samples: [EvidenceSample], annotations: Labels = .empty,
        since: Timestamp? = nil
    ) {
        let definition = measurement.definition
        incident = Self.incident(
            of: measurement.rule, labels, since: since ?? samples.first?.time ?? measurement.time)
        rule = measurement.rule
        name = definition.name
        ruleHash = measurement.ruleHash
        severity = definition.severity
        expression = definition.expression
        condition = definition.trip
        self.labels = labels
        self.samples = samples
        service = definition.action.service ?? labels["service"]
        scope = definition.action.scope
        reduceTo = definition.action.reduceTo
        mode = definition.mode
        cooldown = definition.cooldown
        time = measurement.time
        sampledAt = measurement.elements.first { $0.labels == labels }?.sampledAt
        ruleLabels = definition.labels
        self.annotations = annotations
        causeNanoseconds = measurement.causeNanoseconds
    }

    /// The name of the incident that began with a violation of `rule` (`file;group;name`) by the element `labels` at
    /// `since`. Whoever knows these three gets the same name.
    static func incident(of rule: String, _ labels: Labels, since: Timestamp) -> String {
        let name = rule.split(separator: ";").last ?? "rule"
        let key = labels.setting("__rule__", to: rule).setting("__since__", to: String(since.milliseconds))
        return "\(name)-\(key.fingerprint)"
    }
}
