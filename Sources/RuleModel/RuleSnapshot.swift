public import MetricModel

/// Whether the last evaluation of a rule succeeded.
public enum RuleHealth: String, Sendable {
    case ok
    case err
    case unknown
}

/// The state of a rule group, as shown by `/api/v1/rules`.
public struct RuleGroupSnapshot: Sendable {
    /// The group's name.
    public var name: String
    /// The file that contains the group.
    public var file: String
    /// Time between evaluations.
    public var interval: Milliseconds
    /// Limit of series of one rule; 0 for no limit.
    public var limit: Int
    /// The rules in their order.
    public var rules: [RuleSnapshot]
    /// The duration of the last evaluation, in seconds.
    public var evaluationSeconds: Double
    /// The time of the last evaluation; `nil` before the first.
    public var lastEvaluation: Timestamp?

    /// A snapshot of a group.
    public init(
        name: String, file: String, interval: Milliseconds, limit: Int, rules: [RuleSnapshot],
        evaluationSeconds: Double, lastEvaluation: Timestamp?
    ) {
        self.name = name
        self.file = file
        self.interval = interval
        self.limit = limit
        self.rules = rules
        self.evaluationSeconds = evaluationSeconds
        self.lastEvaluation = lastEvaluation
    }
}

/// The state of a rule.
public struct RuleSnapshot: Sendable {
    /// Data that only one kind of rule has.
    public enum Kind: Sendable {
        case recording
        case alerting(hold: Milliseconds, keepFiring: Milliseconds, annotations: Labels, alerts: [ActiveAlertSnapshot])
        /// A rollback rule: its trip condition as text and whether it is tripped.
        case rollback(
            trip: String, severity: String, mode: String, streak: Int, annotations: Labels,
            alerts: [ActiveAlertSnapshot])
    }

    /// Name of the alert, the recorded metric or the rollback rule.
    public var name: String
    /// The canonical text of the expression.
    public var query: String
    /// The rule's labels, not expanded.
    public var labels: Labels
    /// The kind of rule, with its data.
    public var kind: Kind
    /// Whether the last evaluation succeeded.
    public var health: RuleHealth
    /// The error of the last evaluation; empty if it succeeded.
    public var lastError: String
    /// The duration of the last evaluation, in seconds.
    public var evaluationSeconds: Double
    /// The time of the last evaluation; `nil` before the first.
    public var lastEvaluation: Timestamp?

    /// A snapshot of a rule.
    public init(
        name: String, query: String, labels: Labels, kind: Kind, health: RuleHealth, lastError: String,
        evaluationSeconds: Double, lastEvaluation: Timestamp?
    ) {
        self.name = name
        self.query = query
        self.labels = labels
        self.kind = kind
        self.health = health
        self.lastError = lastError
        self.evaluationSeconds = evaluationSeconds
        self.lastEvaluation = lastEvaluation
    }
}

/// A pending or firing alert, as shown by `/api/v1/alerts`.
public struct ActiveAlertSnapshot: Equatable, Sendable {
    /// Whether the `for` duration has passed.
    public enum State: String, Sendable {
        case pending
        case firing
    }

    /// The labels, including `alertname`.
    public var labels: Labels
    /// Expanded annotations.
    public var annotations: Labels
    /// Pending or firing.
    public var state: State
    /// The start of the condition.
    public var activeAt: Timestamp
    /// The time since which it fires only because of `keep_firing_for`.
    public var keepFiringSince: Timestamp?
    /// The last measured value.
    public var value: Double

    /// A snapshot of an alert.
    public init(
        labels: Labels, annotations: Labels, state: State, activeAt: Timestamp, keepFiringSince: Timestamp?,
        value: Double
    ) {
        self.labels = labels
        self.annotations = annotations
        self.state = state
        self.activeAt = activeAt
        self.keepFiringSince = keepFiringSince
        self.value = value
    }
}

extension RuleSnapshot {
    /// The active alerts of an alerting rule, or what has tripped of a rollback rule.
    public var activeAlerts: [ActiveAlertSnapshot] {
        switch kind {
        case .recording: []
        case .alerting(_, _, _, let alerts), .rollback(_, _, _, _, _, let alerts): alerts
        }
    }
}
