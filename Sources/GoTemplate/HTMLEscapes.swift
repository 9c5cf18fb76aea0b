/// Escapes values in HTML like Go's `html/template`.
enum HTMLEscapes {
    /// Replaces a value that would be dangerous at its position.
    static let unsafe = "ZgotmplZ"

    static func text(of value: TemplateValue) -> String {
        // html/template prints nothing for a missing value.
        if case .absent = value { "" } else { value.text }
    }

    static func markup(of value: TemplateValue) -> TemplateMarkup.Kind? {
        if case .object(let object as TemplateMarkup) = value { object.kind } else { nil }
    }

    private static let common: [UInt8: String] = [
        0: "\u{fffd}", UInt8(ascii: "\""): "&#34;", UInt8(ascii: "'"): "&#39;", UInt8(ascii: "+"): "&#43;",
        UInt8(ascii: "<"): "&lt;", UInt8(ascii: ">"): "&gt;",
    ]

    /// Escapes every special character.
    static func html(_ text: String) -> String {
        replaced(text) { $0 == UInt8(ascii: "&") ? "&amp;" : common[$0] }
    }

    /// Escapes the characters that are not allowed in an attribute, but keeps entities.
    static func normalized(_ text: String) -> String { replaced(text) { common[$0] } }

    /// Escapes for a value without quotes.
    static func withoutSpaces(_ text: String, normalizes: Bool) -> String {
        if text.isEmpty { return unsafe }
        return replaced(text) { byte in
            switch byte {
            case 0: "&#xfffd;"
            case 0x09...0x0d: "&#\(byte);"
            case 0x20, UInt8(ascii: "="), UInt8(ascii: "`"): "&#\(byte);"
            case UInt8(ascii: "&"): normalizes ? nil : "&amp;"
            default: common[byte]
            }
        }
    }

    /// The text of HTML between its tags.
    static func withoutTags(_ html: String) -> String {
        var context = HTMLContext()
        var result = ""
        var pending = ""
        for character in html.unicodeScalars {
            let isInText = context.state == .text || context.state == .rcdata
            _ = context.passed(String(character))
            if isInText, character == "<" {
                pending = "<"
            } else if !pending.isEmpty {
                if context.state == .text {
                    result += pending + String(character)
                    pending = ""
                } else if context.state != .comment {
                    pending = ""
                }
            } else if isInText, context.state == .text || context.state == .rcdata {
                result.unicodeScalars.append(character)
            }
        }
        return result + pending
    }

    /// The name of a tag or attribute. A name that would change the kind of the value is replaced.
    static func name(_ text: String) -> String {
        let lower = text.lowercased()
        let isHarmless =
            !text.isEmpty && !lower.hasPrefix("on")
            && text.utf8.allSatisfy { HTMLContext.isLetter($0) || HTMLContext.isDigit($0) }
            && !["style", "src", "href", "srcset", "action", "formaction", "data", "cite"].contains(lower)
        return isHarmless ? text : unsafe
    }

    // MARK: URLs

    /// Whether the scheme of a URL cannot run a script.
    static func isSafeURL(_ text: String) -> Bool {
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")),
            !text.utf8[..<colon].contains(UInt8(ascii: "/"))
        else { return true }
        return ["http", "https", "mailto"].contains(text[..<colon].lowercased())
    }

