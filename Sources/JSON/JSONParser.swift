/// Why a text is not JSON.
public struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Offset of the byte where reading stopped.
    public var offset: Int
    /// The error.
    public var message: String

    /// An error at `offset`.
    public init(offset: Int, message: String) {
        self.offset = offset
        self.message = message
    }

    /// The error with its position.
    public var description: String { "invalid JSON at byte \(offset): \(message)" }
}

extension JSON {
    /// Reads one JSON text (RFC 8259): strict, at most 200 levels deep, nothing after the value.
    ///
    /// Integers that do not fit in 64 bits become doubles. A number outside the range of doubles is rejected. An
    /// unpaired surrogate becomes U+FFFD. Members with the same name are all kept.
    public init(parsing text: String) throws(JSONError) {
        try self.init(parsing: Array(text.utf8))
    }

    /// Reads one JSON text from UTF-8 bytes. Malformed UTF-8 in strings is rejected.
    public init(parsing bytes: [UInt8]) throws(JSONError) {
        var parser = JSONParser(bytes: bytes)
        self = try parser.document()
    }
}

private struct JSONParser {
    let bytes: [UInt8]
    var index = 0
    static let depthLimit = 200

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func document() throws(JSONError) -> JSON {
        let value = try value(depth: 0)
        skipBlanks()
        guard index == bytes.count else { throw fault("expected the end of the text") }
        return value
    }

    private func fault(_ message: String) -> JSONError { JSONError(offset: index, message: message) }

    private var current: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skipBlanks() {
        while let byte = current, byte == 0x20 || (byte >= 0x09 && byte <= 0x0d && byte != 0x0b && byte != 0x0c) {
            index += 1
        }
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSON {
        guard depth < Self.depthLimit else { throw fault("nested deeper than \(Self.depthLimit) levels") }
        skipBlanks()
        switch current {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case nil: throw fault("expected a value, found the end of the text")
        default: return try number()
        }
    }

    private mutating func word(_ word: String, _ value: JSON) throws(JSONError) -> JSON {
        guard bytes[index...].starts(with: word.utf8) else { throw fault("expected \(word)") }
        index += word.utf8.count
        return value
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSON {
        index += 1
        var elements: [JSON] = []
        skipBlanks()
        if current == UInt8(ascii: "]") {
            index += 1
            return .array([])
        }
        while true {
            elements.append(try value(depth: depth + 1))
            if try !continues(until: UInt8(ascii: "]")) { return .array(elements) }
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSON {
        index += 1
        var members: [JSON.Member] = []
        skipBlanks()
        if current == UInt8(ascii: "}") {
            index += 1
            return .object([])
        }
        while true {
            skipBlanks()
            guard current == UInt8(ascii: "\"") else { throw fault("expected a name in quotes") }
            let name = try string()
            skipBlanks()
            guard current == UInt8(ascii: ":") else { throw fault("expected a colon") }
            index += 1
            members.append(JSON.Member(name, try value(depth: depth + 1)))
            if try !continues(until: UInt8(ascii: "}")) { return .object(members) }
        }
    }

    /// Reads a comma (returns true) or the closing bracket (returns false).
    private mutating func continues(until bracket: UInt8) throws(JSONError) -> Bool {
        skipBlanks()
        guard let byte = current, byte == UInt8(ascii: ",") || byte == bracket else {
            throw fault("expected a comma or \(Character(Unicode.Scalar(bracket)))")
        }
        index += 1
        return byte != bracket
    }

    private mutating func number() throws(JSONError) -> JSON {
        let start = index
        if current == UInt8(ascii: "-") { index += 1 }
        let whole = digits()
        guard !whole.isEmpty, whole.count == 1 || bytes[whole.lowerBound] != UInt8(ascii: "0") else {
            index = start
            throw fault("expected a value")
        }
        var isInteger = true
        if current == UInt8(ascii: ".") {
            index += 1
            isInteger = false
            guard !digits().isEmpty else { throw fault("expected digits") }
        }
        if let byte = current, byte | 0x20 == UInt8(ascii: "e") {
            index += 1
            isInteger = false
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { index += 1 }
            guard !digits().isEmpty else { throw fault("expected digits") }
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if isInteger, let value = Int64(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else {
            index = start
            throw fault("the number is out of range")
        }
        return .number(value)
    }

    private mutating func digits() -> Range<Int> {
        let start = index
        while let byte = current, byte >= 0x30, byte <= 0x39 { index += 1 }
        return start..<index
    }

    private mutating func string() throws(JSONError) -> String {
        index += 1
        var text: [UInt8] = []
        var start = index
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                // Most strings have no escape, and are read from where they are.
                if text.isEmpty, let valid = String(validating: bytes[start..<index], as: UTF8.self) {
                    index += 1
                    return valid
                }
                text += bytes[start..<index]
                guard let valid = String(validating: text, as: UTF8.self) else { throw fault("malformed UTF-8") }
                index += 1
                return valid
            case UInt8(ascii: "\\"):
                text += bytes[start..<index]
                index += 1
                text += Array(UTF8.encode(try escape()) ?? .init())
                start = index
            case 0..<0x20: throw fault("a control character must be escaped")
            default: index += 1
            }
        }
        throw fault("the string does not end")
    }

    private mutating func escape() throws(JSONError) -> Unicode.Scalar {
        guard let byte = current else { throw fault("the string does not end") }
        index += 1
        switch byte {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{08}"
        case UInt8(ascii: "f"): return "\u{0c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try codePoint()
        default:
            index -= 1
            throw fault("unknown escape")
        }
    }

    private mutating func codePoint() throws(JSONError) -> Unicode.Scalar {
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xdc00, bytes[index...].starts(with: "\\u".utf8) else { return "\u{fffd}" }
        let mark = index
        index += 2
        let second = try hexadecimal()
        guard second >= 0xdc00, second < 0xe000 else {
            index = mark
            return "\u{fffd}"
        }
        return Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00)) ?? "\u{fffd}"
    }

    private mutating func hexadecimal() throws(JSONError) -> UInt32 {
        guard index + 4 <= bytes.count,
            bytes[index..<index + 4].allSatisfy({
                ($0 >= 0x30 && $0 <= 0x39) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x66)
            }),
            let value = UInt32(String(decoding: bytes[index..<index + 4], as: UTF8.self), radix: 16)
        else { throw fault("expected four hexadecimal digits") }
        index += 4
        return value
    }
}
