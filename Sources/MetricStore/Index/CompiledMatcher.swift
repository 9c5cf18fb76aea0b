internal import MetricModel
internal import RE2

/// A matcher made ready: patterns that only list texts or name a beginning need no regular expression.
struct CompiledMatcher {
    enum Test {
        /// The value is one of these.
        case oneOf([String])
        /// The value begins with this and goes on for at least so many bytes.
        case prefix(String, atLeast: Int)
        case pattern(RegularExpression)
    }

    let name: String
    let test: Test
    let isNegated: Bool
    /// Whether a series without the label fits.
    let acceptsAbsence: Bool

    init(_ matcher: Matcher) throws(SelectError) {
        name = matcher.name
        isNegated = matcher.operation == .notEqual || matcher.operation == .notRegex
        switch matcher.operation {
        case .equal, .notEqual: test = .oneOf([matcher.value])
        case .regex, .notRegex: test = try Self.test(pattern: matcher.value)
        }
        acceptsAbsence = Self.holds(test, for: "") != isNegated
    }

    /// Whether a label with this value fits.
    func accepts(_ value: String) -> Bool {
        Self.holds(test, for: value) != isNegated
    }

    private static func holds(_ test: Test, for value: String) -> Bool {
        switch test {
        case .oneOf(let texts): texts.contains { ByteOrder.equal($0, value) }
        case .prefix(let prefix, let more):
            value.utf8.count >= prefix.utf8.count + more && value.utf8.starts(with: prefix.utf8)
        case .pattern(let pattern): pattern.matchesWhole(value)
        }
    }

    private static func test(pattern: String) throws(SelectError) -> Test {
        var body = Substring(pattern)
        for opening in ["(?:", "("] where body.hasPrefix(opening) && body.hasSuffix(")") {
            let inner = body.dropFirst(opening.count).dropLast()
            if isPlain(inner, allowing: "|") { body = inner }
            break
        }
        if isPlain(body, allowing: "|") {
            return .oneOf(body.split(separator: "|", omittingEmptySubsequences: false).map(String.init))
        }
        for (ending, more) in [(".*", 0), (".+", 1)] where body.hasSuffix(ending) {
            let prefix = body.dropLast(2)
            if isPlain(prefix, allowing: nil) { return .prefix(String(prefix), atLeast: more) }
        }
        do throws(RegularExpression.PatternError) {
            return .pattern(try RegularExpression(pattern))
        } catch {
            throw SelectError(.badMatcher, error.description)
        }
    }

    /// Whether every character of `text` stands for itself in a pattern.
    private static func isPlain(_ text: Substring, allowing exception: Unicode.Scalar?) -> Bool {
        text.unicodeScalars.allSatisfy { $0 == exception || !"\\.+*?()[]{}^$|".unicodeScalars.contains($0) }
    }
}
