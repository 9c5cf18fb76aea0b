internal import MetricModel

/// Splits the text of an expression, or of a line in series notation, into tokens, one at a time.
///
/// The meaning of a character depends on its context: inside braces words are never keywords, inside brackets only
/// durations are valid, and the metric of a series description is followed by its values.
struct Lexer {
    /// The rules at the current position. Inside braces, `isInsideBraces` overrides `statements`.
    enum Mode {
        case statements
        /// After `[`, up to the first number.
        case durations
        /// The values of a series description.
        case values
        /// Between `{{` and `}}`.
        case histogram
        /// Between the brackets of a histogram's field.
        case buckets
        case ended
    }

    let bytes: [UInt8]
    let isSeries: Bool
    /// Start of the current token.
    var start = 0
    var position = 0
    var mode = Mode.statements
    var isInsideBraces = false
    var isInsideBrackets = false
    private var openParens = 0
    private var sawColon = false
    private var sawDuration = false

    init(_ bytes: [UInt8], isSeries: Bool = false) {
        self.bytes = bytes
        self.isSeries = isSeries
    }

    /// The next token; `end` or `failure` at every call after the text has ended.
    mutating func next() -> Token {
        while true {
            if let token = step() { return token }
        }
    }

    /// One step of the current mode; `nil` if it produces no token.
    private mutating func step() -> Token? {
        switch mode {
        case .ended: emit(.end)
        case .statements: isInsideBraces ? insideBraces() : statement()
        case .durations: duration()
        case .values: value()
        case .histogram: histogramDescription()
        case .buckets: bucket()
        }
    }

    private mutating func statement() -> Token? {
        if peek == "#" { return comment() }
        guard let character = advance() else { return endOfStatements() }
        switch character {
        case ",": return emit(.comma)
        case _ where Self.isSpace(character): return skipSpaces()
        case "*": return emit(.operator(.multiply))
        case "/": return emit(.operator(.divide))
        case "%": return emit(.operator(.modulo))
        case "+": return emit(.operator(.add))
        case "-": return emit(.operator(.subtract))
        case "^": return emit(.operator(.power))
        case "@": return emit(.at)
        case "=":
            if peek == "~" { return fail("unexpected character after '=': '~'") }
            return accept("=") ? emit(.operator(.equal)) : emit(.equal)
        case "!":
            let following = advance()
            guard following == "=" else {
                return fail("unexpected character after '!': \(GoNotation.quoted(following))")
            }
            return emit(.operator(.notEqual))
        case "<":
            return accept("=")
                ? emit(.operator(.lessOrEqual))
                : accept("/") ? emit(.operator(.trimUpper)) : emit(.operator(.less))
        case ">":
            return accept("=")
                ? emit(.operator(.greaterOrEqual))
                : accept("/") ? emit(.operator(.trimLower)) : emit(.operator(.greater))
        case "(": return openParen()
        case ")": return closeParen()
        case "{":
            isInsideBraces = true
            return emit(.leftBrace)
        case "[":
            if isInsideBrackets { return fail("unexpected left bracket '['") }
            isInsideBrackets = true
            sawColon = false
            mode = .durations
            return emit(.leftBracket)
        case "]":
            if !isInsideBrackets { return fail("unexpected right bracket ']'") }
            isInsideBrackets = false
            return emit(.rightBracket)
        case _ where startsNumber(character):
            position -= 1
            return numberOrDuration()
        case "\"", "'", "`": return string(quote: character)
        case _ where Self.isLetter(character) || character == ":":
            position -= 1
            return isInsideBrackets ? wordInsideBrackets() : word()
        default: return fail("unexpected character: \(GoNotation.quoted(character))")
        }
    }

    private mutating func endOfStatements() -> Token {
        if openParens != 0 { return fail("unclosed left parenthesis") }
        if isInsideBrackets { return fail("unclosed left bracket") }
        mode = .ended
        return emit(.end)
    }

    private mutating func openParen() -> Token {
        openParens += 1
        return emit(.leftParen)
    }

    private mutating func closeParen() -> Token {
        openParens -= 1
        let token = emit(.rightParen)
        return openParens < 0 ? fail("unexpected right parenthesis ')'") : token
    }

    /// A colon or a duration word after the first number inside brackets.
    private mutating func wordInsideBrackets() -> Token {
        if accept(":") {
            if sawColon { return fail("unexpected colon ':'") }
            sawColon = true
            return emit(.colon)
        }
        return durationWord() ?? fail("unexpected character: \(GoNotation.quoted(scalar(at: start))), expected ':'")
    }

