/// One piece of a template's text.
struct TemplateToken: Equatable, Sendable {
    enum Kind: Equatable, Sendable {
        case text
        case leftDelimiter
        case rightDelimiter
        case space
        /// The name of a function, or a keyword.
        case identifier
        /// `.name`.
        case field
        /// `$` or `$name`.
        case variable
        case dot
        case pipe
        case leftParen
        case rightParen
        case comma
        case declare
        case assign
        case string
        case rawString
        case character
        case number
        /// Any other printable character. Not valid in any template.
        case other
        case fault
        case end
    }

    var kind: Kind
    /// The text as written; the message of a `fault`.
    var text: String
    /// Offset of the first byte.
    var offset: Int

    /// The token's name in error messages.
    var described: String {
        switch kind {
        case .end: "EOF"
        case .fault: text
        default:
            TemplateSyntax.keywords.contains(text) && kind == .identifier
                ? "<\(text)>"
                : text.utf8.count > 10 ? GoLiteral.quoted(String(text.prefix(10))) + "..." : GoLiteral.quoted(text)
        }
    }
}

/// Splits a template into tokens. Stops at the first `fault`.
struct TemplateLexer {
    private let bytes: [UInt8]
    private var index = 0
    private var tokens: [TemplateToken] = []
    private var parentheses = 0

    init(_ text: String) {
        bytes = Array(text.utf8)
    }

    /// All tokens. The last one is an `end` or a `fault`.
    static func tokens(of text: String) -> [TemplateToken] {
        var lexer = TemplateLexer(text)
        while lexer.outside() {
            if !lexer.inside() { break }
        }
        return lexer.tokens
    }

    // MARK: Text between actions

    /// Reads text and comments up to and including the next `{{`. Returns false at the end.
    private mutating func outside() -> Bool {
        while true {
            let start = index
            while index < bytes.count, !starts("{{") { index += 1 }
            let open = index
            let trims = starts("{{-") && index + 3 < bytes.count && Self.isSpace(bytes[index + 3])
            var end = open
            if trims { while end > start, Self.isSpace(bytes[end - 1]) { end -= 1 } }
            if end > start { add(.text, start, end) }
            guard open < bytes.count else {
                add(.end, open, open)
                return false
            }
            index += trims ? 3 : 2
            let inner = index + (trims ? 1 : 0)
            guard starts("/*", at: inner) else {
                add(.leftDelimiter, open, index)
                parentheses = 0
                return true
            }
            index = inner
            guard comment(start: open) else { return false }
        }
    }

    private mutating func comment(start: Int) -> Bool {
        while index < bytes.count, !starts("*/") { index += 1 }
        guard index < bytes.count else { return fault("unclosed comment", at: start) }
        index += 2
        if closesWithTrim() {
            index += 4
            skipSpaces()
        } else if starts("}}") {
            index += 2
        } else {
            return fault("comment ends before closing delimiter", at: start)
        }
        return true
    }

    private mutating func skipSpaces() {
        while index < bytes.count, Self.isSpace(bytes[index]) { index += 1 }
    }

    /// Whether ` -}}` is at the current position.
    private func closesWithTrim() -> Bool {
        index < bytes.count && Self.isSpace(bytes[index]) && starts("-}}", at: index + 1)
    }

    // MARK: Actions

    /// Reads an action up to and including its `}}`. Returns false after a fault.
    private mutating func inside() -> Bool {
        while true {
            if closesWithTrim() || starts("}}") {
                guard parentheses == 0 else { return fault("unclosed left paren", at: index) }
                let trims = !starts("}}")
                add(.rightDelimiter, index, index + (trims ? 4 : 2))
                index += trims ? 4 : 2
                if trims { skipSpaces() }
                return true
            }
            guard index < bytes.count else { return fault("unclosed action", at: index) }
            guard token() else { return false }
        }
    }

