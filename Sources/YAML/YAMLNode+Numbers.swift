extension YAMLNode {
    /// The whole number of a scalar, as YAML 1.1 and Go's reader write it: `1000`, `1_000`, `0x3e8`, `0o17` or `017`,
    /// `0b11`, `1e3`, `1.0`. `nil` for anything else, such as a fraction or a number that does not fit.
    public var integer: Int? {
        guard let text else { return nil }
        let digits = text.filter { $0 != "_" }
        guard digits.contains(where: \.isNumber) else { return nil }
        return Self.integer(digits) ?? Double(digits).flatMap { Int(exactly: $0) }
    }

    private static func integer(_ digits: String) -> Int? {
        let isNegative = digits.hasPrefix("-")
        let magnitude = isNegative || digits.hasPrefix("+") ? String(digits.dropFirst()) : digits
        let sign = isNegative ? "-" : ""
        for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2), ("0", 8)]
        where magnitude.lowercased().hasPrefix(prefix) && magnitude.utf8.count > prefix.utf8.count {
            let rest = magnitude.dropFirst(prefix.count)
            guard rest.first?.isHexDigit == true else { return nil }
            return Int(sign + rest, radix: radix)
        }
        return Int(digits)
    }
}
