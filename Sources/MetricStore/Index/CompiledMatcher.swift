internal import MetricModel
internal import RE2

/// A compiled matcher.
struct CompiledMatcher {
    let name: String
    let isNegated: Bool
    /// Whether a series without the label matches.
    let acceptsAbsence: Bool
    private let pattern: LabelPattern

    init(_ matcher: Matcher) throws(SelectError) {
        name = matcher.name
        isNegated = matcher.operation == .notEqual || matcher.operation == .notRegex
        switch matcher.operation {
        case .equal, .notEqual: pattern = LabelPattern(oneOf: [matcher.value])
        case .regex, .notRegex:
            do throws(RegularExpression.PatternError) { pattern = try LabelPattern(matcher.value) } catch {
                throw SelectError(.badMatcher, error.description)
            }
        }
        acceptsAbsence = pattern.matches("") != isNegated
    }

    /// The values in the pattern, if it is a list of literals.
    var listed: [String]? { pattern.listed }

    /// Whether a label with this value matches.
    func accepts(_ value: String) -> Bool {
        pattern.matches(value) != isNegated
    }
}
