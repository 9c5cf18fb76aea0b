internal import MetricModel

// The values of a series description: numbers, gaps, repetitions and native histograms.
extension Lexer {
    /// A token between two values, or of a float value.
    mutating func value() -> Token? {
        guard let character = advance() else {
            mode = .statements
            return nil
        }
        switch character {
        case "{" where peek == "{":
            position += 1
            mode = .histogram
            return emit(.openHistogram)
        case _ where Self.isSpace(character): return blank()
        case "+": return emit(.operator(.add))
        case "-": return emit(.operator(.subtract))
        case "x": return emit(.times)
        case "_": return emit(.blank)
        case _ where startsNumber(character):
            position -= 1
            return numberOnly()
        case _ where Self.isLetter(character):
            position -= 1
            return word()
        default: return fail("unexpected character in series sequence: \(GoNotation.quoted(character))")
        }
    }

    /// A token between `{{` and `}}`.
    mutating func histogramDescription() -> Token? {
        guard let character = advance() else {
            return fail("histogram description incomplete unexpected: \(GoNotation.quoted(nil))")
        }
        switch character {
        case _ where Self.isSpace(character): return blank()
        case _ where Self.isLetter(character): return histogramWord()
        case ":": return emit(.colon)
        case "-": return emit(.operator(.subtract))
        case _ where Self.isDigit(character):
            position -= 1
            return numberOnly()
        case "[":
            mode = .buckets
            return emit(.leftBracket)
        case "}" where peek == "}":
            position += 1
            mode = .values
            return emit(.closeHistogram)
        default: return fail("histogram description incomplete unexpected: \(GoNotation.quoted(character))")
        }
    }

    /// The name of a field, or a value that is a word.
    private mutating func histogramWord() -> Token {
        while let character = peek, Self.isLetter(character) { position += 1 }
        let word = text.lowercased()
        if let field = HistogramField(rawValue: word) {
            return peek == ":" ? emit(.descriptor(field)) : fail("missing `:` for histogram descriptor")
        }
        if Token.keyword(word) == .number { return emit(.number) }
        switch word {
        case "unknown": return emit(.resetHint(.unknown))
        case "reset": return emit(.resetHint(.reset))
        case "not_reset": return emit(.resetHint(.notReset))
        case "gauge": return emit(.resetHint(.gauge))
        default: return fail("bad histogram descriptor found: \(MetricText.quoted(text))")
        }
    }

    /// A token between the brackets of a histogram's field.
    mutating func bucket() -> Token? {
        guard let character = advance() else {
            return fail("invalid character in buckets description: \(GoNotation.quoted(nil))")
        }
        switch character {
        case _ where Self.isSpace(character): return blank()
        case "-": return emit(.operator(.subtract))
        case _ where Self.isDigit(character):
            position -= 1
            return numberOnly()
        case "]":
            mode = .histogram
            return emit(.rightBracket)
        case _ where Self.isLetter(character):
            return Token.keyword(text) == .number ? emit(.number) : nil
        default: return fail("invalid character in buckets description: \(GoNotation.quoted(character))")
        }
    }

    /// The token for consecutive blanks. Its text is the first one.
    private mutating func blank() -> Token {
        let token = emit(.space)
        _ = skipSpaces()
        return token
    }
}
