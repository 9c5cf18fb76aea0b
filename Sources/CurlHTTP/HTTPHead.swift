/// The header fields of an answer, in the order they came. A value.
///
/// Kept as bytes: whoever looks for one field pays for that one alone.
public struct HTTPHead: Sendable {
    /// Lines that end with CR LF or LF; what is no field is skipped.
    private(set) var bytes: [UInt8] = []

    /// No fields.
    public init() {}

    /// The fields, names as they came, values without the blanks around them.
    public var fields: [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        forEachLine { line in
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return true }
            fields.append(
                (String(decoding: line[..<colon], as: UTF8.self), Self.trimmed(line[line.index(after: colon)...])))
            return true
        }
        return fields
    }

    /// The value of the first field called `name`, whatever the case of its letters.
    public subscript(name: String) -> String? {
        var value: String?
        forEachLine { line in
            let length = name.utf8.count
            guard line.count > length, line[line.startIndex + length] == UInt8(ascii: ":"),
                zip(line, name.utf8).allSatisfy({ Self.lowercased($0) == Self.lowercased($1) })
            else { return true }
            value = Self.trimmed(line.dropFirst(length + 1))
            return false
        }
        return value
    }

    mutating func append(_ name: String, _ value: String) {
        bytes += "\(name): \(value)\r\n".utf8
    }

    /// Takes a line of the answer; a status line begins anew, after a redirect or an interim answer.
    mutating func receive(_ line: UnsafeRawBufferPointer) {
        if unsafe line.starts(with: "HTTP/".utf8) {
            bytes.removeAll(keepingCapacity: true)
        } else {
            if bytes.isEmpty { bytes.reserveCapacity(512) }
            unsafe bytes.append(contentsOf: line)
        }
    }

    private func forEachLine(_ body: (ArraySlice<UInt8>) -> Bool) {
        var start = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            guard body(bytes[start..<end]) else { return }
            start = end + 1
        }
    }

    private static func trimmed(_ text: ArraySlice<UInt8>) -> String {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 || byte == 0x0d || byte == 0x0a }
        let start = text.drop(while: isBlank)
        guard let last = start.lastIndex(where: { !isBlank($0) }) else { return "" }
        return String(decoding: start[...last], as: UTF8.self)
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
    }
}
