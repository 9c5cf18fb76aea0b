/// Checks the text of a label selector as the Kubernetes API server reads it, so that a mistake is found when the
/// configuration is read and not at the first request.
///
/// Requirements are separated by commas: `key`, `!key`, `key = value`, `key == value`, `key != value`,
/// `key in (a, b)`, `key notin (a, b)`, `key > 1` and `key < 1`.
struct LabelSelector {
    private var rest: Substring

    /// Why the API server would refuse `text`; `nil` if it is a selector. The empty one selects everything.
    static func fault(in text: String) -> String? {
        var selector = LabelSelector(rest: text[...])
        return selector.read()
    }

    private mutating func read() -> String? {
        skipSpace()
        if rest.isEmpty { return nil }
        while true {
            if let fault = requirement() { return fault }
            if rest.isEmpty { return nil }
            guard take(",") else { return "found '\(word())', expected: ',' or the end" }
        }
    }

    private mutating func requirement() -> String? {
        let isNegated = take("!")
        let key = word()
        guard !key.isEmpty else { return "found '\(rest.prefix(1))', expected: a label name" }
        guard key.utf8.allSatisfy(Self.isPlain) else { return "'\(key)' is not a label name" }
        if isNegated || rest.isEmpty || rest.first == "," { return nil }
        for sign in ["==", "!=", "="] where take(sign) { return value(after: sign) }
        for sign in [">", "<"] where take(sign) {
            let bound = word()
            return Int64(bound) == nil ? "'\(sign)' needs a whole number, not '\(bound)'" : nil
        }
        let sign = word()
        guard sign == "in" || sign == "notin" else { return "found '\(sign)', expected: an operator" }
        guard take("(") else { return "found '\(word())', expected: '('" }
        while true {
            if let fault = value(after: sign) { return fault }
            if take(")") { return nil }
            guard take(",") else { return "found '\(word())', expected: ',' or ')'" }
        }
    }

    /// A value; it may be empty.
    private mutating func value(after sign: String) -> String? {
        let value = word()
        guard value.utf8.allSatisfy(Self.isPlain), value.utf8.count <= 63 else {
            return "'\(value)' after '\(sign)' is not a label value"
        }
        return nil
    }

    private mutating func take(_ sign: String) -> Bool {
        guard rest.hasPrefix(sign) else { return false }
        rest = rest.dropFirst(sign.count)
        skipSpace()
        return true
    }

    /// The characters up to the next sign or space.
    private mutating func word() -> String {
        let word = rest.prefix { !" \t\n,()=!<>".contains($0) }
        rest = rest.dropFirst(word.count)
        skipSpace()
        return String(word)
    }

    private mutating func skipSpace() {
        rest = rest.drop { $0 == " " || $0 == "\t" || $0 == "\n" }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
        case UInt8(ascii: "/"): true
        default: false
        }
    }
}
