internal import COpenSSL

/// Bytes as pairs of hexadecimal digits.
public enum Hexadecimal {
    /// Lower-case digits, two per byte.
    public static func text(_ bytes: some Sequence<UInt8>) -> String {
        let bytes = Array(bytes)
        return unsafe String(unsafeUninitializedCapacity: 2 * bytes.count) { text in
            for index in bytes.indices {
                unsafe text[2 * index] = character(of: bytes[index] >> 4)
                unsafe text[2 * index + 1] = character(of: bytes[index] & 15)
            }
            return 2 * bytes.count
        }
    }

    private static func character(of value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    /// The bytes of `text`, with digits of either case; `nil` if it is malformed.
    public static func bytes(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var high: UInt8?
        for character in text.utf8 {
            guard let digit = digit(character) else { return nil }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return high == nil ? bytes : nil
    }

    private static func digit(_ character: UInt8) -> UInt8? {
        switch character {
        case 0x30...0x39: character - 0x30
        case 0x41...0x46: character - 0x41 + 10
        case 0x61...0x66: character - 0x61 + 10
        default: nil
        }
    }
}

/// Base64 with the standard alphabet and padding (RFC 4648 §4).
public enum Base64 {
    /// The text of `bytes`, padded.
    public static func text(_ bytes: [UInt8]) -> String {
        // OpenSSL counts in 32 bits and adds a zero byte. Pieces with complete groups can be joined.
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4 + 1)
        for start in stride(from: 0, to: bytes.count, by: pieceByteCount) {
            let piece = bytes[start..<min(start + pieceByteCount, bytes.count)]
            text += unsafe [UInt8](unsafeUninitializedCapacity: (piece.count + 2) / 3 * 4 + 1) { target, count in
                count = unsafe piece.withUnsafeBufferPointer {
                    Int(unsafe EVP_EncodeBlock(target.baseAddress, $0.baseAddress, Int32($0.count)))
                }
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of a padded text; `nil` if it contains anything else, or bits after the last byte.
    public static func bytes(_ text: some StringProtocol) -> [UInt8]? {
        let characters = Array(text.utf8)
        guard characters.count % 4 == 0 else { return nil }
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: characters.count, by: pieceByteCount) {
            let piece = characters[start..<min(start + pieceByteCount, characters.count)]
            var decoded: Int32 = 0
            bytes += unsafe [UInt8](unsafeUninitializedCapacity: piece.count / 4 * 3) { target, count in
                decoded = unsafe piece.withUnsafeBufferPointer {
                    unsafe EVP_DecodeBlock(target.baseAddress, $0.baseAddress, Int32($0.count))
                }
                count = Int(max(0, decoded))
            }
            guard decoded >= 0 else { return nil }
        }
        // OpenSSL decodes padding to zero bytes.
        bytes.removeLast(min(bytes.count, characters.suffix(2).reversed().prefix { $0 == UInt8(ascii: "=") }.count))
        // It also accepts blanks around the text, padding inside it, and bits after the last byte.
        return Self.text(bytes).utf8.elementsEqual(characters) ? bytes : nil
    }

    /// A multiple of 3 and of 4.
    private static let pieceByteCount = 12 << 20
}

/// Base64 with the alphabet for URLs and without padding (RFC 4648 §5), as JSON Web Tokens have it.
public enum Base64URL {
    /// The text of `bytes`.
    public static func text(_ bytes: [UInt8]) -> String {
        String(
            decoding: Base64.text(bytes).utf8.lazy.filter { $0 != UInt8(ascii: "=") }.map { byte in
                switch byte {
                case UInt8(ascii: "+"): UInt8(ascii: "-")
                case UInt8(ascii: "/"): UInt8(ascii: "_")
                case let other: other
                }
            }, as: UTF8.self)
    }

    /// The bytes of a text; `nil` where it holds anything else, padding or bits beyond the last byte.
    public static func bytes(_ text: some StringProtocol) -> [UInt8]? {
        var standard: [UInt8] = []
        standard.reserveCapacity(text.utf8.count + 3)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "-"): standard.append(UInt8(ascii: "+"))
            case UInt8(ascii: "_"): standard.append(UInt8(ascii: "/"))
            case UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="): return nil
            case let other: standard.append(other)
            }
        }
        while standard.count % 4 != 0 { standard.append(UInt8(ascii: "=")) }
        return Base64.bytes(String(decoding: standard, as: UTF8.self))
    }
}
