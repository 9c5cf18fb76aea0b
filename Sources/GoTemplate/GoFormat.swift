internal import Glibc
internal import MetricModel

/// Formatting with the verbs of Go's `fmt`.
enum GoFormat {
    /// The limit of widths and precisions, as in Go.
    private static let widest = 10_000
    /// Formatting stops when a text is longer than this. The template then fails.
    private static let longest = 4 << 20

    /// As `fmt.Sprint`: a blank between adjacent values if neither is a text.
    static func printed(_ values: [TemplateValue]) -> String {
        var result = ""
        var previousIsText = true
        for value in values {
            var isText = false
            if case .string = value { isText = true }
            if !isText && !previousIsText { result += " " }
            result += value.text
            previousIsText = isText
        }
        return result
    }

    private struct Verb {
        var minus = false
        var plus = false
        var sharp = false
        var zero = false
        var space = false
        var width: Int?
        var precision: Int?
    }

    /// As `fmt.Sprintf`.
    static func formatted(_ format: String, _ values: [TemplateValue]) -> String {
        var result = ""
        var next = 0
        let scalars = Array(format.unicodeScalars)
        var index = 0
        while index < scalars.count, result.utf8.count <= longest {
            let scalar = scalars[index]
            index += 1
            guard scalar == "%" else {
                result.unicodeScalars.append(scalar)
                continue
            }
            var verb = Verb()
            flags(&verb, scalars, &index)
            verb.width = number(scalars, &index, values, &next)
            if let width = verb.width, width < 0 {
                verb.minus = true
                verb.width = -width
            }
            if index < scalars.count, scalars[index] == "." {
                index += 1
                verb.precision = number(scalars, &index, values, &next) ?? 0
            }
            guard index < scalars.count else { return result + "%!(NOVERB)" }
            let letter = scalars[index]
            index += 1
            if letter == "%" {
                result += "%"
            } else if next >= values.count {
                result += "%!\(letter)(MISSING)"
            } else {
                result += text(of: values[next], letter, verb)
                next += 1
            }
        }
        if next < values.count {
            let extra = values[next...].map { "\($0.goTypeName)=\($0.text)" }
            result += "%!(EXTRA \(extra.joined(separator: ", ")))"
        }
        return result
    }

    private static func flags(_ verb: inout Verb, _ scalars: [Unicode.Scalar], _ index: inout Int) {
        while index < scalars.count {
            switch scalars[index] {
            case "-": verb.minus = true
            case "+": verb.plus = true
            case "#": verb.sharp = true
            case "0": verb.zero = true
            case " ": verb.space = true
            default: return
            }
            index += 1
        }
    }

    /// A width or precision, as digits or taken from the values by `*`.
    private static func number(
        _ scalars: [Unicode.Scalar], _ index: inout Int, _ values: [TemplateValue], _ next: inout Int
    ) -> Int? {
        if index < scalars.count, scalars[index] == "*" {
            index += 1
            guard next < values.count, case .integer(let value) = values[next], value.magnitude <= widest else {
                return nil
            }
            next += 1
            return Int(value)
        }
        var value: Int?
        while index < scalars.count, let digit = Int(String(scalars[index])), scalars[index].isASCII {
            value = min((value ?? 0) * 10 + digit, widest)
            index += 1
        }
        return value
    }

    private static func text(of value: TemplateValue, _ letter: Unicode.Scalar, _ verb: Verb) -> String {
        if letter == "T" { return padded(value.goTypeName, verb) }
        switch value {
        case .integer(let number):
            if let text = integer(number, letter, verb) { return text }
        case .float(let number):
            if let text = float(number, letter, verb) { return text }
        case .string(let text):
            if let text = string(text, letter, verb) { return text }
        case .bool(let flag):
            if letter == "t" || letter == "v" { return padded(flag ? "true" : "false", verb) }
        case .list(let elements):
            return "[\(elements.map { text(of: $0, letter, verb) }.joined(separator: " "))]"
        case .map(let entries, _):
            let pairs = TemplateValue.sorted(entries).map {
                "\(text(of: .string($0), letter, verb)):\(text(of: $1, letter, verb))"
            }
            return "map[\(pairs.joined(separator: " "))]"
        case .object(let object):
            if letter == "v" || letter == "s" { return padded(object.text, verb) }
        case .absent: return letter == "v" ? padded("<nil>", verb) : "%!\(letter)(<nil>)"
        }
        return "%!\(letter)(\(value.goTypeName)=\(value.text))"
    }

