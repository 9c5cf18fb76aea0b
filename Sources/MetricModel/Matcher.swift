/// A condition on a label of a series. An absent label counts as the empty string.
public struct Matcher: Hashable, Sendable {
    /// How a value is compared.
    public enum Operation: String, Hashable, Sendable, CaseIterable {
        case equal = "="
        case notEqual = "!="
        /// The whole value matches the RE2 pattern.
        case regex = "=~"
        case notRegex = "!~"
    }

    /// The label.
    public var name: String
    /// The comparison.
    public var operation: Operation
    /// The text or pattern to compare with.
    public var value: String

    /// A condition on the label `name`.
    public init(_ name: String, _ operation: Operation, _ value: String) {
        self.name = name
        self.operation = operation
        self.value = value
    }
}

extension Matcher: CustomStringConvertible {
    /// `name="value"`, with the name quoted if necessary.
    public var description: String {
        let label = MetricText.isLegacyLabelName(name) ? name : MetricText.literal(name)
        return "\(label)\(operation.rawValue)\(MetricText.literal(value))"
    }
}