    /// Escapes for a URL. If `normalizes` is true, separators and existing escapes are kept.
    static func url(_ text: String, normalizes: Bool) -> String {
        let bytes = Array(text.utf8)
        let digits = Array("0123456789abcdef".utf8)
        var result: [UInt8] = []
        func isHex(_ index: Int) -> Bool {
            index < bytes.count
                && (HTMLContext.isDigit(bytes[index]) || "abcdef".utf8.contains(bytes[index] | 0x20))
        }
        for (index, byte) in bytes.enumerated() {
            let stays: Bool
            switch byte {
            case _ where HTMLContext.isLetter(byte) || HTMLContext.isDigit(byte): stays = true
            case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"): stays = true
            case UInt8(ascii: "%"): stays = normalizes && isHex(index + 1) && isHex(index + 2)
            default: stays = normalizes && "!#$&*+,/:;=?@[]".utf8.contains(byte)
            }
            if stays {
                result.append(byte)
            } else {
                result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// A list of images with sizes.
    static func sourceSet(_ text: String, isSafe: Bool) -> String {
        if isSafe { return url(text, normalizes: true).replacing(",", with: "%2c") }
        return text.split(separator: ",", omittingEmptySubsequences: false).map { part in
            let words = part.split(whereSeparator: { $0.isWhitespace })
            guard let first = words.first, isSafeURL(String(first)) else { return "#" + unsafe }
            return ([url(String(first), normalizes: true)] + words.dropFirst().map(String.init)).joined(separator: " ")
        }.joined(separator: ",")
    }

    private static func replaced(_ text: String, _ replacement: (UInt8) -> String?) -> String {
        var result: [UInt8] = []
        for byte in text.utf8 {
            if let text = replacement(byte) { result += Array(text.utf8) } else { result.append(byte) }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

/// The position of the output in a script.
struct ScriptContext: Equatable, Sendable {
    private enum State: Equatable {
        case code
        case string(UInt8)
        case regularExpression(inSet: Bool)
        case lineComment
        case blockComment
    }

    private var state = State.code
    private var isEscaped = false
    /// The last byte of code that is not blank; decides whether a `/` is a division.
    private var last: UInt8 = 0

    mutating func passed(_ bytes: ArraySlice<UInt8>) {
        var index = bytes.startIndex
        while index < bytes.endIndex {
            index += step(bytes, index)
        }
    }

    /// Reads one token. Returns its length.
    private mutating func step(_ bytes: ArraySlice<UInt8>, _ index: Int) -> Int {
        let byte = bytes[index]
        let next = index + 1 < bytes.endIndex ? bytes[index + 1] : 0
        switch state {
        case .code: return code(byte, next)
        case .string(let quote):
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == quote {
                (state, last) = (.code, quote)
            }
        case .regularExpression(let inSet):
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "/"), !inSet {
                (state, last) = (.code, UInt8(ascii: ")"))
            } else if byte == UInt8(ascii: "[") || byte == UInt8(ascii: "]") {
                state = .regularExpression(inSet: byte == UInt8(ascii: "["))
            }
        case .lineComment: if byte == UInt8(ascii: "\n") { state = .code }
        case .blockComment:
            if byte == UInt8(ascii: "*"), next == UInt8(ascii: "/") {
                state = .code
                return 2
            }
        }
        return 1
    }

    private mutating func code(_ byte: UInt8, _ next: UInt8) -> Int {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`"): state = .string(byte)
        case UInt8(ascii: "/"):
            if next == UInt8(ascii: "/") {
                state = .lineComment
                return 2
            }
            if next == UInt8(ascii: "*") {
                state = .blockComment
                return 2
            }
            let divides = HTMLContext.isLetter(last) || HTMLContext.isDigit(last) || ")]}_$\"'".utf8.contains(last)
            if divides { last = byte } else { state = .regularExpression(inSet: false) }
        default: if !HTMLContext.isSpace(byte) { last = byte }
        }
        return 1
    }

    mutating func escaped(_ value: TemplateValue) -> String {
        switch state {
        case .code:
            last = UInt8(ascii: ")")
            let json = value.json
            let isWord = { (byte: UInt8?) in
                byte.map { HTMLContext.isLetter($0) || HTMLContext.isDigit($0) || $0 == UInt8(ascii: "-") } ?? false
            }
            let padded = (isWord(json.utf8.first) ? " " : "") + json + (isWord(json.utf8.last) ? " " : "")
            return padded
        case .string: return Self.quoted(HTMLEscapes.text(of: value), isPattern: false)
        case .regularExpression: return Self.quoted(HTMLEscapes.text(of: value), isPattern: true)
        case .lineComment, .blockComment: return ""
        }
    }

    private static func quoted(_ text: String, isPattern: Bool) -> String {
        text.unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar {
            case "\\": result += "\\\\"
            case "/": result += "\\/"
            case "\t": result += "\\t"
            case "\n": result += "\\n"
            case "\u{c}": result += "\\f"
            case "\r": result += "\\r"
            case "\"", "'", "`", "&", "+", "<", ">", "\0", "\u{8}", "\u{b}", "\u{2028}", "\u{2029}":
                let hex = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            case "$", "(", ")", "*", ".", "?", "[", "]", "^", "{", "|", "}", "-":
                result += isPattern ? "\\\(scalar)" : String(scalar)
            default: result.unicodeScalars.append(scalar)
            }
        }
    }
}

/// The position of the output in a style sheet.
struct StyleContext: Equatable, Sendable {
    private var quote: UInt8 = 0
    private var isEscaped = false

    mutating func passed(_ bytes: ArraySlice<UInt8>) {
        for byte in bytes {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if quote != 0 {
                if byte == quote { quote = 0 }
            } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                quote = byte
            }
        }
    }

    /// Replaces a value that could change the style sheet. In a string the value is escaped.
    func escaped(_ text: String) -> String {
        guard quote == 0 else {
            return text.unicodeScalars.reduce(into: "") { result, scalar in
                let isHarmless =
                    scalar.value > 0x7f || scalar.isASCII && scalar.properties.isAlphabetic
                    || scalar.properties.numericType != nil || " -_.,".unicodeScalars.contains(scalar)
                if isHarmless {
                    result.unicodeScalars.append(scalar)
                } else {
                    result += "\\" + String(scalar.value, radix: 16) + " "
                }
            }
        }
        let lower = text.lowercased()
        let isDangerous =
            text.utf8.contains { $0 == 0 || "\"'()/;@[\\]`{}<>".utf8.contains($0) } || text.contains("--")
            || lower.contains("expression") || lower.contains("mozbinding")
        return isDangerous ? HTMLEscapes.unsafe : text
    }
}
