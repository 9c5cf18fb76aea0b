internal import GoTemplate
public import MetricModel
internal import RE2

/// A matcher with its compiled pattern. Two are equal if their matchers are equal.
public struct LabelMatcher: Equatable, Sendable {
    /// The matcher.
    public let matcher: Matcher
    private let pattern: RegularExpression?

    /// Compiles `matcher`. Throws the reason if RE2 rejects the pattern.
    public init(_ matcher: Matcher) throws(LabelMatcherError) {
        self.matcher = matcher
        switch matcher.operation {
        case .equal, .notEqual: pattern = nil
        case .regex, .notRegex:
            do {
                pattern = try RegularExpression(matcher.value)
            } catch {
                throw LabelMatcherError(reason: PatternFault.text(matcher.value, error.reason))
            }
        }
    }

    /// Reads one matcher, such as `name="value"` or `{name=~pattern}`.
    public init(parsing text: String) throws(LabelMatcherError) {
        let matchers = try Self.list(parsing: text)
        guard matchers.count == 1 else {
            throw LabelMatcherError(
                reason: matchers.isEmpty ? "no matchers" : "expected 1 matcher, found \(matchers.count)")
        }
        self = matchers[0]
    }

    /// Reads any number of matchers: `a="b",c=~"d"`, with or without braces.
    public static func list(
        parsing text: String, syntax: MatcherSyntax = .fallback
    ) throws(LabelMatcherError) -> [LabelMatcher] {
        var matchers: [LabelMatcher] = []
        for matcher in try parsed(text, syntax) { matchers.append(try LabelMatcher(matcher)) }
        return matchers
    }

    private static func parsed(_ text: String, _ syntax: MatcherSyntax) throws(LabelMatcherError) -> [Matcher] {
        switch syntax {
        case .utf8: return try MatcherParser.parse(text)
        case .classic: return try ClassicMatcherParser.parse(text)
        case .fallback:
            let classic = try? ClassicMatcherParser.parse(text)
            do throws(LabelMatcherError) {
                let matchers = try MatcherParser.parse(text)
                return classic ?? matchers
            } catch {
                guard let classic else { throw error }
                return classic
            }
        }
    }

    /// Whether `labels` match. A missing label counts as empty.
    public func matches(_ labels: Labels) -> Bool {
        let value = labels[matcher.name] ?? ""
        return switch matcher.operation {
        case .equal: ByteOrder.equal(value, matcher.value)
        case .notEqual: !ByteOrder.equal(value, matcher.value)
        case .regex: pattern?.matchesWhole(value) == true
        case .notRegex: pattern?.matchesWhole(value) == false
        }
    }

    /// Compares the matchers.
    public static func == (left: LabelMatcher, right: LabelMatcher) -> Bool { left.matcher == right.matcher }
}

/// Why a matcher is invalid.
public struct LabelMatcherError: Error, Equatable, Sendable {
    /// The reason.
    public let reason: String
}

/// Error texts for patterns as in Go's `regexp`, which Alertmanager's users know.
private enum PatternFault {
    private static let words = [
        "missing ]": "missing closing ]", "missing )": "missing closing )",
        "no argument for repetition operator": "missing argument to repetition operator",
        "invalid repetition size": "invalid repeat count",
        "bad repetition operator": "invalid nested repetition operator",
        "trailing \\": "trailing backslash at end of expression",
        "invalid named capture group": "invalid named capture",
        "invalid perl operator": "invalid or unsupported Perl syntax",
    ]

    static func text(_ pattern: String, _ reason: String) -> String {
        // Alertmanager compiles the anchored pattern, which appears in the quoted rest.
        var reason = reason
        do {
            _ = try RegularExpression("^(?:\(pattern))$")
        } catch {
            reason = error.reason
        }
        let parts = reason.split(separator: ":", maxSplits: 1).map(String.init)
        let word = words[parts[0]] ?? parts[0]
        guard parts.count == 2 else { return "error parsing regexp: \(word)" }
        return "error parsing regexp: \(word): `\(parts[1].drop(while: \.isWhitespace))`"
    }
}

/// Quoted text as read by Go's `strconv.Unquote`; `nil` if it is malformed or not UTF-8.
enum QuotedText {
    static func unquoted(_ literal: String) -> String? {
        guard let bytes = GoLiteral.bytes(literal) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }
}
