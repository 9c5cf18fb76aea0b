/// Percent-encoding of URLs and forms.
public enum URLEncoding {
    /// Splits `target` (`/a%20b?x=1`) into a decoded path and decoded parameters.
    ///
    /// - Returns: `nil` if the path contains a malformed escape.
    static func split(_ target: [UInt8]) -> (path: String, query: [(name: String, value: String)])? {
        let mark = target.firstIndex(of: UInt8(ascii: "?"))
        let fragment = target.firstIndex(of: UInt8(ascii: "#")) ?? target.count
        guard let path = decode(target[..<min(mark ?? fragment, fragment)], plusIsSpace: false) else { return nil }
        guard let mark, mark < fragment else { return (path, []) }
        return (path, fields(of: target[(mark + 1)..<fragment]))
    }

    /// The decoded fields of `a=1&b=2`, in order. As in Go, a field with a malformed escape is dropped.
    public static func fields(of bytes: ArraySlice<UInt8>) -> [(name: String, value: String)] {
        bytes.split(separator: UInt8(ascii: "&")).compactMap { field in
            let equals = field.firstIndex(of: UInt8(ascii: "=")) ?? field.endIndex
            guard let name = decode(field[..<equals], plusIsSpace: true),
                let value = decode(field[min(equals + 1, field.endIndex)...], plusIsSpace: true)
            else { return nil }
            return (name, value)
        }
    }

    /// `text` with all characters except unreserved ones escaped, for one component of a URL.
    public static func escape(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        for byte in text.utf8 {
            let isPlain =
                (byte >= 0x30 && byte <= 0x39) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a)
                || "-._~".utf8.contains(byte)
            if isPlain {
                result.append(byte)
            } else {
                result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func decode(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool) -> String? {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            if byte == UInt8(ascii: "%") {
                guard index + 2 < bytes.endIndex, let high = hexadecimal(bytes[index + 1]),
                    let low = hexadecimal(bytes[index + 2])
                else { return nil }
                result.append(high << 4 | low)
                index += 3
            } else {
                result.append(plusIsSpace && byte == UInt8(ascii: "+") ? 0x20 : byte)
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}