    private static func string(_ text: String, _ letter: Unicode.Scalar, _ verb: Verb) -> String? {
        let cut = verb.precision.map { String(String.UnicodeScalarView(text.unicodeScalars.prefix($0))) } ?? text
        switch letter {
        case "s", "v": return padded(cut, verb)
        case "q": return padded(verb.sharp && !cut.contains("`") ? "`\(cut)`" : GoLiteral.quoted(cut), verb)
        case "x", "X":
            let digits = cut.utf8.map { byte in
                let hex = String(byte, radix: 16, uppercase: letter == "X")
                return byte < 16 ? "0" + hex : hex
            }
            return padded(digits.joined(separator: verb.space ? " " : ""), verb)
        default: return nil
        }
    }

    private static func integer(_ number: Int64, _ letter: Unicode.Scalar, _ verb: Verb) -> String? {
        let radix: Int
        var prefix = ""
        switch letter {
        case "d", "v": radix = 10
        case "b": (radix, prefix) = (2, verb.sharp ? "0b" : "")
        case "o": (radix, prefix) = (8, verb.sharp ? "0" : "")
        case "O": (radix, prefix) = (8, "0o")
        case "x": (radix, prefix) = (16, verb.sharp ? "0x" : "")
        case "X": (radix, prefix) = (16, verb.sharp ? "0X" : "")
        case "c", "q", "U":
            let scalar = UInt32(exactly: number).flatMap(Unicode.Scalar.init) ?? "\u{fffd}"
            if letter == "c" { return padded(String(scalar), verb) }
            if letter == "q" { return padded("'\(scalar)'", verb) }
            let hex = String(scalar.value, radix: 16, uppercase: true)
            return padded("U+" + String(repeating: "0", count: max(0, 4 - hex.count)) + hex, verb)
        default: return nil
        }
        var digits = String(number.magnitude, radix: radix, uppercase: letter == "X")
        if let precision = verb.precision, digits.count < precision {
            digits = String(repeating: "0", count: precision - digits.count) + digits
        }
        var numeric = verb
        numeric.zero = verb.zero && verb.precision == nil
        return signed(prefix + digits, isNegative: number < 0, numeric)
    }

    private static func float(_ number: Double, _ letter: Unicode.Scalar, _ verb: Verb) -> String? {
        var digits: String
        switch letter {
        case "v" where verb.precision == nil, "g" where verb.precision == nil:
            digits = FloatText.general(number.magnitude)
        case "G" where verb.precision == nil: digits = FloatText.general(number.magnitude).uppercased()
        case "e", "E", "f", "F", "g", "G", "v":
            digits = decimal(number.magnitude, letter == "v" ? "g" : letter, verb.precision ?? 6)
        default: return nil
        }
        guard number.isFinite else {
            digits = number.isNaN ? "NaN" : "Inf"
            var plain = verb
            plain.zero = false
            // An infinity always has a sign, with any verb.
            plain.plus = verb.plus || (number > 0 && !verb.space)
            return signed(digits, isNegative: number < 0, plain)
        }
        return signed(digits, isNegative: number.sign == .minus, verb)
    }

    /// C's `%.*e`, `%.*f` or `%.*g`, which equal Go's for explicit precisions.
    private static func decimal(_ number: Double, _ letter: Unicode.Scalar, _ precision: Int) -> String {
        let size = precision + 400
        var buffer = [CChar](repeating: 0, count: size)
        let count = unsafe withVaList([Int32(precision), number]) { arguments in
            unsafe vsnprintf(&buffer, size, "%.*\(letter)", arguments)
        }
        return String(decoding: buffer.prefix(Int(max(0, count))).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func signed(_ digits: String, isNegative: Bool, _ verb: Verb) -> String {
        let sign = isNegative ? "-" : verb.plus ? "+" : verb.space ? " " : ""
        let missing = (verb.width ?? 0) - sign.count - digits.count
        if verb.zero, !verb.minus, missing > 0 {
            return sign + String(repeating: "0", count: missing) + digits
        }
        return padded(sign + digits, verb)
    }

    private static func padded(_ text: String, _ verb: Verb) -> String {
        let missing = (verb.width ?? 0) - text.unicodeScalars.count
        guard missing > 0 else { return text }
        let blanks = String(repeating: " ", count: missing)
        return verb.minus ? text + blanks : blanks + text
    }
}

extension TemplateValue {
    /// The type as `%T` prints it.
    fileprivate var goTypeName: String {
        if case .absent = self { "<nil>" } else { typeName }
    }
}
