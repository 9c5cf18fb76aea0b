/// The bytes are no protobuf message.
public struct ProtobufFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// What is wrong, and at which byte of the message that was read from the start.
    public var description: String

    /// A fault at `offset`.
    @usableFromInline
    init(_ what: String, at offset: Int) {
        description = "\(what) at byte \(offset)"
    }
}

/// Walks the fields of one protobuf message without copying. A value; used by one thread.
///
/// Lengths are checked against the message they stand in, so that a field can never reach beyond its parent, whatever
/// it claims. Unknown fields are for the caller to skip; wire types that are not known end in an error.
///
/// The pointer is valid only inside the closure that lent it (``ProtobufReader/reading(_:_:)``).
@safe @frozen public struct ProtobufReader {
    /// The content of a field, by wire type.
    @frozen public enum Content: Equatable, Sendable {
        /// Integers, booleans and enumerations.
        case varint(UInt64)
        /// Eight bytes, little end first.
        case fixed64(UInt64)
        /// Text, bytes, messages and packed numbers: where they lie. The range counts like those given to `init`.
        case bytes(Range<Int>)
        /// Four bytes, little end first.
        case fixed32(UInt32)
    }

    @usableFromInline let base: UnsafePointer<UInt8>
    /// Where the next field begins.
    public var position: Int
    /// Where the message ends.
    public let end: Int

    /// A reader for the message that lies in `range` behind `base`.
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

    /// A reader for a message that ``next()`` found.
    @inlinable
    public func message(_ range: Range<Int>) -> ProtobufReader {
        unsafe ProtobufReader(base, range)
    }

    /// Whether everything is read.
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

    /// The next of packed varints, or the length in front of a delimited message.
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

    /// The next of packed 64-bit numbers.
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
    /// A field or message of `length` bytes, of which there are fewer left.
    public func cutOff(_ length: UInt64) -> ProtobufFault {
        ProtobufFault("\(length) bytes announced where \(end - position) are left", at: position)
    }

    /// Something that is not known, such as the number of an enumeration.
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

    /// The text of a field; an error where it is not UTF-8.
    public func text(_ range: Range<Int>) throws(ProtobufFault) -> String {
        guard let text = unsafe String(validating: buffer(range), as: UTF8.self) else {
            throw ProtobufFault("invalid UTF-8 text", at: range.lowerBound)
        }
        return text
    }

    /// The text of a field; `nil` where it is not UTF-8.
    public func validText(_ range: Range<Int>) -> String? {
        unsafe String(validating: buffer(range), as: UTF8.self)
    }

    /// The sign-saving form of `sint32` and `sint64`.
    @inlinable
    public static func zigzag(_ value: UInt64) -> Int64 {
        Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// Takes a repeated number, packed or one by one: both are allowed for either declaration.
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

    /// Takes a repeated `double`, packed or one by one.
    public func takeDoubles(_ content: Content, into values: inout [Double]) throws(ProtobufFault) {
        switch content {
        case .fixed64(let bits): values.append(Double(bitPattern: bits))
        case .bytes(let range):
            var packed = message(range)
            values.reserveCapacity(values.count + range.count / 8)
            while !packed.isAtEnd { values.append(Double(bitPattern: try packed.fixed64())) }
        case .varint, .fixed32: throw ProtobufFault("a number of another type", at: position)
        }
    }
}
