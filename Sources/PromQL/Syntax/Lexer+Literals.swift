internal import MetricModel

extension Lexer {
    /// A word outside braces and brackets: a keyword, or the name of a metric, function or label.
    mutating func word() -> Token {
        while let character = peek, Self.isAlphanumeric(character) || character == ":" { position += 1 }
        if isSeries && peek != "{" { mode = .values }
        let text = self.text
        guard let kind = Token.keyword(text) else {
            return emit(text.utf8.contains(UInt8(ascii: ":")) ? .metricIdentifier : .identifier)
        }
        // Fill modifiers were added later: queries that use these words as names must keep their meaning.
        if [.keyword(.fill), .keyword(.fillLeft), .keyword(.fillRight)].contains(kind), !isFollowedByParen {
            return emit(.identifier)
        }
        return emit(kind)
    }

    private var isFollowedByParen: Bool {
        bytes[position...].first { ![0x20, 0x09, 0x0a, 0x0d].contains($0) } == UInt8(ascii: "(")
    }

    /// A string in quotes. The opening quote has been read.
    ///
    /// Escapes are checked here and resolved by `GoNotation.unquoted`.
    mutating func string(quote: Unicode.Scalar) -> Token {
        let isRaw = quote == "`"
        while true {
            guard let character = advance(), isRaw || character != "\n" else {
                return fail(isRaw ? "unterminated raw string" : "unterminated quoted string")
            }
            if character == quote { return emit(.string) }
            if character == "\u{fffd}" { return fail("invalid UTF-8 rune") }
            if character == "\\", !isRaw, let reason = escapeFault(quote: quote) { return fail(reason) }
        }
    }

    /// Reads the escape after a backslash. Returns an error message, or `nil`.
    private mutating func escapeFault(quote: Unicode.Scalar) -> String? {
        guard var character = advance() else { return "escape sequence not terminated" }
        var digits: Int
        var base: UInt32 = 16
        var largest: UInt32 = 0x10ffff
        switch character {
        case "a", "b", "f", "n", "r", "t", "v", "\\", quote: return nil
        case "0"..."7": (digits, base, largest) = (3, 8, 255)
        case "x": (digits, largest) = (2, 255)
        case "u": digits = 4
        case "U": digits = 8
        default: return "unknown escape sequence \(GoNotation.described(character))"
        }
        if base == 16 {
            guard let first = advance() else { return "escape sequence not terminated" }
            character = first
        }
        var value: UInt32 = 0
        while true {
            guard let digit = GoNotation.digit(character), digit < base else {
                return "illegal character \(GoNotation.described(character)) in escape sequence"
            }
            // Eight hexadecimal digits fit exactly.
            value = value &* base &+ digit
            digits -= 1
            if digits == 0 { break }
            guard let following = advance() else { return "escape sequence not terminated" }
            character = following
        }
        let isValid = value <= largest && !(0xd800..<0xe000).contains(value)
        return isValid ? nil : "escape sequence is an invalid Unicode code point"
    }

    /// `12`, `0x1f`, `1e3`, `1_000`, `5m30s`.
    mutating func numberOrDuration() -> Token {
        if scanNumber() { return emit(.number) }
        if scanRestOfDuration() { return emit(.duration) }
        return fail("bad number or duration syntax: \(MetricText.quoted(text))")
    }

    /// A number where durations are not allowed.
    mutating func numberOnly() -> Token {
        scanNumber() ? emit(.number) : fail("bad number syntax: \(MetricText.quoted(text))")
    }

    /// Reads as much as looks like a number. Returns whether it ends correctly. The parser converts it.
    private mutating func scanNumber() -> Bool {
        let initial = position
        var isHexadecimal = false
        // In series notation, `0x3` means three more zeros.
        if !isSeries, accept("0"), accept("x") || accept("X") {
            _ = accept("_")
            isHexadecimal = true
        }
        func isDigit(_ scalar: Unicode.Scalar) -> Bool {
            isHexadecimal ? (GoNotation.digit(scalar) ?? 16) < 16 : Self.isDigit(scalar)
        }
        _ = accept(".")
        if let character = peek, isDigit(character) { position += 1 }
        var sawDot = false
        var sawExponent = false
        while let character = peek {
            switch character {
            case ".":
                position += 1
                if sawDot || isHexadecimal || accept("_") || accept(".") { return false }
                sawDot = true
            case "e", "E":
                position += 1
                if sawExponent { return false }
                sawExponent = true
                if !accept("+") { _ = accept("-") }
                if acceptAny("._eE") || peek == nil { return false }
            case "_":
                position += 1
                if acceptAny("._eE") || peek == nil { return false }
            case _ where isDigit(character):
                while let digit = peek, isDigit(digit) { position += 1 }
            default:
                let endsHere = (isSeries && character == "x") || !Self.isAlphanumeric(character)
                return endsHere && position > initial
            }
        }
        return position > initial
    }

    /// After digits that were not a number: the unit and further pairs of digits and units.
    private mutating func scanRestOfDuration() -> Bool {
        guard acceptAny("smhdwy") else { return false }
        _ = accept("s")
        while let character = peek, Self.isDigit(character) {
            while let digit = peek, Self.isDigit(digit) { position += 1 }
            guard acceptAny("smhdw") else { return false }
            _ = accept("s")
        }
        guard let following = peek, Self.isAlphanumeric(following) else { return true }
        // The text in the message includes the invalid character.
        position += 1
        return false
    }

    private mutating func acceptAny(_ scalars: String) -> Bool {
        guard let character = peek, scalars.unicodeScalars.contains(character) else { return false }
        position += 1
        return true
    }
}
