public import MetricModel
public import PromQL
public import RuleModel
public import YAML

/// The content of one rule file.
public struct RuleFile: Equatable, Sendable {
    /// The file as the user named it.
    public var path: String
    /// The groups in the order they stand.
    public var groups: [RuleGroup]

    /// A file with `groups`.
    public init(path: String, groups: [RuleGroup]) {
        self.path = path
        self.groups = groups
    }
}

/// Rules that are evaluated together, in order.
public struct RuleGroup: Equatable, Sendable {
    /// What starts an evaluation.
    public enum Trigger: String, Sendable, CaseIterable {
        /// The clock, every `interval`.
        case interval
        /// Each scrape that delivers series the group reads; the clock only where scrapes stay away for an `interval`.
        case scrape
    }

    /// The file it stands in.
    public var file: String
    /// Its name, unique in the file.
    public var name: String
    /// Time between evaluations; `nil` for the server's.
    public var interval: Milliseconds?
    /// Most series or active alerts of one rule; 0 for no limit.
    public var limit: Int
    /// How far behind the clock queries run; `nil` for the server's.
    public var queryOffset: Milliseconds?
    /// What starts an evaluation.
    public var trigger: Trigger
    /// The rules in their order.
    public var rules: [Rule]

    /// A group.
    public init(
        file: String, name: String, interval: Milliseconds? = nil, limit: Int = 0, queryOffset: Milliseconds? = nil,
        trigger: Trigger = .interval, rules: [Rule]
    ) {
        self.file = file
        self.name = name
        self.interval = interval
        self.limit = limit
        self.queryOffset = queryOffset
        self.trigger = trigger
        self.rules = rules
    }

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

    /// What is evaluated.
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
    /// What is evaluated.
    public var expression: Expression
    /// Labels that are set; an empty value removes the label. Those of the group are included.
    public var labels: [Label]

    /// A recording rule.
    public init(name: String, expression: Expression, labels: [Label] = []) {
        self.name = name
        self.expression = expression
        self.labels = labels
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
    /// What is evaluated.
    public var expression: Expression
    /// How long the condition must hold before the alert fires (`for`).
    public var hold: Milliseconds
    /// How long the alert fires after the condition has ended.
    public var keepFiring: Milliseconds
    /// Labels that are added. Those of the group are included.
    public var labels: [Text]
    /// Texts for people.
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

    /// The labels as they stand in the file.
    public var labelSources: Labels { Labels(labels.map { Label($0.name, $0.template.source) }) }
    /// The annotations as they stand in the file.
    public var annotationSources: Labels { Labels(annotations.map { Label($0.name, $0.template.source) }) }
}

/// A rollback rule with its expressions parsed.
public struct RollbackQuery: Equatable, Sendable {
    /// The rule as it stands in the file. Labels of the group are included.
    public var definition: RollbackDefinition
    /// What is measured.
    public var expression: Expression
    /// The quantity that must be reached for a measurement to count.
    public var minimumSamples: Expression?
    /// What must be non-zero for a measurement to count.
    public var guardExpression: Expression?
    /// SHA-256 of the canonical definition, as hexadecimal digits.
    public var hash: String
}

/// Why a rule file is refused: everything that is wrong in it, in the order it stands.
public struct RuleFileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The faults; never empty.
    public var faults: [YAMLError]

    /// A refusal for `faults`, of which there is at least one.
    public init(faults: [YAMLError]) {
        self.faults = faults
    }

    /// One line for each fault.
    public var description: String { faults.map(\.description).joined(separator: "\n") }
}
