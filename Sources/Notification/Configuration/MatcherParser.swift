internal import MetricModel

/// The syntax of matchers.
public enum MatcherSyntax: Equatable, Sendable {
    /// Alertmanager 0.27 and later: names and values may be any text.
    case utf8
    /// Before Alertmanager 0.27.
    case classic
    /// The new syntax, or the old one if only that accepts the text or if both read it differently: Alertmanager's
    /// default.
    case fallback
}

/// Reads matchers in the syntax of Alertmanager 0.27 and later: `{name="value", "na me"=~pattern}`. Braces and quotes
/// are optional.
struct MatcherParser {
    private struct Token: Equatable {
        enum Kind: Equatable {
            case open
            case close
            case comma
            case operation(Matcher.Operation)
            case quoted
            case unquoted
        }

        var kind: Kind
        var text: String
        var start: Int
        var end: Int
    }

    private let scalars: [Unicode.Scalar]
    private var index = 0
    private var hasBrace = false

    private init(_ text: String) {
        scalars = Array(text.unicodeScalars)
    }

    static func parse(_ text: String) throws(LabelMatcherError) -> [Matcher] {
        var parser = MatcherParser(text)
        return try parser.all()
    }

    private mutating func all() throws(LabelMatcherError) -> [Matcher] {
        var matchers: [Matcher] = []
        if let token = try next(peeking: true), token.kind == .open {
            _ = try next()
            hasBrace = true
        }
        while true {
            guard let token = try next(peeking: true) else {
                if hasBrace { throw ended("expected close brace") }
                return matchers
            }
            if token.kind == .close { return try close(matchers) }
            matchers.append(try matcher())
            guard try separator() else { return matchers }
        }
    }

    /// Reads the end of a matcher. Returns whether another one may follow.
    private mutating func separator() throws(LabelMatcherError) -> Bool {
        guard let token = try next(peeking: true, expecting: "expected a comma or close brace") else {
            if hasBrace { throw ended("expected close brace") }
            return false
        }
        switch token.kind {
        case .comma:
            _ = try next()
            return true
        case .close: return true
        default: throw unexpected(token, "expected a comma or close brace")
        }
    }

    private mutating func close(_ matchers: [Matcher]) throws(LabelMatcherError) -> [Matcher] {
        _ = try next()
        guard hasBrace else { throw LabelMatcherError(reason: "0:\(scalars.count): }: expected opening brace") }
        if let token = try next() { throw unexpected(token, "expected end of input") }
        return matchers
    }

    private mutating func matcher() throws(LabelMatcherError) -> Matcher {
        let name = try text("expected label name")
        let expected = "expected an operator such as '=', '!=', '=~' or '!~'"
        guard let token = try next(expecting: expected) else { throw ended(expected) }
        guard case .operation(let operation) = token.kind else { throw unexpected(token, expected) }
        return Matcher(name, operation, try text("expected label value"))
    }

    private mutating func text(_ expected: String) throws(LabelMatcherError) -> String {
        guard let token = try next(expecting: expected) else { throw ended(expected) }
        switch token.kind {
        case .unquoted: return token.text
        case .quoted:
            guard let text = QuotedText.unquoted(token.text) else {
                throw LabelMatcherError(reason: "\(token.start):\(token.end): \(token.text): invalid input")
            }
            return text
        default: throw unexpected(token, expected)
        }
    }

    // MARK: Errors

    private func unexpected(_ token: Token, _ expected: String) -> LabelMatcherError {
        LabelMatcherError(reason: "\(token.start):\(token.end): unexpected \(token.text): \(expected)")
    }

    private func ended(_ expected: String) -> LabelMatcherError {
        LabelMatcherError(reason: "0:\(scalars.count): end of input: \(expected)")
    }

    // MARK: Tokens

    private static func isReserved(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isWhitespace || "{}!=~,\\\"'`".unicodeScalars.contains(scalar)
    }

