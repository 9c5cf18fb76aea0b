public import MetricModel

/// A notification about a rule of a verdict, or its end.
public struct VerdictAlert: Hashable, Sendable {
    /// The problem.
    public enum Kind: String, Sendable, CaseIterable {
        /// An enforcing rule has tripped.
        case tripped
        /// Data of a running release have been missing for longer than the rule allows.
        case withoutData
    }

    /// The verdict.
    public var verdict: String
    /// The rule's own name.
    public var rule: String
    /// The problem.
    public var kind: Kind
    /// The labels of the rule and of the element.
    public var labels: Labels
    /// The rule's annotations for the element.
    public var annotations: Labels
    /// `critical`, `high`, `warning` …
    public var severity: String
    /// The event, in one line.
    public var text: String
    /// The measured value; NaN without one.
    public var value: Double
    /// PromQL of the measured value.
    public var expression: String
    /// When it began.
    public var startsAt: Timestamp
    /// Whether it is over.
    public var isOver: Bool

    /// Whether both are equal; values that are not numbers are equal.
    public static func == (left: VerdictAlert, right: VerdictAlert) -> Bool {
        left.verdict == right.verdict && left.rule == right.rule && left.kind == right.kind
            && left.labels == right.labels && left.annotations == right.annotations && left.severity == right.severity
            && left.text == right.text && left.startsAt == right.startsAt && left.isOver == right.isOver
    }

    /// Equal for equal alerts.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(verdict)
        hasher.combine(rule)
        hasher.combine(kind)
        hasher.combine(labels)
        hasher.combine(text)
        hasher.combine(isOver)
    }
}
