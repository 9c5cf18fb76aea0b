internal import MetricModel

/// Quoted text in Go's notation.
public enum GoLiteral {
    /// `text` as `%q` writes it.
    static func quoted(_ text: String) -> String { MetricText.quoted(text) }

    /// The value of a quoted string or character; `nil` if an escape is malformed.
    static func unquoted(_ literal: String) -> String? {
        bytes(literal).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The bytes of a quoted string or character; `nil` if an escape is malformed.
    public static func bytes(_ literal: String) -> [UInt8]? {
        let bytes = Array(literal.utf8)
        guard bytes.count >= 2, let quote = bytes.first, bytes.last == quote else { return nil }
        var result: [UInt8] = []
        var index = 1
        let end = bytes.count - 1
        while index < end {
            guard bytes[index] == UInt8(ascii: "\\") else {
                if bytes[index] == quote { return nil }
                result.append(bytes[index])
                index += 1
                continue
            }
            index += 1
            guard index < end else { return nil }
            let letter = bytes[index]
            index += 1
            if let simple = simpleEscapes[letter] {
                result.append(simple)
            } else if letter == UInt8(ascii: "\\") || letter == quote {
                result.append(letter)
            } else if letter >= UInt8(ascii: "0"), letter <= UInt8(ascii: "7") {
                guard let value = number(bytes, index - 1, 3, end, radix: 8), value < 256 else { return nil }
                result.append(UInt8(value))
                index += 2
            } else if let (digits, isScalar) = numericEscapes[letter] {
                guard let value = number(bytes, index, digits, end, radix: 16) else { return nil }
                index += digits
                if isScalar {
                    guard let scalar = Unicode.Scalar(value) else { return nil }
                    result += Array(String(scalar).utf8)
                } else {
                    result.append(UInt8(value))
                }
            } else {
                return nil
            }
        }
        return result
    }

    private static let simpleEscapes: [UInt8: UInt8] = [
        UInt8(ascii: "a"): 0x07, UInt8(ascii: "b"): 0x08, UInt8(ascii: "f"): 0x0c, UInt8(ascii: "n"): 0x0a,
        UInt8(ascii: "r"): 0x0d, UInt8(ascii: "t"): 0x09, UInt8(ascii: "v"): 0x0b,
    ]

    private static let numericEscapes: [UInt8: (digits: Int, isScalar: Bool)] = [
        UInt8(ascii: "x"): (2, false), UInt8(ascii: "u"): (4, true), UInt8(ascii: "U"): (8, true),
    ]

    private static func number(_ bytes: [UInt8], _ start: Int, _ count: Int, _ end: Int, radix: Int) -> UInt32? {
        guard start + count <= end else { return nil }
        let digits = bytes[start..<start + count]
        guard digits.first != UInt8(ascii: "+") else { return nil }
        return UInt32(String(decoding: digits, as: UTF8.self), radix: radix)
    }
}

/// A number as Go writes it: with underscores, a radix prefix, or as a hexadecimal float.
public enum GoNumber: Equatable, Sendable {
    case integer(Int64)
    case float(Double)

    /// Reads a constant; `nil` if it is malformed, imaginary, or an integer that is too large.
    public init?(_ text: String) {
        if let integer = Self.integer(text) {
            self = .integer(integer)
        } else if text.utf8.contains(where: { $0 == UInt8(ascii: ".") || $0 | 0x20 == UInt8(ascii: "e") })
            || text.utf8.contains(where: { $0 | 0x20 == UInt8(ascii: "p") }), let float = Self.float(text)
        {
            self = .float(float)
        } else {
            return nil
        }
    }

    /// Whether `text` is written like a number, even if it is too large.
    static func isWellFormed(_ text: String) -> Bool {
        GoNumber(text) != nil || (text.utf8.contains { $0 >= 0x30 && $0 <= 0x39 } && float(text) != nil)
    }

    /// A floating-point number, read like Go's `ParseFloat`.
    public static func float(_ text: String) -> Double? {
        guard let plain = withoutUnderscores(text) else { return nil }
        switch plain.lowercased() {
        case "inf", "+inf", "infinity", "+infinity": return .infinity
        case "-inf", "-infinity": return -.infinity
        case "nan": return .nan
        default: return Double(plain)
        }
    }

    private static func integer(_ text: String) -> Int64? {
        guard var digits = withoutUnderscores(text) else { return nil }
        var sign = ""
        if digits.hasPrefix("+") || digits.hasPrefix("-") { sign = String(digits.removeFirst()) }
        guard let first = digits.utf8.first, first >= 0x30, first <= 0x39 else { return nil }
        let prefix = digits.prefix(2).lowercased()
        let radix = ["0x": 16, "0o": 8, "0b": 2][prefix]
        if let radix {
            let rest = digits.dropFirst(2)
            guard rest.utf8.first != UInt8(ascii: "+"), rest.utf8.first != UInt8(ascii: "-") else { return nil }
            return Int64(sign + rest, radix: radix)
        }
        if digits.utf8.count > 1, first == 0x30 { return Int64(sign + digits, radix: 8) }
        return Int64(sign + digits)
    }

    /// Underscores are allowed only between digits.
    private static func withoutUnderscores(_ text: String) -> String? {
        guard text.utf8.contains(UInt8(ascii: "_")) else { return text }
        let bytes = Array(text.utf8)
        for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: "_") {
            guard index > 0, index + 1 < bytes.count, bytes[index - 1] != byte, bytes[index + 1] != byte else {
                return nil
            }
        }
        return text.filter { $0 != "_" }
    }
}