    private mutating func next(
        peeking: Bool = false, expecting expected: String? = nil
    ) throws(LabelMatcherError) -> Token? {
        while index < scalars.count, scalars[index].properties.isWhitespace { index += 1 }
        guard index < scalars.count else { return nil }
        let start = index
        defer { if peeking { index = start } }
        let scalar = scalars[index]
        index += 1
        func token(_ kind: Token.Kind) -> Token {
            let text = String(String.UnicodeScalarView(scalars[start..<index]))
            return Token(kind: kind, text: text, start: start, end: index)
        }
        switch scalar {
        case "{": return token(.open)
        case "}": return token(.close)
        case ",": return token(.comma)
        case "=":
            guard index < scalars.count, scalars[index] == "~" else { return token(.operation(.equal)) }
            index += 1
            return token(.operation(.regex))
        case "!":
            guard index < scalars.count, scalars[index] == "=" || scalars[index] == "~" else {
                throw LabelMatcherError(reason: "\(start):\(index): unexpected !: expected one of '=~'")
            }
            index += 1
            return token(.operation(scalars[index - 1] == "=" ? .notEqual : .notRegex))
        case "\"":
            try skipQuoted(start)
            return token(.quoted)
        case _ where !Self.isReserved(scalar):
            while index < scalars.count, !Self.isReserved(scalars[index]) { index += 1 }
            return token(.unquoted)
        default:
            let suffix = expected.map { ": \($0)" } ?? ""
            throw LabelMatcherError(reason: "\(start):\(index): \(scalar): invalid input\(suffix)")
        }
    }

    private mutating func skipQuoted(_ start: Int) throws(LabelMatcherError) {
        var isEscaped = false
        while index < scalars.count {
            let scalar = scalars[index]
            index += 1
            if isEscaped {
                isEscaped = false
            } else if scalar == "\\" {
                isEscaped = true
            } else if scalar == "\"" {
                return
            }
        }
        let text = String(String.UnicodeScalarView(scalars[start...]))
        throw LabelMatcherError(reason: "\(start):\(index): \(text): missing end \"")
    }
}

/// Reads matchers in the syntax before Alertmanager 0.27.
enum ClassicMatcherParser {
    static func parse(_ text: String) throws(LabelMatcherError) -> [Matcher] {
        var rest = text[...]
        if rest.hasPrefix("{") { rest.removeFirst() }
        if rest.hasSuffix("}") { rest.removeLast() }
        var matchers: [Matcher] = []
        for token in tokens(rest) { matchers.append(try matcher(token)) }
        return matchers
    }

    /// Splits at commas outside of quotes.
    private static func tokens(_ text: Substring) -> [String] {
        var tokens: [String] = []
        var token = ""
        var (isQuoted, isEscaped) = (false, false)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "," where !isQuoted:
                tokens.append(token)
                token = ""
                continue
            case "\"":
                if isEscaped { isEscaped = false } else { isQuoted.toggle() }
            case "\\": isEscaped.toggle()
            default: isEscaped = false
            }
            token.unicodeScalars.append(scalar)
        }
        let last = trimmed(token[...])
        if !last.isEmpty { tokens.append(String(last)) }
        return tokens
    }

    static func matcher(_ text: String) throws(LabelMatcherError) -> Matcher {
        let fault = LabelMatcherError(reason: "bad matcher format: \(text)")
        var rest = trimmed(text[...])
        let name = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") }
        guard let first = name.first, !first.isNumber else { throw fault }
        rest = trimmed(rest.dropFirst(name.count))
        let operations: [Matcher.Operation] = [.regex, .notEqual, .notRegex, .equal]
        guard let operation = operations.first(where: { rest.hasPrefix($0.rawValue) }) else { throw fault }
        rest = trimmed(rest.dropFirst(operation.rawValue.count))
        return Matcher(String(name), operation, try value(rest))
    }

    private static func value(_ raw: Substring) throws(LabelMatcherError) -> String {
        let fault = LabelMatcherError(reason: "matcher value contains unescaped double quote: \(raw)")
        var isOpen = raw.hasPrefix("\"")
        let scalars = Array(raw.unicodeScalars.dropFirst(isOpen ? 1 : 0))
        var result = ""
        var isEscaped = false
        for (index, scalar) in scalars.enumerated() {
            if isEscaped {
                isEscaped = false
                switch scalar {
                case "n": result += "\n"
                case "\"", "\\": result.unicodeScalars.append(scalar)
                default: result += "\\\(scalar)"
                }
            } else if scalar == "\\" {
                if index < scalars.count - 1 { isEscaped = true } else { result += "\\" }
            } else if scalar == "\"" {
                guard isOpen, index == scalars.count - 1 else { throw fault }
                isOpen = false
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        if isOpen { throw fault }
        return result
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
