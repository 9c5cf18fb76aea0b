internal import Runtime

/// The layout of the spool's files.
///
/// ```text
/// segment:  "TRBSPL01" · first sequence (8) · record…
/// record:   length of payload (4) · CRC32C of sequence and payload (4) · sequence (8) · payload
/// ```
/// Numbers are little-endian. Sequences ascend strictly. A segment's name is its first sequence in 16 hexadecimal digits and
/// `.spool`.
enum SpoolSegment {
    static let magic = Array("TRBSPL01".utf8)
    static let headerByteCount = 16
    static let recordHeaderByteCount = 16
    /// Longest payload in bytes.
    static let payloadLimit = 16 << 20

    struct Record: Equatable, Sendable {
        var sequence: UInt64
        var payload: [UInt8]
    }

    /// What stands at one place of a segment.
    enum Piece: Equatable {
        /// A record that ends before the offset.
        case record(Record, end: Int)
        /// The bytes end before the record that begins here; it needs this many in all.
        case incomplete(byteCount: Int)
        /// No record begins here.
        case damaged
    }

    static func header(first sequence: UInt64) -> [UInt8] { magic + littleEndian(sequence) }

    /// The first sequence a header names, or `nil` where it is none.
    static func first(in header: [UInt8]) -> UInt64? {
        guard header.count >= headerByteCount, Array(header[..<magic.count]) == magic else { return nil }
        return number(header[8..<16])
    }

    static func encode(_ payload: [UInt8], sequence: UInt64) -> [UInt8] {
        let guarded = littleEndian(sequence) + payload
        return littleEndian(UInt32(clamping: payload.count)) + littleEndian(CRC32C.checksum(guarded)) + guarded
    }

    /// Reads the record at `offset`.
    static func piece(of bytes: [UInt8], at offset: Int) -> Piece {
        let start = offset + recordHeaderByteCount
        guard bytes.count >= start else { return .incomplete(byteCount: recordHeaderByteCount) }
        let length = Int(number(bytes[offset..<offset + 4]) as UInt32)
        guard length <= payloadLimit else { return .damaged }
        guard bytes.count >= start + length else { return .incomplete(byteCount: recordHeaderByteCount + length) }
        let checksum: UInt32 = number(bytes[offset + 4..<offset + 8])
        guard CRC32C.checksum(bytes[offset + 8..<start + length]) == checksum else { return .damaged }
        let record = Record(
            sequence: number(bytes[offset + 8..<start]), payload: Array(bytes[start..<start + length]))
        return .record(record, end: start + length)
    }

    /// The offset after `start` where the next whole record with a number in `sequences` begins; `nil` where there is none.
    static func next(in bytes: [UInt8], after start: Int, sequences: ClosedRange<UInt64>) -> Int? {
        var offset = start + 1
        while offset + recordHeaderByteCount <= bytes.count {
            // The number is looked at first: it excludes nearly every offset without computing a checksum.
            if sequences.contains(number(bytes[offset + 8..<offset + 16])), case .record = piece(of: bytes, at: offset)
            {
                return offset
            }
            offset += 1
        }
        return nil
    }

    static func name(first sequence: UInt64) -> String {
        let digits = String(sequence, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits + ".spool"
    }

    static func first(ofName name: String) -> UInt64? {
        guard name.utf8.count == 22, name.hasSuffix(".spool") else { return nil }
        return UInt64(name.prefix(16), radix: 16)
    }

    private static func littleEndian<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
        (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> Number($0 * 8)) }
    }

    private static func number<Number: FixedWidthInteger>(_ bytes: ArraySlice<UInt8>) -> Number {
        bytes.reversed().reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
    }
}
