public import MetricModel
public import PromQL
public import RuleModel

/// A file of unit tests for rules, in the format of `promtool test rules`.
public struct RuleUnitTest: Sendable {
    /// Options for reading and running tests.
    public struct Options: Sendable {
        /// Regular expressions. A test group runs if its name matches one of them. An empty list runs every group.
        public var run: [String]
        /// Whether unknown fields in tests and rule files are ignored.
        public var ignoresUnknownFields: Bool
        /// Which expressions are accepted.
        public var features: ParserFeatures
        /// Creates the judge that decides on trips of rollback rules. Without it, `rollback_rule_test` fails.
        public var judge: (@Sendable () -> any RollbackJudge)?

        /// By default, every group runs and files are read strictly.
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

    /// Samples and the expected results.
    public struct Group: Sendable {
        /// The group's name; may be empty.
        public var name: String
        /// Time between the samples of a series.
        public var interval: Milliseconds
        /// The time of the first samples and the first evaluation.
        public var start: Timestamp
        /// The samples.
        public var series: [SeriesNotation]
        /// The expected alerts.
        public var alerts: [AlertCase]
        /// The expected results of expressions.
        public var expressions: [ExpressionCase]
        /// The expected trips of rollback rules.
        public var rollbacks: [RollbackCase]
        /// The server's external labels.
        public var externalLabels: Labels
        /// The server's external URL.
        public var externalURL: String
    }

    /// The alerts with one name that fire at a time.
    public struct AlertCase: Sendable {
        /// An alert that must fire.
        public struct Expected: Equatable, Sendable {
            /// The labels, including `alertname`.
            public var labels: Labels
            /// The expanded annotations.
            public var annotations: Labels
        }

        /// The time after the start.
        public var time: Milliseconds
        /// The alert's name.
        public var name: String
        /// All alerts that must fire, and no others.
        public var expected: [Expected]
    }

    /// The elements of a rollback rule that are tripped at a time.
    public struct RollbackCase: Sendable {
        /// An element that must be tripped.
        public struct Expected: Sendable {
            /// The labels, without the metric name.
            public var labels: Labels
            /// When it must have tripped, after the start; `nil` for any time.
            public var trippedAt: Milliseconds?
        }

        /// The time after the start.
        public var time: Milliseconds
        /// The rule's name.
        public var name: String
        /// All elements that must be tripped, and no others.
        public var expected: [Expected]
    }

    /// The result of an expression at a time.
    public struct ExpressionCase: Sendable {
        /// An expected element.
        public struct Expected: Sendable {
            /// Its labels.
            public var labels: Labels
            /// Its value.
            public var value: Double
            /// Its value, if it is a native histogram.
            public var histogram: FloatHistogram?
        }

        /// The time after the start.
        public var time: Milliseconds
        /// The expression as written.
        public var text: String
        /// The expression.
        public var expression: Expression
        /// All elements of the result.
        public var expected: [Expected]
    }

    /// The path as the user gave it.
    public var path: String
    /// Patterns of rule files, relative to the file's directory.
    public var ruleFiles: [String]
    /// Time between evaluations of all groups.
    public var evaluationInterval: Milliseconds
    /// Names of groups in evaluation order. Other groups follow.
    public var groupOrder: [String]
    /// Whether adjacent floating-point numbers count as equal.
    public var isFuzzy: Bool
    /// The test groups.
    public var groups: [Group]
}

/// An element of a rollback rule that has tripped and has not cleared.
public struct ActiveTrip: Equatable, Sendable {
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

/// Decides on trips. The machine of rollback rules is in a module above this one, so the caller provides it.
public protocol RollbackJudge: AnyObject {
    /// Takes a measurement. Those of one rule arrive in order.
    func measured(_ measurement: RollbackMeasurement)
    /// The elements of rules named `rule` that are tripped now.
    func trips(of rule: String) -> [ActiveTrip]
}

/// The result of running one file of rule unit tests.
public struct RuleUnitTestReport: Equatable, Sendable, CustomStringConvertible {
    /// A failure in one test group.
    public struct Failure: Equatable, Sendable {
        /// The test group's name, or its number if it has none; empty for errors of the file.
        public var group: String
        /// The expected and the actual result.
        public var text: String
    }

    /// The file.
    public var path: String
    /// The number of test groups that ran.
    public var groupCount = 0
    /// Warnings, which do not fail the test.
    public var warnings: [String] = []
    /// All failures.
    public var failures: [Failure] = []

    /// Whether nothing failed.
    public var isSuccess: Bool { failures.isEmpty }

    /// A report without failures.
    public init(path: String) {
        self.path = path
    }

    /// The text for a terminal: `SUCCESS`, or each failure with its differences.
    public var description: String {
        var lines = ["Unit Testing:  \(path)"] + warnings.map { "  WARNING: \($0)" }
        lines.append(isSuccess ? "  SUCCESS" : "  FAILED:")
        for failure in failures {
            lines.append(failure.group.isEmpty ? "    \(failure.text)" : "    \(failure.group): \(failure.text)")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
