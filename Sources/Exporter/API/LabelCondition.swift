internal import MetricModel
internal import RE2

/// A matcher ready to be put to labels that do not come from the store: those of rules and targets.
struct LabelCondition: Sendable {
    private let name: String
    private let value: String
    private let pattern: RegularExpression?
    private let negates: Bool

    init(_ matcher: Matcher) throws(APIError) {
        name = matcher.name
        value = matcher.value
        negates = matcher.operation == .notEqual || matcher.operation == .notRegex
        switch matcher.operation {
        case .equal, .notEqual: pattern = nil
        case .regex, .notRegex:
            do {
                pattern = try RegularExpression(matcher.value)
            } catch {
                throw .invalid("match[]", error)
            }
        }
    }

    func holds(for labels: Labels) -> Bool {
        let text = labels[name] ?? ""
        let matches = pattern?.matchesWhole(text) ?? ByteOrder.equal(text, value)
        return matches != negates
    }
}
