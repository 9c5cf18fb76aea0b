public import MetricModel
public import PromQL
public import RuleModel
public import YAML

/// The content of one rule file.
public struct RuleFile: Equatable, Sendable {
    /// The path as the user gave it.
    public var path: String
    /// The groups in file order.
    public var groups: [RuleGroup]

    /// A file with `groups`.
    public init(path: String, groups: [RuleGroup]) {
        self.path = path
        self.groups = groups
    }
}

/// Rules that are evaluated together, in order.
public struct RuleGroup: Equatable, Sendable {
    /// The trigger of an evaluation.
    public enum Trigger: String, Sendable, CaseIterable {
        /// The clock, every `interval`.
        case interval
        /// Each scrape of series that the group reads; the clock only after an `interval` without such a scrape.
        case scrape
    }

    /// The file that contains the group.
    public var file: String
    /// The group's name, unique in the file.
    public var name: String
    /// Time between evaluations; `nil` for the server's setting.
    public var interval: Milliseconds?
    /// Limit of series or active alerts of one rule; 0 for no limit.
    public var limit: Int
    /// How far in the past queries run; `nil` for the server's setting.
    public var queryOffset: Milliseconds?
    /// The trigger of an evaluation; `nil` for the server's setting.
    public var trigger: Trigger?
    /// The name of the query server that evaluates the expressions, or ``ownStore``; `nil` for the setting of all
    /// groups.
    public var query: String?
    /// The rules in their order.
    public var rules: [Rule]

    /// A group.
    public init(
        file: String, name: String, interval: Milliseconds? = nil, limit: Int = 0, queryOffset: Milliseconds? = nil,
        trigger: Trigger? = nil, rules: [Rule]
    ) {
        self.file = file
        self.name = name
        self.interval = interval
        self.limit = limit
        self.queryOffset = queryOffset
        self.trigger = trigger
        self.rules = rules
    }

    /// In place of the name of a query server: the samples of this process.
    public static let ownStore = "own"

    /// `file;name`, unique among all groups.
    public var key: String { "\(file);\(name)" }
}

/// One rule of a group.
public enum Rule: Equatable, Sendable {
    case recording(RecordingRule)
    case alerting(AlertingRule)
    case rollback(RollbackQuery)

    /// The recorded metric, the alert, or the rollback rule.
    public var name: String {
        switch self {
        case .recording(let rule): rule.name
        case .alerting(let rule): rule.name
        case .rollback(let rule): rule.definition.name
        }
    }

    /// The expression that is evaluated.
    public var expression: Expression {
        switch self {
        case .recording(let rule): rule.expression
        case .alerting(let rule): rule.expression
        case .rollback(let rule): rule.expression
        }
    }
}

/// Stores the result of an expression as new series.
public struct RecordingRule: Equatable, Sendable {
    /// The metric that is written.
    public var name: String
    /// The expression that is evaluated.
    public var expression: Expression
    /// Labels that are set, including the group's. An empty value removes the label.
    public var labels: [Label]
    /// Whether the series also go into the history (`record_history`), which Prometheus does not know.
    public var recordsHistory: Bool

    /// A recording rule.
    public init(name: String, expression: Expression, labels: [Label] = [], recordsHistory: Bool = false) {
        self.name = name
        self.expression = expression
        self.labels = labels
        self.recordsHistory = recordsHistory
    }

    /// A selector of the series that the rule writes.
    public var selector: String {
        let matchers = labels.filter { !$0.value.isEmpty }.map { "\($0.name)=\(MetricText.quoted($0.value))" }
        return "{\(([Labels.metricName + "=" + MetricText.quoted(name)] + matchers).joined(separator: ", "))}"
    }
}

/// Raises an alert for each element of an expression's result.
public struct AlertingRule: Equatable, Sendable {
    /// A label or annotation whose text is a template.
    public struct Text: Equatable, Sendable {
        /// Its name.
        public var name: String
        /// Its text.
        public var template: AlertTemplate

        /// A text called `name`.
        public init(_ name: String, _ template: AlertTemplate) {
            self.name = name
            self.template = template
        }
    }

    /// The value of the label `alertname`.
    public var name: String
    /// The expression that is evaluated.
    public var expression: Expression
    /// How long the condition must hold before the alert fires (`for`).
    public var hold: Milliseconds
    /// How long the alert keeps firing after the condition has ended (`keep_firing_for`).
    public var keepFiring: Milliseconds
    /// Labels that are added, including the group's.
    public var labels: [Text]
    /// Texts that describe the alert.
    public var annotations: [Text]

    /// An alerting rule.
    public init(
        name: String, expression: Expression, hold: Milliseconds = .zero, keepFiring: Milliseconds = .zero,
        labels: [Text] = [], annotations: [Text] = []
    ) {
        self.name = name
        self.expression = expression
        self.hold = hold
        self.keepFiring = keepFiring
        self.labels = labels
        self.annotations = annotations
    }

    /// The labels as written in the file.
    public var labelSources: Labels { Labels(labels.map { Label($0.name, $0.template.source) }) }
    /// The annotations as written in the file.
    public var annotationSources: Labels { Labels(annotations.map { Label($0.name, $0.template.source) }) }
}

/// A rollback rule with its expressions parsed.
public struct RollbackQuery: Equatable, Sendable {
    /// The rule as written in the file, including the group's labels.
    public var definition: RollbackDefinition
    /// The measured expression.
    public var expression: Expression
    /// The quantity that a measurement needs in order to count.
    public var minimumSamples: Expression?
    /// The expression that must not be zero for a measurement to count.
    public var guardExpression: Expression?
    /// SHA-256 of the canonical definition, as hexadecimal digits.
    public var hash: String
    /// The annotations as templates.
    var annotations: [AlertingRule.Text] = []
}

/// Why a rule file is rejected: all its errors, in file order.
public struct RuleFileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The errors; never empty.
    public var faults: [YAMLError]

    /// An error for `faults`, of which there is at least one.
    public init(faults: [YAMLError]) {
        self.faults = faults
    }

    /// One line per error.
    public var description: String { faults.map(\.description).joined(separator: "\n") }
}
