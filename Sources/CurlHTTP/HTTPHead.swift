/// The header fields of a response, in order. A value.
///
/// Stored as bytes, so that reading one field does not parse the others.
public struct HTTPHead: Sendable {
    /// Lines that end with CR LF or LF. Lines that are not fields are skipped.
    private(set) var bytes: [UInt8] = []

    /// No fields.
    public init() {}

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The fields. Names are as received; values have no surrounding blanks.
    public var fields: [(name: String, value: String)] {
        bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
            return (String(decoding: line[..<colon], as: UTF8.self), Self.trimmed(line[(colon + 1)...]))
        }
    }

    /// The value of the first field named `name`, ignoring case.
    public subscript(name: String) -> String? {
        let name = name.utf8Span.span
        let bytes = bytes.span
        var start = 0
        while start < bytes.count {
            var end = start
            while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
            let colon = start + name.count
            if colon < end, bytes[colon] == UInt8(ascii: ":"), Self.isSame(name, bytes, at: start) {
                return Self.trimmed(self.bytes[colon + 1..<end])
            }
            start = end + 1
        }
        return nil
    }

    /// Whether `name` is at `start`, ignoring case.
    private static func isSame(_ name: Span<UInt8>, _ bytes: Span<UInt8>, at start: Int) -> Bool {
        for index in 0..<name.count where lowercased(name[index]) != lowercased(bytes[start + index]) { return false }
        return true
    }

    mutating func append(_ name: String, _ value: String) {
        bytes += "\(name): \(value)\r\n".utf8
    }

    /// Adds a line of the response. A status line starts a new head, after a redirect or an interim response.
    mutating func receive(_ line: UnsafeRawBufferPointer) {
        if unsafe line.starts(with: "HTTP/".utf8) {
            bytes.removeAll(keepingCapacity: true)
        } else {
            if bytes.isEmpty { bytes.reserveCapacity(512) }
            unsafe bytes.append(contentsOf: line)
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
