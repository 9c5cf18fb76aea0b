internal import Runtime

/// The layout of a record on disk. Records follow one another; numbers are little-endian.
///
/// ```
/// 0        4        8                16
/// | length | CRC32C | sequence       | payload, `length` bytes
/// ```
///
/// The checksum covers length, sequence and payload.
public enum RecordFrame {
    /// The parts covered by the checksum.
    public enum Coverage: Sendable {
        /// Length, sequence and payload.
        case wholeRecord
        /// Sequence and payload, as in files of older versions.
        case withoutLength
    }

    /// A record that was read.
    public struct Record: Equatable, Sendable {
        /// Its number. Numbers increase by one from record to record.
        public var sequence: UInt64
        /// Its content.
        public var payload: [UInt8]

        /// A record.
        public init(sequence: UInt64, payload: [UInt8]) {
            self.sequence = sequence
            self.payload = payload
        }
    }

    /// The result of reading at one offset of a file.
    public enum Piece: Equatable, Sendable {
        /// A record that ends before the offset `end`.
        case record(Record, end: Int)
        /// The bytes end before the record that starts here; it needs this many bytes in total.
        case incomplete(byteCount: Int)
        /// No record starts here.
        case damaged
    }

    /// Bytes before the payload.
    public static let headerByteCount = 16
    /// The maximum length of a payload. Writers reject a longer one, readers treat it as damage.
    public static let payloadLimit = 16 << 20

    /// The bytes of one record.
    public static func encode(_ payload: [UInt8], sequence: UInt64) -> [UInt8] {
        assert(payload.count <= payloadLimit)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(headerByteCount + payload.count)
        append(UInt32(payload.count), to: &bytes)
        append(UInt32(0), to: &bytes)
        append(sequence, to: &bytes)
        bytes += payload
        let checksum = CRC32C.checksum(bytes[8...], after: CRC32C.checksum(bytes[..<4]))
        for index in 0..<4 { bytes[4 + index] = UInt8(truncatingIfNeeded: checksum >> (8 * UInt32(index))) }
        return bytes
    }

    private static func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        for shift in stride(from: 0, to: value.bitWidth, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    /// Reads the record at `offset`. Never traps, whatever the bytes are.
    public static func piece(of bytes: [UInt8], at offset: Int, coverage: Coverage = .wholeRecord) -> Piece {
        guard offset >= 0, bytes.count - offset >= headerByteCount else {
            return .incomplete(byteCount: headerByteCount)
        }
        let start = offset + headerByteCount
        let length = Int(number(bytes, at: offset) as UInt32)
        guard length <= payloadLimit else { return .damaged }
        guard bytes.count - start >= length else { return .incomplete(byteCount: headerByteCount + length) }
        let before = coverage == .wholeRecord ? CRC32C.checksum(bytes[offset..<offset + 4]) : 0
        let checksum = CRC32C.checksum(bytes[offset + 8..<start + length], after: before)
        guard checksum == number(bytes, at: offset + 4) else { return .damaged }
        let record = Record(sequence: number(bytes, at: offset + 8), payload: Array(bytes[start..<start + length]))
        return .record(record, end: start + length)
    }

    /// The header at `offset`, not verified.
    static func uncheckedHeader(of bytes: [UInt8], at offset: Int) -> (length: Int, sequence: UInt64) {
        (Int(number(bytes, at: offset) as UInt32), number(bytes, at: offset + 8))
    }

    /// The sequence in the header at `offset`, which must be in `bytes`; not verified.
    public static func uncheckedSequence(of bytes: [UInt8], at offset: Int) -> UInt64 { number(bytes, at: offset + 8) }

    private static func number<Number: FixedWidthInteger>(_ bytes: [UInt8], at offset: Int) -> Number {
        bytes[offset..<offset + Number.bitWidth / 8].reversed().reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
    }
}
