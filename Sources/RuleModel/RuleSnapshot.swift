public import MetricModel

/// Whether the last evaluation of a rule succeeded.
public enum RuleHealth: String, Sendable {
    case ok
    case err
    case unknown
}

/// A rule group at one moment, as `/api/v1/rules` shows it.
public struct RuleGroupSnapshot: Sendable {
    /// The group's name.
    public var name: String
    /// The file it stands in.
    public var file: String
    /// Time between evaluations.
    public var interval: Milliseconds
    /// Most series a rule may produce; 0 for no limit.
    public var limit: Int
    /// The rules in their order.
    public var rules: [RuleSnapshot]
    /// Seconds the last evaluation took.
    public var evaluationSeconds: Double
    /// When it was last evaluated; `nil` before the first time.
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

/// A rule at one moment.
public struct RuleSnapshot: Sendable {
    /// What only one kind of rule has.
    public enum Kind: Sendable {
        case recording
        case alerting(hold: Milliseconds, keepFiring: Milliseconds, annotations: Labels, alerts: [ActiveAlertSnapshot])
        /// A rollback rule: its trip condition in words and whether it is tripped.
        case rollback(trip: String, severity: String, mode: String, streak: Int, isTripped: Bool)
    }

    /// Name of the alert, the recorded metric or the rollback rule.
    public var name: String
    /// The canonical text of the expression.
    public var query: String
    /// The rule's labels, unexpanded.
    public var labels: Labels
    /// What only this kind of rule has.
    public var kind: Kind
    /// Whether the last evaluation succeeded.
    public var health: RuleHealth
    /// Why it did not; empty when it did.
    public var lastError: String
    /// Seconds the last evaluation took.
    public var evaluationSeconds: Double
    /// When it was last evaluated; `nil` before the first time.
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

/// A pending or firing alert, as `/api/v1/alerts` shows it.
public struct ActiveAlertSnapshot: Sendable {
    /// Whether `for` has passed.
    public enum State: String, Sendable {
        case pending
        case firing
    }

    /// Labels with `alertname`.
    public var labels: Labels
    /// Expanded annotations.
    public var annotations: Labels
    /// Pending or firing.
    public var state: State
    /// Since when the condition holds.
    public var activeAt: Timestamp
    /// Since when it fires only because of `keep_firing_for`.
    public var keepFiringSince: Timestamp?
    /// The value last measured.
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
    /// The active alerts of an alerting rule; none for other rules.
    public var activeAlerts: [ActiveAlertSnapshot] {
        if case .alerting(_, _, _, let alerts) = kind { alerts } else { [] }
    }
}
