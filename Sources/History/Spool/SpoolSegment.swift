internal import Durable

/// The layout of the spool's files.
///
/// ```text
/// segment:  magic (8) · first sequence (8) · record…
/// ```
/// The layout of records is that of ``RecordFrame``; numbers are little-endian. Sequences ascend strictly. The magic is
/// `TRBSPL02`; segments that begin with `TRBSPL01` are still read: their checksums do not cover the length. A segment's
/// name is its first sequence in 16 hexadecimal digits and `.spool`.
enum SpoolSegment {
    static let headerByteCount = 16
    /// The largest number of a record: so far away that no sum overflows.
    private static let largestSequence: UInt64 = 1 << 62
    private static let magic = Array("TRBSPL02".utf8)
    private static let olderMagic = Array("TRBSPL01".utf8)

    /// The header of a segment.
    struct Header: Equatable {
        var first: UInt64
        var coverage: RecordFrame.Coverage

        /// Reads the header of a segment; `nil` if it is none.
        init?(_ bytes: [UInt8]) {
            guard bytes.count >= headerByteCount else { return nil }
            switch Array(bytes[..<8]) {
            case magic: coverage = .wholeRecord
            case olderMagic: coverage = .withoutLength
            default: return nil
            }
            first = bytes[8..<16].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
    }

    /// The bytes of a header.
    static func header(first sequence: UInt64) -> [UInt8] {
        magic + (0..<8).map { UInt8(truncatingIfNeeded: sequence >> (8 * $0)) }
    }

    /// The offset after `start` of the next valid record with a number in `sequences`; `nil` if there is none.
    static func next(
        in bytes: [UInt8], after start: Int, sequences: ClosedRange<UInt64>, _ coverage: RecordFrame.Coverage
    ) -> Int? {
        var offset = start + 1
        while offset + RecordFrame.headerByteCount <= bytes.count {
            // The number is compared first: it excludes nearly every offset without a checksum.
            if sequences.contains(RecordFrame.uncheckedSequence(of: bytes, at: offset)),
                case .record = RecordFrame.piece(of: bytes, at: offset, coverage: coverage)
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
        guard name.utf8.count == 22, name.hasSuffix(".spool"), let first = UInt64(name.prefix(16), radix: 16),
            (1...largestSequence).contains(first)
        else { return nil }
        return first
    }
}