    private mutating func token() -> Bool {
        let start = index
        let byte = bytes[index]
        switch byte {
        case _ where Self.isSpace(byte):
            while index < bytes.count, Self.isSpace(bytes[index]), !closesWithTrim() || index == start { index += 1 }
            add(.space, start, index)
        case UInt8(ascii: "="): single(.assign)
        case UInt8(ascii: ":"):
            guard starts(":=") else { return fault("expected :=", at: start) }
            index += 2
            add(.declare, start, index)
        case UInt8(ascii: "|"): single(.pipe)
        case UInt8(ascii: ","): single(.comma)
        case UInt8(ascii: "("):
            single(.leftParen)
            parentheses += 1
        case UInt8(ascii: ")"):
            single(.rightParen)
            parentheses -= 1
            if parentheses < 0 { return fault("unexpected right paren", at: start) }
        case UInt8(ascii: "\""): return quoted(by: byte, .string, "unterminated quoted string")
        case UInt8(ascii: "'"): return quoted(by: byte, .character, "unterminated character constant")
        case UInt8(ascii: "`"): return raw()
        case UInt8(ascii: "$"): return word(.variable)
        case UInt8(ascii: "."):
            if index + 1 < bytes.count, Self.isDigit(bytes[index + 1]) { return number() }
            if index + 1 < bytes.count, Self.isWord(bytes[index + 1]) { return word(.field) }
            single(.dot)
        case UInt8(ascii: "+"), UInt8(ascii: "-"): return number()
        case _ where Self.isDigit(byte): return number()
        case _ where Self.isWord(byte): return word(.identifier)
        case 0x21..<0x7f: single(.other)
        default: return fault("unrecognized character in action: \(describe(at: index))", at: start)
        }
        return true
    }

    private mutating func single(_ kind: TemplateToken.Kind) {
        index += 1
        add(kind, index - 1, index)
    }

    /// A name, including its leading `.` or `$`.
    private mutating func word(_ kind: TemplateToken.Kind) -> Bool {
        let start = index
        if kind != .identifier { index += 1 }
        while index < bytes.count, Self.isWord(bytes[index]) { index += 1 }
        guard endsWord() else { return fault("bad character \(describe(at: index))", at: index) }
        add(kind, start, index)
        return true
    }

    private func endsWord() -> Bool {
        guard index < bytes.count else { return true }
        return Self.isSpace(bytes[index]) || ".,|:()=".utf8.contains(bytes[index]) || starts("}}")
    }

    private mutating func number() -> Bool {
        let start = index
        if bytes[index] == UInt8(ascii: "+") || bytes[index] == UInt8(ascii: "-") { index += 1 }
        let isHexadecimal = starts("0x") || starts("0X")
        while index < bytes.count {
            let byte = bytes[index]
            let exponent = isHexadecimal ? UInt8(ascii: "p") : UInt8(ascii: "e")
            let isSign = byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
            guard Self.isWord(byte) || byte == UInt8(ascii: ".") || (isSign && bytes[index - 1] | 0x20 == exponent)
            else { break }
            index += 1
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        guard GoNumber.isWellFormed(text) else {
            return fault("bad number syntax: \(GoLiteral.quoted(text))", at: start)
        }
        add(.number, start, index)
        return true
    }

    private mutating func quoted(by quote: UInt8, _ kind: TemplateToken.Kind, _ message: String) -> Bool {
        let start = index
        index += 1
        while index < bytes.count, bytes[index] != UInt8(ascii: "\n") {
            if bytes[index] == quote {
                index += 1
                add(kind, start, index)
                return true
            }
            index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        return fault(message, at: start)
    }

    private mutating func raw() -> Bool {
        let start = index
        guard let close = bytes[(index + 1)...].firstIndex(of: UInt8(ascii: "`")) else {
            return fault("unterminated raw quoted string", at: start)
        }
        index = close + 1
        add(.rawString, start, index)
        return true
    }

    // MARK: Bytes

    private mutating func add(_ kind: TemplateToken.Kind, _ start: Int, _ end: Int) {
        tokens.append(
            TemplateToken(kind: kind, text: String(decoding: bytes[start..<end], as: UTF8.self), offset: start))
    }

    private mutating func fault(_ message: String, at offset: Int) -> Bool {
        tokens.append(TemplateToken(kind: .fault, text: message, offset: min(offset, bytes.count)))
        return false
    }

    private func starts(_ text: StaticString, at offset: Int? = nil) -> Bool {
        let from = offset ?? index
        guard from + text.utf8CodeUnitCount <= bytes.count else { return false }
        return text.withUTF8Buffer { unsafe bytes[from...].starts(with: $0) }
    }

    private func describe(at offset: Int) -> String {
        guard let scalar = String(decoding: bytes[offset...].prefix(4), as: UTF8.self).unicodeScalars.first else {
            return "EOF"
        }
        let hex = String(scalar.value, radix: 16, uppercase: true)
        return "U+\(String(repeating: "0", count: max(0, 4 - hex.count)))\(hex) '\(scalar)'"
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d || byte == 0x0a }
    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
    /// Non-ASCII letters count as letters.
    private static func isWord(_ byte: UInt8) -> Bool {
        isDigit(byte) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a) || byte == 0x5f || byte >= 0x80
    }
}
