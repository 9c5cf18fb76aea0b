/// Writes the fields of one protobuf message. A value; used by one thread.
///
/// Fields with their default value must be left out by the caller, as proto3 does. A nested message is written in
/// place: its length is inserted afterwards, which moves its bytes once if it is longer than 127 bytes.
public struct ProtobufWriter: Sendable {
    /// The written bytes.
    public private(set) var bytes: [UInt8] = []

    /// An empty message, with room for `capacity` bytes.
    public init(reserving capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    /// Forgets everything written and keeps the memory.
    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
    }

    /// An integer, boolean or enumeration. Negative numbers of `int32` and `int64` are given as their bit pattern.
    public mutating func number(_ field: Int, _ value: UInt64) {
        varint(UInt64(field) << 3)
        varint(value)
    }

    /// A `double`.
    public mutating func double(_ field: Int, _ value: Double) {
        varint(UInt64(field) << 3 | 1)
        fixed64(value.bitPattern)
    }

    /// A `fixed64`.
    public mutating func fixed64(_ field: Int, _ value: UInt64) {
        varint(UInt64(field) << 3 | 1)
        fixed64(value)
    }

    /// A text.
    public mutating func text(_ field: Int, _ text: String) {
        var text = text
        text.withUTF8 { unsafe bytes(field, $0) }
    }

    /// Bytes, or a message that is already written.
    public mutating func bytes(_ field: Int, _ content: some Collection<UInt8>) {
        varint(UInt64(field) << 3 | 2)
        varint(UInt64(content.count))
        bytes.append(contentsOf: content)
    }

    /// Packed doubles; nothing if there are none.
    public mutating func doubles(_ field: Int, _ values: [Double]) {
        if values.isEmpty { return }
        varint(UInt64(field) << 3 | 2)
        varint(UInt64(values.count * 8))
        for value in values { fixed64(value.bitPattern) }
    }

    /// Packed varints; nothing if there are none.
    public mutating func numbers(_ field: Int, _ values: some Collection<UInt64>) {
        if values.isEmpty { return }
        message(field) { for value in values { $0.varint(value) } }
    }

    /// A message with the fields that `write` writes.
    public mutating func message(_ field: Int, _ write: (inout ProtobufWriter) -> Void) {
        varint(UInt64(field) << 3 | 2)
        let start = bytes.count
        bytes.append(0)
        write(&self)
        let length = bytes.count - start - 1
        if length < 0x80 {
            bytes[start] = UInt8(length)
        } else {
            var prefix = ProtobufWriter()
            prefix.varint(UInt64(length))
            bytes.replaceSubrange(start...start, with: prefix.bytes)
        }
    }

    /// Fields that are already written.
    public mutating func append(_ fields: some Collection<UInt8>) {
        bytes.append(contentsOf: fields)
    }

    /// The zigzag form of `sint32` and `sint64`.
    @inlinable
    public static func zigzag(_ value: Int64) -> UInt64 {
        UInt64(bitPattern: (value << 1) ^ (value >> 63))
    }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private mutating func fixed64(_ value: UInt64) {
        unsafe withUnsafeBytes(of: value.littleEndian) { unsafe bytes.append(contentsOf: $0) }
    }
}
