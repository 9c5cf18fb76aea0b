/// Writes fields of protobuf.
struct ProtobufMessage {
    private(set) var content: [UInt8] = []

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            content.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        content.append(UInt8(rest))
    }

    mutating func number(_ field: UInt64, _ value: UInt64) {
        varint(field << 3)
        varint(value)
    }

    mutating func double(_ field: UInt64, _ value: Double) {
        varint(field << 3 | 1)
        for shift in stride(from: 0 as UInt64, to: 64, by: 8) {
            content.append(UInt8(truncatingIfNeeded: value.bitPattern >> shift))
        }
    }

    /// Zigzag, as `sint32` and `sint64` are written.
    mutating func signed(_ field: UInt64, _ value: Int64) {
        number(field, Self.zigzag(value))
    }

    /// A packed list of `sint64`.
    mutating func signed(_ field: UInt64, _ values: [Int64]) {
        var inner = ProtobufMessage()
        for value in values { inner.varint(Self.zigzag(value)) }
        bytes(field, inner.content)
    }

    private static func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: value << 1 ^ value >> 63) }

    mutating func bytes(_ field: UInt64, _ bytes: [UInt8]) {
        varint(field << 3 | 2)
        varint(UInt64(bytes.count))
        content += bytes
    }

    mutating func message(_ field: UInt64, _ fill: (inout ProtobufMessage) -> Void) {
        var inner = ProtobufMessage()
        fill(&inner)
        bytes(field, inner.content)
    }
}
