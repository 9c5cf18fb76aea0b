public import MetricModel

/// The plans, services and series to which an identity's permissions are limited. A value.
public struct Scope: Equatable, Sendable {
    /// Names of plans, with `*` for any text; empty for all plans.
    public var plans: [NamePattern] = []
    /// Names of services, with `*` for any text; empty for all services.
    public var services: [NamePattern] = []

    /// Values of labels; series without one of them are not seen. Empty for all series.
    public var labels: [LabelLimit] = []

    /// The values that a label of a series must have.
    public struct LabelLimit: Equatable, Sendable {
        /// The label.
        public var name: String
        /// The allowed values; none is empty.
        public var values: [String]

        /// A limit.
        public init(name: String, values: [String]) {
            self.name = name
            self.values = values
        }
    }

    /// No limit.
    public init() {}

    /// The conditions that ``labels`` add to every selector.
    public var matchers: [Matcher] {
        labels.map { label in
            guard label.values.count > 1 else { return Matcher(label.name, .equal, label.values.first ?? "") }
            return Matcher(label.name, .regex, label.values.map(Self.literal).joined(separator: "|"))
        }
    }

    /// A pattern of RE2 for exactly `text`.
    private static func literal(_ text: String) -> String {
        String(text.flatMap { ("\\.+*?()|[]{}^$".contains($0) ? "\\" : "") + String($0) })
    }

    /// A limit to these plans and services.
    public init(plans: [NamePattern], services: [NamePattern] = []) {
        self.plans = plans
        self.services = services
    }

    /// Whether it limits nothing.
    public var isUnlimited: Bool { plans.isEmpty && services.isEmpty && labels.isEmpty }

    /// Whether an action on `plan` is permitted: on all of its services unless some are named.
    public func covers(plan: String, services named: [String] = []) -> Bool {
        guard plans.isEmpty || plans.contains(where: { $0.matches(plan) }) else { return false }
        if services.isEmpty { return true }
        // All services of a plan are more than the listed ones.
        return !named.isEmpty && named.allSatisfy { name in services.contains { $0.matches(name) } }
    }
}

/// A name in which `*` stands for any text. A value.
public struct NamePattern: Equatable, Sendable, CustomStringConvertible {
    /// The pattern as written.
    public let description: String
    private let parts: [Substring]

    /// The pattern `text`.
    public init(_ text: String) {
        description = text
        parts = text.split(separator: "*", omittingEmptySubsequences: false)
    }

    /// Whether the whole of `name` matches. Takes time in proportion to both lengths.
    public func matches(_ name: String) -> Bool {
        guard parts.count > 1, let first = parts.first, let last = parts.last else { return name == description }
        guard name.utf8.count >= first.utf8.count + last.utf8.count, name.hasPrefix(first), name.hasSuffix(last) else {
            return false
        }
        var rest = name.dropFirst(first.count).dropLast(last.count)
        for part in parts.dropFirst().dropLast() where !part.isEmpty {
            guard let end = Self.end(of: part, in: rest) else { return false }
            rest = rest[end...]
        }
        return true
    }

    private static func end(of part: Substring, in text: Substring) -> String.Index? {
        var start = text.startIndex
        while start < text.endIndex {
            if text[start...].hasPrefix(part) { return text.index(start, offsetBy: part.count) }
            start = text.index(after: start)
        }
        return nil
    }
}
