/// Why bytes are not a valid protobuf message.
public struct ProtobufFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// The error, with the offset from the start of the outermost message.
    public var description: String

    /// An error at `offset`.
    @usableFromInline
    init(_ what: String, at offset: Int) {
        description = "\(what) at byte \(offset)"
    }
}

/// Reads the fields of one protobuf message without copying. A value; used by one thread.
///
/// Lengths are checked against the enclosing message, so that a field can never extend beyond it. The caller must skip
/// unknown fields; unknown wire types are an error.
///
/// The pointer is valid only inside the closure of ``ProtobufReader/reading(_:_:)``.
@safe @frozen public struct ProtobufReader {
    /// The content of a field, by wire type.
    @frozen public enum Content: Equatable, Sendable {
        /// Integers, booleans and enumerations.
        case varint(UInt64)
        /// Eight bytes, little-endian.
        case fixed64(UInt64)
        /// The range of a text, bytes, message or packed numbers, with the same base as ranges given to `init`.
        case bytes(Range<Int>)
        /// Four bytes, little-endian.
        case fixed32(UInt32)
    }

    @usableFromInline let base: UnsafePointer<UInt8>
    /// The offset of the next field.
    public var position: Int
    /// The end of the message.
    public let end: Int

    /// A reader for the message in `range` after `base`.
    @inlinable
    public init(_ base: UnsafePointer<UInt8>, _ range: Range<Int>) {
        unsafe self.base = unsafe base
        position = range.lowerBound
        end = range.upperBound
    }

    /// Calls `body` with a reader of all of `bytes`.
    public static func reading<Result, Failure: Error>(
        _ bytes: [UInt8], _ body: (ProtobufReader) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe bytes.withUnsafeBufferPointer { buffer throws(Failure) in
            guard let base = buffer.baseAddress else {
                var nothing: UInt8 = 0
                return try unsafe withUnsafePointer(to: &nothing) { base throws(Failure) in
                    try body(unsafe ProtobufReader(base, 0..<0))
                }
            }
            return try body(unsafe ProtobufReader(base, 0..<buffer.count))
        }
    }

    /// A reader for a message returned by ``next()``.
    @inlinable
    public func message(_ range: Range<Int>) -> ProtobufReader {
        unsafe ProtobufReader(base, range)
    }

    /// Whether everything was read.
    @inlinable public var isAtEnd: Bool { position >= end }

    /// The next field, or `nil` at the end.
    @inlinable
    public mutating func next() throws(ProtobufFault) -> (number: UInt64, content: Content)? {
        if position >= end { return nil }
        let start = position
        let key = try varint()
        let number = key >> 3
        guard number > 0 else { throw ProtobufFault("field number 0", at: start) }
        switch key & 7 {
        case 0: return (number, .varint(try varint()))
        case 1: return (number, .fixed64(try fixed64()))
        case 2:
            let length = try varint()
            guard length <= UInt64(end - position) else { throw cutOff(length) }
            let range = position..<position + Int(length)
            position = range.upperBound
            return (number, .bytes(range))
        case 5: return (number, .fixed32(try fixed32()))
        case let type: throw ProtobufFault("unknown wire type \(type)", at: start)
        }
    }

    /// The next packed varint, or the length before a delimited message.
    @inlinable
    public mutating func varint() throws(ProtobufFault) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while position < end {
            let byte = unsafe base[position]
            guard shift < 63 || byte <= 1 else { throw ProtobufFault("a number of more than 64 bits", at: position) }
            position += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte & 0x80 == 0 { return value }
            shift += 7
        }
        throw ProtobufFault("a number is cut off", at: position)
    }

    /// The next packed 64-bit number.
    @inlinable
    public mutating func fixed64() throws(ProtobufFault) -> UInt64 {
        guard end - position >= 8 else { throw ProtobufFault("a number is cut off", at: position) }
        let value = unsafe UnsafeRawPointer(base + position).loadUnaligned(as: UInt64.self)
        position += 8
        return UInt64(littleEndian: value)
    }

    @usableFromInline
    mutating func fixed32() throws(ProtobufFault) -> UInt32 {
        guard end - position >= 4 else { throw ProtobufFault("a number is cut off", at: position) }
        let value = unsafe UnsafeRawPointer(base + position).loadUnaligned(as: UInt32.self)
        position += 4
        return UInt32(littleEndian: value)
    }

}

// MARK: Faults

extension ProtobufReader {
    /// An error: a field or message of `length` bytes, but fewer are left.
    public func cutOff(_ length: UInt64) -> ProtobufFault {
        ProtobufFault("\(length) bytes announced where \(end - position) are left", at: position)
    }

    /// An error: an unknown value, such as the number of an enumeration.
    public func unknown(_ what: String) -> ProtobufFault {
        ProtobufFault("unknown \(what)", at: position)
    }
}

// MARK: Values

extension ProtobufReader {
    /// The bytes of a field.
    @inlinable
    public func buffer(_ range: Range<Int>) -> UnsafeBufferPointer<UInt8> {
        unsafe UnsafeBufferPointer(start: base + range.lowerBound, count: range.count)
    }

    /// The text of a field; throws if it is not UTF-8.
    public func text(_ range: Range<Int>) throws(ProtobufFault) -> String {
        guard let text = unsafe String(validating: buffer(range), as: UTF8.self) else {
            throw ProtobufFault("invalid UTF-8 text", at: range.lowerBound)
        }
        return text
    }

    /// The text of a field; `nil` if it is not UTF-8.
    public func validText(_ range: Range<Int>) -> String? {
        unsafe String(validating: buffer(range), as: UTF8.self)
    }

    /// Decodes the zigzag form of `sint32` and `sint64`.
    @inlinable
    public static func zigzag(_ value: UInt64) -> Int64 {
        Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// Reads a repeated number, packed or one by one: both are valid for either declaration.
    public func takeNumbers(
        _ content: Content, _ take: (UInt64) -> Void
    ) throws(ProtobufFault) {
        switch content {
        case .varint(let value), .fixed64(let value): take(value)
        case .fixed32(let value): take(UInt64(value))
        case .bytes(let range):
            var packed = message(range)
            while !packed.isAtEnd { take(try packed.varint()) }
        }
    }

    /// Reads a repeated `double`, packed or one by one.
    public func takeDoubles(_ content: Content, into values: inout [Double]) throws(ProtobufFault) {
        try takeFixed64(content) { values.append(Double(bitPattern: $0)) }
    }

    /// Reads a repeated `fixed64`, `sfixed64` or `double`, packed or one by one.
    public func takeFixed64(_ content: Content, _ take: (UInt64) -> Void) throws(ProtobufFault) {
        switch content {
        case .fixed64(let bits): take(bits)
        case .bytes(let range):
            var packed = message(range)
            while !packed.isAtEnd { take(try packed.fixed64()) }
        case .varint, .fixed32: throw ProtobufFault("a number of another type", at: position)
        }
    }
}
