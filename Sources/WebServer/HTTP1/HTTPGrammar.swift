/// Character classes of RFC 9110.
enum HTTPGrammar {
    /// One bit per ASCII character that is allowed in a token.
    private static let tokens: (low: UInt64, high: UInt64) = {
        var low: UInt64 = 0
        var high: UInt64 = 0
        for byte in "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8 {
            if byte < 64 { low |= 1 << UInt64(byte) } else { high |= 1 << UInt64(byte - 64) }
        }
        return (low, high)
    }()

    static func isToken(_ byte: UInt8) -> Bool {
        if byte < 64 { return tokens.low >> UInt64(byte) & 1 != 0 }
        return byte < 128 && tokens.high >> UInt64(byte - 64) & 1 != 0
    }

    /// Allowed characters in a field's value: visible characters, blanks, and non-ASCII bytes.
    static func isFieldContent(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != 0x7f || byte == 0x09
    }

    /// `host[:port]` of RFC 3986. May be empty, because a URL may have no authority.
    static func isHost(_ text: String) -> Bool {
        var rest = text.utf8[...]
        if rest.first == UInt8(ascii: "[") {
            guard let end = rest.firstIndex(of: UInt8(ascii: "]")) else { return false }
            let address = rest[rest.index(after: rest.startIndex)..<end]
            guard !address.isEmpty, address.allSatisfy({ isHexadecimal($0) || $0 == 0x3a || $0 == 0x2e }) else {
                return false
            }
            rest = rest[rest.index(after: end)...]
        } else {
            rest = rest.drop { isAlphanumeric($0) || "-._~%!$&'()*+,;=".utf8.contains($0) }
        }
        guard let colon = rest.first else { return true }
        let port = rest.dropFirst()
        return colon == UInt8(ascii: ":") && port.count <= 5 && port.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
    }

    /// A list of transfer codings, each with or without parameters, with at most one `chunked`, which is last.
    static func isCodingList(_ text: String) -> Bool {
        let codings = text.split(separator: ",", omittingEmptySubsequences: false).map { ASCIIText.trimmed($0) }
        let names = codings.map { $0.prefix { $0 != ";" && $0 != " " } }
        guard names.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(isToken) }) else { return false }
        return !names.contains { ASCIIText.equal($0, "chunked") }
            || codings.last == "chunked" && names.count { ASCIIText.equal($0, "chunked") } == 1
    }

    static func isHexadecimal(_ byte: UInt8) -> Bool {
        byte >= 0x30 && byte <= 0x39 || byte | 0x20 >= 0x61 && byte | 0x20 <= 0x66
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        byte >= 0x30 && byte <= 0x39 || byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a
    }
}
