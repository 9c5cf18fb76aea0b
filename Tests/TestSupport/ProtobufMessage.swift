/// Writes protobuf fields, right or wrong ones.
public struct ProtobufMessage {
    /// The bytes written so far.
    public private(set) var bytes: [UInt8] = []

    /// An empty message.
    public init() {}

    /// The message that `fill` writes.
    public static func make(_ fill: (inout ProtobufMessage) -> Void) -> [UInt8] {
        var message = ProtobufMessage()
        fill(&message)
        return message.bytes
    }

    /// The messages behind one another, each with its length in front.
    public static func delimited(_ messages: [[UInt8]]) -> [UInt8] {
        make { stream in
            for message in messages {
                stream.varint(UInt64(message.count))
                stream.raw(message)
            }
        }
    }

    /// Bytes as they are.
    public mutating func raw(_ content: [UInt8]) {
        bytes += content
    }

    /// A number without a field.
    public mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// An integer or enumeration.
    public mutating func number(_ field: UInt64, _ value: UInt64) {
        varint(field << 3)
        varint(value)
    }

    /// A `sint32` or `sint64`.
    public mutating func signed(_ field: UInt64, _ value: Int64) {
        number(field, Self.zigzag(value))
    }

    /// A `double`.
    public mutating func double(_ field: UInt64, _ value: Double) {
        varint(field << 3 | 1)
        fixed(value)
    }

    /// A `fixed64` or `sfixed64`.
    public mutating func fixed64(_ field: UInt64, _ value: UInt64) {
        varint(field << 3 | 1)
        fixed(Double(bitPattern: value))
    }

    /// Text, bytes or a message.
    public mutating func bytes(_ field: UInt64, _ content: [UInt8]) {
        varint(field << 3 | 2)
        varint(UInt64(content.count))
        bytes += content
    }

    /// Text.
    public mutating func text(_ field: UInt64, _ content: String) {
        bytes(field, Array(content.utf8))
    }

    /// A message.
    public mutating func message(_ field: UInt64, _ fill: (inout ProtobufMessage) -> Void) {
        bytes(field, Self.make(fill))
    }

    /// Packed integers.
    public mutating func packed(_ field: UInt64, _ values: [UInt64]) {
        message(field) { for value in values { $0.varint(value) } }
    }

    /// Packed `sint64`.
    public mutating func packedSigned(_ field: UInt64, _ values: [Int64]) {
        packed(field, values.map(Self.zigzag))
    }

    /// Packed doubles.
    public mutating func packedDoubles(_ field: UInt64, _ values: [Double]) {
        message(field) { for value in values { $0.fixed(value) } }
    }

    private mutating func fixed(_ value: Double) {
        for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> (8 * UInt64(shift)))) }
    }

    private static func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: value << 1 ^ value >> 63) }
}