    /// `step`, `range`, `min_of` or `max_of`; `nil` for any other word.
    private mutating func durationWord() -> Token? {
        while let character = peek, Self.isLetter(character) { position += 1 }
        guard case .query(let word) = Token.keyword(text), word != .start, word != .end else { return nil }
        sawDuration = true
        return emit(.query(word))
    }

    /// The tokens between `[` and the first number after it.
    private mutating func duration() -> Token? {
        guard let character = advance() else { return fail("unexpected end of input in duration expression") }
        switch character {
        case "]":
            isInsideBrackets = false
            mode = .statements
            return emit(.rightBracket)
        case ":":
            let token = emit(.colon)
            if !sawDuration { return fail("unexpected colon before duration in duration expression") }
            if sawColon { return fail("unexpected repeated colon in duration expression") }
            sawColon = true
            return token
        case "(": return openParen()
        case ")": return closeParen()
        case _ where Self.isSpace(character): return skipSpaces()
        case "+": return emit(.operator(.add))
        case "-": return emit(.operator(.subtract))
        case "*": return emit(.operator(.multiply))
        case "/": return emit(.operator(.divide))
        case "%": return emit(.operator(.modulo))
        case "^": return emit(.operator(.power))
        case ",": return emit(.comma)
        case _ where startsNumber(character):
            position -= 1
            sawDuration = true
            mode = .statements
            return numberOrDuration()
        default:
            if Self.isLetter(character), let word = durationWord() { return word }
            return fail("unexpected character in duration expression: \(GoNotation.quoted(scalar(at: start)))")
        }
    }

    private mutating func insideBraces() -> Token? {
        if peek == "#" { return comment() }
        guard let character = advance() else { return fail("unexpected end of input inside braces") }
        switch character {
        case _ where Self.isSpace(character): return skipSpaces()
        case _ where Self.isLetter(character):
            while let following = peek, Self.isAlphanumeric(following) { position += 1 }
            return emit(.identifier)
        case ",": return emit(.comma)
        case "\"", "'", "`": return string(quote: character)
        case "=": return accept("~") ? emit(.matches) : emit(.equal)
        case "!":
            if accept("~") { return emit(.matchesNot) }
            if accept("=") { return emit(.operator(.notEqual)) }
            return fail("unexpected character after '!' inside braces: \(GoNotation.quoted(peek))")
        case "{": return fail("unexpected left brace '{'")
        case "}":
            isInsideBraces = false
            if isSeries { mode = .values }
            return emit(.rightBrace)
        default: return fail("unexpected character inside braces: \(GoNotation.quoted(character))")
        }
    }

    private mutating func comment() -> Token? {
        while let character = peek, character != "\n", character != "\r" { skip() }
        start = position
        return nil
    }

    mutating func skipSpaces() -> Token? {
        while let character = peek, Self.isSpace(character) { position += 1 }
        start = position
        return nil
    }
}

extension Lexer {
    /// The scalar at the current position; U+FFFD for invalid UTF-8, `nil` at the end.
    var peek: Unicode.Scalar? { scalar(at: position) }

    /// The text of the current token.
    var text: String { String(decoding: bytes[start..<position], as: UTF8.self) }

    func scalar(at offset: Int) -> Unicode.Scalar? { GoNotation.decode(bytes, at: offset)?.scalar }

    /// Consumes the scalar at the current position and returns it.
    mutating func advance() -> Unicode.Scalar? {
        guard let (scalar, width) = GoNotation.decode(bytes, at: position) else { return nil }
        position += width
        return scalar
    }

    private mutating func skip() { _ = advance() }

    /// Consumes `scalar` if it is next.
    mutating func accept(_ scalar: Unicode.Scalar) -> Bool {
        guard peek == scalar else { return false }
        position += 1
        return true
    }

    mutating func emit(_ kind: Token.Kind) -> Token {
        let token = Token(kind: kind, range: SourceRange(start, position), text: text)
        start = position
        return token
    }

    /// A token with an error message, from the start of the current token to the end of the text.
    mutating func fail(_ reason: String) -> Token {
        mode = .ended
        return Token(kind: .failure, range: SourceRange(start, bytes.count), text: reason)
    }

    func startsNumber(_ character: Unicode.Scalar) -> Bool {
        Self.isDigit(character) || (character == "." && peek.map(Self.isDigit) == true)
    }

    static func isSpace(_ scalar: Unicode.Scalar) -> Bool { [" ", "\t", "\n", "\r"].contains(scalar) }
    static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }
    static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
        ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || scalar == "_"
    }
    static func isAlphanumeric(_ scalar: Unicode.Scalar) -> Bool { isLetter(scalar) || isDigit(scalar) }
}
