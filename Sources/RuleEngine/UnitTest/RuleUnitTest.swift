public import MetricModel
public import PromQL
public import RuleModel

/// A file of unit tests for rules, in the format of `promtool test rules`.
public struct RuleUnitTest: Sendable {
    /// What is read and run.
    public struct Options: Sendable {
        /// Regular expressions; a test group runs where one of them matches in its name. None at all means every group.
        public var run: [String]
        /// Whether fields that do not exist are passed over, in tests and rule files.
        public var ignoresUnknownFields: Bool
        /// Which expressions are accepted.
        public var features: ParserFeatures
        /// Makes what decides on trips of rollback rules; without one, `rollback_rule_test` fails.
        public var judge: (@Sendable () -> any RollbackJudge)?

        /// By default every group of a strictly read file.
        public init(
            run: [String] = [], ignoresUnknownFields: Bool = false, features: ParserFeatures = .standard,
            judge: (@Sendable () -> any RollbackJudge)? = nil
        ) {
            self.run = run
            self.ignoresUnknownFields = ignoresUnknownFields
            self.features = features
            self.judge = judge
        }
    }

    /// Samples and what is expected of them.
    public struct Group: Sendable {
        /// The group's name; may be empty.
        public var name: String
        /// Distance of the samples of a series.
        public var interval: Milliseconds
        /// The time of the first samples and the first evaluation.
        public var start: Timestamp
        /// The samples.
        public var series: [SeriesNotation]
        /// What is expected of alerts.
        public var alerts: [AlertCase]
        /// What is expected of expressions.
        public var expressions: [ExpressionCase]
        /// What is expected of rollback rules.
        public var rollbacks: [RollbackCase]
        /// Labels of the server.
        public var externalLabels: Labels
        /// The URL of the server.
        public var externalURL: String
    }

    /// Which alerts of one name fire at one time.
    public struct AlertCase: Sendable {
        /// An alert that must fire.
        public struct Expected: Equatable, Sendable {
            /// With `alertname`.
            public var labels: Labels
            /// Expanded.
            public var annotations: Labels
        }

        /// The time since the start.
        public var time: Milliseconds
        /// The alert's name.
        public var name: String
        /// Exactly the alerts that must fire.
        public var expected: [Expected]
    }

    /// Which elements of one rollback rule are tripped at one time.
    public struct RollbackCase: Sendable {
        /// An element that must be tripped.
        public struct Expected: Sendable {
            /// Its labels, without the metric's name.
            public var labels: Labels
            /// When it must have tripped, since the start; `nil` where any time will do.
            public var trippedAt: Milliseconds?
        }

        /// The time since the start.
        public var time: Milliseconds
        /// The rule's name.
        public var name: String
        /// Exactly the elements that must be tripped.
        public var expected: [Expected]
    }

    /// What one expression yields at one time.
    public struct ExpressionCase: Sendable {
        /// An element that must come out.
        public struct Expected: Sendable {
            /// Its labels.
            public var labels: Labels
            /// Its value.
            public var value: Double
            /// Its value where it is a native histogram.
            public var histogram: FloatHistogram?
        }

        /// The time since the start.
        public var time: Milliseconds
        /// The expression as written.
        public var text: String
        /// The expression.
        public var expression: Expression
        /// Exactly the elements that must come out.
        public var expected: [Expected]
    }

    /// The file as the user named it.
    public var path: String
    /// Patterns of rule files, as seen from the file's directory.
    public var ruleFiles: [String]
    /// Time between evaluations of all groups.
    public var evaluationInterval: Milliseconds
    /// Names of groups in the order in which they are evaluated; others follow.
    public var groupOrder: [String]
    /// Whether neighbouring floating point numbers count as equal.
    public var isFuzzy: Bool
    /// The test groups.
    public var groups: [Group]
}

/// An element of a rollback rule that has tripped and has not cleared.
public struct StandingTrip: Equatable, Sendable {
    /// Labels of the element.
    public var labels: Labels
    /// When it tripped.
    public var trippedAt: Timestamp

    /// An element that tripped at a time.
    public init(labels: Labels, trippedAt: Timestamp) {
        self.labels = labels
        self.trippedAt = trippedAt
    }
}

/// Decides on trips. The machine of rollback rules stands above this module, so whoever runs unit tests lends it.
public protocol RollbackJudge: AnyObject {
    /// Takes a measurement; those of one rule come in order.
    func measured(_ measurement: RollbackMeasurement)
    /// The elements of the rules called `rule` that are tripped now.
    func trips(of rule: String) -> [StandingTrip]
}

/// What a run of one file of rule unit tests found.
public struct RuleUnitTestReport: Equatable, Sendable, CustomStringConvertible {
    /// What went wrong in one test group.
    public struct Failure: Equatable, Sendable {
        /// The test group's name, or its number where it has none; empty for faults of the file.
        public var group: String
        /// What was expected and what came instead.
        public var text: String
    }

    /// The file.
    public var path: String
    /// Test groups that ran.
    public var groupCount = 0
    /// Remarks that fail nothing.
    public var warnings: [String] = []
    /// Everything that failed.
    public var failures: [Failure] = []

    /// Whether nothing failed.
    public var isSuccess: Bool { failures.isEmpty }

    /// A report without findings.
    public init(path: String) {
        self.path = path
    }

    /// For a terminal: `SUCCESS`, or each failure with its differences.
    public var description: String {
        var lines = ["Unit Testing:  \(path)"] + warnings.map { "  WARNING: \($0)" }
        lines.append(isSuccess ? "  SUCCESS" : "  FAILED:")
        for failure in failures {
            lines.append(failure.group.isEmpty ? "    \(failure.text)" : "    \(failure.group): \(failure.text)")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
