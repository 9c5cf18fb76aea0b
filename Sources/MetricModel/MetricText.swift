/// Rules for names and quoted strings that are common to Prometheus's formats.
public enum MetricText {
    /// Whether `name` matches `[a-zA-Z_:][a-zA-Z0-9_:]*`, so that it needs no quotes as a metric name.
    public static func isLegacyMetricName(_ name: String) -> Bool {
        isLegacy(name, colon: true)
    }

    /// Whether `name` matches `[a-zA-Z_][a-zA-Z0-9_]*`, so that it needs no quotes as a label name.
    public static func isLegacyLabelName(_ name: String) -> Bool {
        isLegacy(name, colon: false)
    }

    private static func isLegacy(_ name: String, colon: Bool) -> Bool {
        var first = true
        for byte in name.utf8 {
            let letter = (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a) || byte == 0x5f || (colon && byte == 0x3a)
            let digit = byte >= 0x30 && byte <= 0x39
            if !letter && (first || !digit) { return false }
            first = false
        }
        return !first
    }

    /// `text` in double quotes with Go's escapes, as written by `strconv.Quote` for printable text.
    public static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            case "\u{07}": result += "\\a"
            case "\u{08}": result += "\\b"
            case "\u{0b}": result += "\\v"
            case "\u{0c}": result += "\\f"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                result += "\\x" + hex(scalar.value, digits: 2)
            case _ where isUnprintable(scalar):
                result +=
                    scalar.value > 0xffff ? "\\U" + hex(scalar.value, digits: 8) : "\\u" + hex(scalar.value, digits: 4)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// `text` in double quotes as read by PromQL: U+FFFD, the replacement for invalid UTF-8, is also escaped.
    public static func literal(_ text: String) -> String {
        quoted(text).replacing("\u{fffd}", with: "\\ufffd")
    }

    private static func isUnprintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: true
        case .spaceSeparator: scalar != " "
        default: false
        }
    }

    private static func hex(_ value: UInt32, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
