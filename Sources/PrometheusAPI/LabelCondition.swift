internal import MetricModel
internal import RE2
internal import WebCore

/// A compiled matcher for labels outside the store: those of rules and targets.
struct LabelCondition: Sendable {
    private let name: String
    private let pattern: LabelPattern
    private let isNegated: Bool

    init(_ matcher: Matcher) throws(APIError) {
        name = matcher.name
        isNegated = matcher.operation == .notEqual || matcher.operation == .notRegex
        switch matcher.operation {
        case .equal, .notEqual: pattern = LabelPattern(oneOf: [matcher.value])
        case .regex, .notRegex:
            do throws(RegularExpression.PatternError) { pattern = try LabelPattern(matcher.value) } catch {
                throw .invalid("match[]", error)
            }
        }
    }

    func holds(for labels: Labels) -> Bool {
        pattern.matches(labels[name] ?? "") != isNegated
    }
}
