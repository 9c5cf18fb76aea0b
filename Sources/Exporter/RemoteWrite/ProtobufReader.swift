/// Reads the fields of one protobuf message. Unknown fields are for the caller to skip; malformed bytes end in an error.
package struct ProtobufReader {
    /// The bytes are no protobuf message.
    package struct Fault: Error {}

    /// The content of a field, by wire type.
    enum Content {
        case varint(UInt64)
        case fixed64(UInt64)
        case bytes(ArraySlice<UInt8>)
        case fixed32(UInt32)
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    /// The next field, or `nil` at the end.
    mutating func next() throws(Fault) -> (number: UInt64, content: Content)? {
        if rest.isEmpty { return nil }
        let key = try varint()
        guard key >> 3 > 0 else { throw Fault() }
        switch key & 7 {
        case 0: return (key >> 3, .varint(try varint()))
        case 1: return (key >> 3, .fixed64(try fixed(8)))
        case 2:
            guard let length = Int(exactly: try varint()), length <= rest.count else { throw Fault() }
            let bytes = rest.prefix(length)
            rest = rest.dropFirst(length)
            return (key >> 3, .bytes(bytes))
        case 5: return (key >> 3, .fixed32(UInt32(truncatingIfNeeded: try fixed(4))))
        default: throw Fault()
        }
    }

    /// Whether everything is read.
    var isAtEnd: Bool { rest.isEmpty }

    /// The next of packed varints.
    mutating func varint() throws(Fault) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while let byte = rest.popFirst() {
            guard shift < 63 || byte <= 1 else { throw Fault() }
            value |= UInt64(byte & 0x7f) << shift
            if byte & 0x80 == 0 { return value }
            shift += 7
        }
        throw Fault()
    }

    /// The next of packed fixed-length numbers, little end first.
    mutating func fixed(_ length: Int) throws(Fault) -> UInt64 {
        guard rest.count >= length else { throw Fault() }
        var value: UInt64 = 0
        for byte in rest.prefix(length).reversed() { value = value << 8 | UInt64(byte) }
        rest = rest.dropFirst(length)
        return value
    }

    /// The sign-saving form of `sint32` and `sint64`.
    static func zigzag(_ value: UInt64) -> Int64 {
        Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }
}
