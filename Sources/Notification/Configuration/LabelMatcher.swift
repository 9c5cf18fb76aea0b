public import MetricModel
internal import RE2

/// A matcher with its pattern compiled. Two are equal when they match the same.
public struct LabelMatcher: Equatable, Sendable {
    /// What is matched.
    public let matcher: Matcher
    private let pattern: RegularExpression?

    /// Compiles `matcher`; a pattern RE2 refuses throws the reason as text.
    public init(_ matcher: Matcher) throws(LabelMatcherError) {
        self.matcher = matcher
        switch matcher.operation {
        case .equal, .notEqual: pattern = nil
        case .regex, .notRegex:
            do {
                pattern = try RegularExpression(matcher.value)
            } catch {
                throw LabelMatcherError(reason: error.description)
            }
        }
    }

    /// Reads `name="value"`, `name=~pattern` and the other forms of an Alertmanager matcher; quotes may be left out.
    public init(parsing text: String) throws(LabelMatcherError) {
        try self.init(try Self.parse(text))
    }

    /// Whether `labels` meet the condition; an absent label counts as empty.
    public func matches(_ labels: Labels) -> Bool {
        let value = labels[matcher.name] ?? ""
        return switch matcher.operation {
        case .equal: ByteOrder.equal(value, matcher.value)
        case .notEqual: !ByteOrder.equal(value, matcher.value)
        case .regex: pattern?.matchesWhole(value) == true
        case .notRegex: pattern?.matchesWhole(value) == false
        }
    }

    /// Equality of what is matched.
    public static func == (left: LabelMatcher, right: LabelMatcher) -> Bool { left.matcher == right.matcher }

    private static func parse(_ text: String) throws(LabelMatcherError) -> Matcher {
        let trimmed = trim(text[...])
        guard let sign = trimmed.firstIndex(where: { $0 == "=" || $0 == "!" }) else {
            throw LabelMatcherError(reason: "expected name=value, got \"\(text)\"")
        }
        var name = String(trim(trimmed[..<sign]))
        if name.count >= 2, name.hasPrefix("\""), name.hasSuffix("\"") { name = String(name.dropFirst().dropLast()) }
        let rest = trimmed[sign...]
        let operation: Matcher.Operation
        switch rest.prefix(2) {
        case "=~": operation = .regex
        case "!~": operation = .notRegex
        case "!=": operation = .notEqual
        case _ where rest.first == "=": operation = .equal
        default: throw LabelMatcherError(reason: "expected =, !=, =~ or !~ in \"\(text)\"")
        }
        guard !name.isEmpty else { throw LabelMatcherError(reason: "the label name is missing in \"\(text)\"") }
        return Matcher(name, operation, try unquote(trim(rest.dropFirst(operation.rawValue.count))))
    }

    private static func unquote(_ text: Substring) throws(LabelMatcherError) -> String {
        guard text.first == "\"" else {
            if text.contains("\"") { throw LabelMatcherError(reason: "unexpected quote in \(text)") }
            return String(text)
        }
        guard text.count >= 2, text.last == "\"" else {
            throw LabelMatcherError(reason: "a quote is not closed in \(text)")
        }
        var result = ""
        var escaped = false
        for character in text.dropFirst().dropLast() {
            if escaped {
                result +=
                    character == "n" ? "\n" : character == "\"" || character == "\\" ? "\(character)" : "\\\(character)"
                escaped = false
            } else if character == "\\" {
                escaped = true
            } else if character == "\"" {
                throw LabelMatcherError(reason: "unexpected quote in \(text)")
            } else {
                result.append(character)
            }
        }
        if escaped { throw LabelMatcherError(reason: "a quote is not closed in \(text)") }
        return result
    }

    private static func trim(_ text: Substring) -> Substring {
        var text = text
        while text.first == " " || text.first == "\t" { text.removeFirst() }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return text
    }
}

/// Why a matcher was refused.
public struct LabelMatcherError: Error, Equatable, Sendable {
    /// What is wrong.
    public let reason: String
}
