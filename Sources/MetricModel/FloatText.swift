/// Texts of floating-point numbers, as written by Go's `strconv.FormatFloat(v, verb, -1, 64)`.
public enum FloatText {
    /// `'f'`: plain decimal notation of any size (`1e21` is written with all its zeros).
    public static func plain(_ value: Double) -> String {
        guard let digits = Digits(value) else { return special(value) }
        return digits.plain
    }

    /// `'e'`: one digit, fraction, exponent with at least two digits (`1e+00`).
    public static func exponential(_ value: Double) -> String {
        guard let digits = Digits(value) else { return special(value) }
        return digits.exponential
    }

    /// `'g'`: exponent notation below 1e-4 and from 1e6 on, otherwise plain; also the output of Go's `%v`
    /// (`1.2345675e+06`).
    public static func general(_ value: Double) -> String {
        guard let digits = Digits(value) else { return special(value) }
        return digits.exponent < -4 || digits.exponent >= 6 ? digits.exponential : digits.plain
    }

    /// The form of sample values in Prometheus's JSON: exponent notation below 1e-6 and from 1e21 on.
    public static func json(_ value: Double) -> String {
        if value.magnitude < 1e15, let integer = Int64(exactly: value), integer != 0 || value.sign == .plus {
            return String(integer)
        }
        guard let digits = Digits(value) else { return special(value) }
        return digits.exponent < -6 || digits.exponent >= 21 ? digits.exponential : digits.plain
    }

    private static func special(_ value: Double) -> String {
        value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf"
    }

    /// The shortest decimal digits that give the same number when read: d.ddd × 10^exponent.
    private struct Digits {
        var negative: Bool
        var digits: [UInt8]
        var exponent: Int

        /// `nil` for NaN and infinities.
        init?(_ value: Double) {
            guard value.isFinite else { return nil }
            negative = value.sign == .minus
            digits = []
            exponent = 0
            var point: Int?
            var explicit = 0
            var mantissa = value.magnitude.description.utf8[...]
            if let mark = mantissa.firstIndex(of: UInt8(ascii: "e")) {
                explicit = Int(String(decoding: mantissa[mantissa.index(after: mark)...], as: UTF8.self)) ?? 0
                mantissa = mantissa[..<mark]
            }
            for byte in mantissa {
                if byte == UInt8(ascii: ".") { point = digits.count } else { digits.append(byte) }
            }
            exponent = (point ?? digits.count) - 1 + explicit
            let leading = digits.prefix { $0 == UInt8(ascii: "0") }.count
            if leading == digits.count {
                digits = [UInt8(ascii: "0")]
                exponent = 0
                return
            }
            digits.removeFirst(leading)
            exponent -= leading
            while digits.last == UInt8(ascii: "0"), digits.count > 1 { digits.removeLast() }
        }

        var plain: String {
            var text: [UInt8] = negative ? [UInt8(ascii: "-")] : []
            let zero = UInt8(ascii: "0")
            if exponent < 0 {
                text += [zero, UInt8(ascii: ".")] + [UInt8](repeating: zero, count: -exponent - 1) + digits
            } else if digits.count <= exponent + 1 {
                text += digits + [UInt8](repeating: zero, count: exponent + 1 - digits.count)
            } else {
                text += digits[...exponent] + [UInt8(ascii: ".")] + digits[(exponent + 1)...]
            }
            return String(decoding: text, as: UTF8.self)
        }

        var exponential: String {
            var text: [UInt8] = negative ? [UInt8(ascii: "-")] : []
            text.append(digits[0])
            if digits.count > 1 { text += [UInt8(ascii: ".")] + digits[1...] }
            let magnitude = abs(exponent)
            let number = magnitude < 10 ? "0\(magnitude)" : "\(magnitude)"
            return String(decoding: text, as: UTF8.self) + (exponent < 0 ? "e-" : "e+") + number
        }
    }
}
