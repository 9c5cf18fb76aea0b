internal import MetricModel
internal import RE2

extension Parser {
    /// A selector after its name, which has been consumed if there is one.
    mutating func selector(named name: Token?) throws(Interruption) -> Operand {
        var range = name?.range ?? peek().range
        var matchers: [Matcher] = []
        if name == nil || peek().kind == .leftBrace {
            take()
            range.end = try self.matchers(into: &matchers).range.end
        }
        check(matchers, name: name?.text, range: range)
        if let name { matchers.append(Matcher(Labels.metricName, .equal, name.text)) }
        let node = VectorSelector(name: name?.text ?? "", matchers: matchers, range: range)
        return Operand(expression: .vectorSelector(node), type: .vector)
    }

    /// Matchers up to the closing brace, which is returned. The opening brace has been consumed.
    private mutating func matchers(into matchers: inout [Matcher]) throws(Interruption) -> Token {
        if let closing = accept(.rightBrace) { return closing }
        if let matcher = try matcher() { matchers.append(matcher) }
        while true {
            if let closing = accept(.rightBrace) { return closing }
            if accept(.comma) != nil {
                if let closing = accept(.rightBrace) { return closing }
                if let matcher = try matcher() { matchers.append(matcher) }
                continue
            }
            do {
                try skipUnexpected()
            } catch .unexpectedToken {
                recover(in: "label matching", expected: "\",\" or \"}\"")
            }
        }
    }

    /// One matcher; `nil` if an error was reported instead.
    private mutating func matcher() throws(Interruption) -> Matcher? {
        let label = peek()
        guard label.kind == .identifier || label.kind == .string else {
            recover(in: "label matching", expected: "identifier or \"}\"")
            return nil
        }
        take()
        let name = label.kind == .string ? String(decoding: unquoted(label), as: UTF8.self) : label.text
        guard let operation = acceptMatchOperation() else {
            if label.kind == .string { return Matcher(Labels.metricName, .equal, name) }
            recover(in: "label matching", expected: "label matching operator")
            return nil
        }
        guard let value = accept(.string) else {
            recover(in: "label matching", expected: "string")
            return nil
        }
        let matcher = Matcher(name, operation, String(decoding: unquoted(value), as: UTF8.self))
        if operation == .regex || operation == .notRegex {
            do {
                _ = try LabelPattern(matcher.value)
            } catch {
                report(RegexNotation.refusal(of: error), at: merge(label.range, value.range))
            }
        }
        return matcher
    }

    private mutating func acceptMatchOperation() -> Matcher.Operation? {
        let operation: Matcher.Operation
        switch peek().kind {
        case .equal: operation = .equal
        case .operator(.notEqual): operation = .notEqual
        case .matches: operation = .regex
        case .matchesNot: operation = .notRegex
        default: return nil
        }
        take()
        return operation
    }

    private mutating func check(_ matchers: [Matcher], name: String?, range: SourceRange) {
        guard let name else {
            if matchers.allSatisfy(\.matchesEmpty) {
                reportType("vector selector must contain at least one non-empty matcher", at: range)
            }
            return
        }
        for matcher in matchers where matcher.name == Labels.metricName {
            let names = "\(MetricText.quoted(name)) or \(MetricText.quoted(matcher.value))"
            reportType("metric name must not be set twice: \(names)", at: range)
        }
    }
}

extension Matcher {
    /// Whether series without the label match. An invalid pattern matches nothing.
    fileprivate var matchesEmpty: Bool {
        // An error in the pattern was already reported at its position.
        let pattern = try? LabelPattern(value)
        return switch operation {
        case .equal: value.isEmpty
        case .notEqual: !value.isEmpty
        case .regex: pattern?.matches("") ?? false
        case .notRegex: !(pattern?.matches("") ?? true)
        }
    }
}

/// Prometheus's error texts for regular expressions.
enum RegexNotation {
    /// The error text of Go's library for RE2's `error`.
    static func refusal(of error: RegularExpression.PatternError) -> String {
        let parts = error.reason.split(separator: ":", maxSplits: 1)
        let reason = parts.first.map(String.init) ?? error.reason
        let place = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : error.pattern
        return "error parsing regexp: \(goReasons[reason] ?? reason): `\(place)`"
    }

    private static let goReasons = [
        "missing ]": "missing closing ]",
        "missing )": "missing closing )",
        "trailing \\": "trailing backslash at end of expression",
        "no argument for repetition operator": "missing argument to repetition operator",
        "invalid repetition size": "invalid repeat count",
        "bad repetition operator": "invalid nested repetition operator",
        "invalid perl operator": "invalid or unsupported Perl syntax",
        "invalid named capture group": "invalid named capture",
    ]
}
