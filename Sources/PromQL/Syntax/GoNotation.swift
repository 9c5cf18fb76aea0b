internal import Glibc
internal import MetricModel

/// Go's notation for characters, strings and numbers, which PromQL uses.
enum GoNotation {
    /// The scalar at `offset` with its width; U+FFFD with width 1 for an invalid byte, `nil` after the end.
    static func decode(_ bytes: [UInt8], at offset: Int) -> (scalar: Unicode.Scalar, width: Int)? {
        guard offset < bytes.count else { return nil }
        if bytes[offset] < 0x80 { return (Unicode.Scalar(bytes[offset]), 1) }
        var iterator = bytes[offset..<min(offset + 4, bytes.count)].makeIterator()
        var decoder = UTF8()
        if case .scalarValue(let scalar) = decoder.decode(&iterator) {
            return (scalar, String(scalar).utf8.count)
        }
        return ("\u{fffd}", 1)
    }

    /// A character in single quotes, as `%q` prints it; the end of the text prints as U+FFFD.
    static func quoted(_ scalar: Unicode.Scalar?) -> String {
        let scalar = scalar ?? "\u{fffd}"
        if scalar == "'" { return "'\\''" }
        if scalar == "\"" { return "'\"'" }
        return "'" + MetricText.quoted(String(scalar)).dropFirst().dropLast() + "'"
    }

    /// A character as `%#U` prints it: `U+0063 'c'`.
    static func described(_ scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16, uppercase: true)
        let code = "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        let isPrintable = MetricText.quoted(String(scalar)).unicodeScalars.contains(scalar)
        return isPrintable ? "\(code) '\(scalar)'" : code
    }

    /// The bytes in double quotes, as `%q` prints them. Invalid UTF-8 is printed as `\xff`.
    static func quoted(_ bytes: [UInt8]) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return MetricText.quoted(text) }
        var result = "\""
        var offset = 0
        while let (scalar, width) = decode(bytes, at: offset) {
            if scalar == "\u{fffd}", width == 1 {
                result += "\\x" + String(bytes[offset], radix: 16)
            } else {
                result += MetricText.quoted(String(scalar)).dropFirst().dropLast()
            }
            offset += width
        }
        return result + "\""
    }

    /// The value of a hexadecimal digit.
    static func digit(_ scalar: Unicode.Scalar) -> UInt32? {
        switch scalar {
        case "0"..."9": scalar.value - 0x30
        case "a"..."f": scalar.value - 0x61 + 10
        case "A"..."F": scalar.value - 0x41 + 10
        default: nil
        }
    }

    /// The content of a string token, whose escapes the lexer has checked. Escapes may produce any bytes.
    static func unquoted(_ token: ArraySlice<UInt8>) -> [UInt8] {
        let inner = token.dropFirst().dropLast()
        guard token.first != UInt8(ascii: "`") else { return Array(inner) }
        var result: [UInt8] = []
        var rest = inner
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\"), let kind = rest.popFirst() else {
                result.append(byte)
                continue
            }
            switch kind {
            case UInt8(ascii: "a"): result.append(0x07)
            case UInt8(ascii: "b"): result.append(0x08)
            case UInt8(ascii: "f"): result.append(0x0c)
            case UInt8(ascii: "n"): result.append(0x0a)
            case UInt8(ascii: "r"): result.append(0x0d)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "v"): result.append(0x0b)
            case UInt8(ascii: "x"): result.append(UInt8(truncatingIfNeeded: code(&rest, digits: 2)))
            case UInt8(ascii: "u"): result += utf8(code(&rest, digits: 4))
            case UInt8(ascii: "U"): result += utf8(code(&rest, digits: 8))
            case UInt8(ascii: "0")...UInt8(ascii: "7"):
                let octal = rest.prefix(2).reduce(UInt32(kind - 0x30)) { $0 * 8 + UInt32($1 &- 0x30) }
                rest = rest.dropFirst(2)
                result.append(UInt8(truncatingIfNeeded: octal))
            default: result.append(kind)
            }
        }
        return result
    }

    private static func code(_ rest: inout ArraySlice<UInt8>, digits: Int) -> UInt32 {
        let value = rest.prefix(digits).reduce(UInt32(0)) { $0 &* 16 &+ (digit(Unicode.Scalar($1)) ?? 0) }
        rest = rest.dropFirst(digits)
        return value
    }

    private static func utf8(_ code: UInt32) -> [UInt8] {
        Array(String(Unicode.Scalar(code) ?? "\u{fffd}").utf8)
    }

    /// `value` with a fixed number of digits after the point, as `%f` prints it.
    static func fixed(_ value: Double, digits: Int) -> String {
        guard value.isFinite else { return FloatText.plain(value) }
        var buffer = [CChar](repeating: 0, count: 400)
        let length = unsafe withVaList([Int32(digits), value]) { arguments in
            unsafe vsnprintf(&buffer, buffer.count, "%.*f", arguments)
        }
        return String(decoding: buffer.prefix(max(0, Int(length))).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Why a text is not a number.
    enum NumberFault: String, Error {
        case syntax = "invalid syntax"
        case range = "value out of range"
    }

    /// Reads a number: an integer with an optional base prefix (`0x1f`, `017`), otherwise a decimal fraction, `Inf` or
    /// `NaN`.
    static func number(_ text: String) throws(NumberFault) -> Double {
        guard hasValidUnderscores(text) else { throw .syntax }
        let digits = text.utf8.filter { $0 != UInt8(ascii: "_") }
        if let integer = integer(digits) { return Double(integer) }
        let plain = String(decoding: digits, as: UTF8.self)
        if plain.utf8.contains(where: { $0 | 0x20 == UInt8(ascii: "x") }) { throw .syntax }
        switch plain.lowercased() {
        case "inf": return .infinity
        case "nan": return .nan
        default: break
        }
        guard let value = Double(plain) else { throw .syntax }
        if value.isInfinite { throw .range }
        return value
    }

    private static func integer(_ digits: [UInt8]) -> Int64? {
        guard digits.first == UInt8(ascii: "0"), digits.count > 1 else {
            return digits.allSatisfy { (0x30...0x39).contains($0) }
                ? Int64(String(decoding: digits, as: UTF8.self)) : nil
        }
        let isHexadecimal = digits[1] | 0x20 == UInt8(ascii: "x")
        let magnitude = digits.dropFirst(isHexadecimal ? 2 : 1)
        guard magnitude.first != UInt8(ascii: "+"), magnitude.first != UInt8(ascii: "-") else { return nil }
        return Int64(String(decoding: magnitude, as: UTF8.self), radix: isHexadecimal ? 16 : 8)
    }

    /// Whether every underscore is between two digits; the base prefix counts as one.
    private static func hasValidUnderscores(_ text: String) -> Bool {
        enum Previous { case start, digit, underscore, other }
        var previous = Previous.start
        var rest = text.utf8[...]
        let prefix = rest.prefix(2)
        let isHexadecimal = prefix.first == UInt8(ascii: "0") && prefix.last.map { $0 | 0x20 } == UInt8(ascii: "x")
        if isHexadecimal {
            rest = rest.dropFirst(2)
            previous = .digit
        }
        for byte in rest {
            let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
            if (0x30...0x39).contains(byte) || (isHexadecimal && isLetter) {
                previous = .digit
            } else if byte == UInt8(ascii: "_") {
                if previous != .digit { return false }
                previous = .underscore
            } else {
                if previous == .underscore { return false }
                previous = .other
            }
        }
        return previous != .underscore
    }
}
