/// A value in a table or a parameter. Sent in PostgreSQL's binary format.
public enum PostgreSQLValue: Equatable, Sendable {
    case null
    /// `int8`. Results of type `int2`, `int4` and `bool` are converted to it.
    case integer(Int64)
    /// `float8`.
    case real(Double)
    /// `text`. Must not contain U+0000, which PostgreSQL cannot store.
    case text(String)
    /// `bytea`.
    case blob([UInt8])
    /// `jsonb`, as its JSON text.
    case json(String)
    /// `timestamptz`, in microseconds since the Unix epoch.
    case time(microseconds: Int64)

    /// PostgreSQL counts from 2000-01-01.
    static let epoch: Int64 = 946_684_800_000_000

    /// The type's object identifier; 0 lets the server choose.
    var type: UInt32 {
        switch self {
        case .null: 0
        case .integer: 20
        case .real: 701
        case .text: 25
        case .blob: 17
        case .json: 3802
        case .time: 1184
        }
    }

    /// The bytes in binary format; `nil` for NULL.
    var encoded: [UInt8]? {
        switch self {
        case .null: nil
        case .integer(let value): bigEndian(UInt64(bitPattern: value))
        case .real(let value): bigEndian(value.bitPattern)
        case .text(let text): Array(text.utf8)
        case .blob(let bytes): bytes
        // The version of the binary format, then the text.
        case .json(let text): [1] + text.utf8
        case .time(let microseconds): bigEndian(microseconds.subtractingReportingOverflow(Self.epoch).partialValue)
        }
    }

    /// Reads a result of type `type`; `nil` if the type is not supported or the length is wrong.
    init?(type: UInt32, bytes: UnsafeRawBufferPointer) {
        func whole(_ width: Int) -> UInt64? {
            guard bytes.count == width else { return nil }
            return unsafe bytes.reduce(0) { $0 << 8 | UInt64($1) }
        }
        switch type {
        case 16:
            guard let value = whole(1) else { return nil }
            self = .integer(Int64(bitPattern: value))
        case 20:
            guard let value = whole(8) else { return nil }
            self = .integer(Int64(bitPattern: value))
        case 21:
            guard let value = whole(2) else { return nil }
            self = .integer(Int64(Int16(truncatingIfNeeded: value)))
        case 23:
            guard let value = whole(4) else { return nil }
            self = .integer(Int64(Int32(truncatingIfNeeded: value)))
        case 26:
            guard let value = whole(4) else { return nil }
            self = .integer(Int64(UInt32(truncatingIfNeeded: value)))
        case 1184:
            guard let value = whole(8) else { return nil }
            self = .time(microseconds: Int64(bitPattern: value).addingReportingOverflow(Self.epoch).partialValue)
        case 3802:
            self = unsafe .json(String(decoding: bytes.dropFirst(), as: UTF8.self))
        case 701:
            guard let value = whole(8) else { return nil }
            self = .real(Double(bitPattern: value))
        case 17: self = unsafe .blob(Array(bytes))
        // name, text, json, varchar; void is an empty text
        case 19, 25, 114, 1043, 2278: self = unsafe .text(String(decoding: bytes, as: UTF8.self))
        default: return nil
        }
    }
}

func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    unsafe withUnsafeBytes(of: value.bigEndian) { unsafe Array($0) }
}
