internal import Runtime

/// The layout of the journal on disk. Frames stand one after another; numbers are little-endian.
///
/// ```
/// 0        4        8                16
/// | length | CRC32C | sequence       | payload, `length` bytes
/// ```
///
/// The checksum covers length, sequence and payload. Sequences rise by one.
package enum JournalFrame {
    static let headerLength = 16
    /// Longer payloads are refused when written, and taken for damage when read.
    static let payloadLimit = 16 << 20

    /// The bytes of one frame.
    package static func encode(_ payload: [UInt8], sequence: UInt64) -> [UInt8] {
        let length = bytes(UInt32(payload.count))
        let number = bytes(sequence)
        return length + bytes(CRC32C.checksum(length + number + payload)) + number + payload
    }

    /// What a file of frames turned out to hold.
    package struct Scan: Equatable {
        /// The payloads with their sequences, in order.
        package var frames: [(sequence: UInt64, payload: [UInt8])]
        /// Bytes up to the end of the last good frame.
        package var goodLength: Int
        /// What follows the last good frame.
        package var rest: Rest

        package enum Rest: Equatable {
            case nothing
            /// The beginning of a frame whose writing was interrupted.
            case tornTail
            /// Bytes that no interrupted write explains.
            case damage(String)
        }

        package static func == (left: Scan, right: Scan) -> Bool {
            left.goodLength == right.goodLength && left.rest == right.rest
                && left.frames.map(\.sequence) == right.frames.map(\.sequence)
                && left.frames.map(\.payload) == right.frames.map(\.payload)
        }
    }

    /// Reads frames until the end or the first bytes that are no good frame.
    ///
    /// A write that was interrupted leaves a beginning of the last frame, or its full length with some blocks missing. So
    /// a bad frame is a torn tail if nothing but it follows the good ones; a good frame behind it proves damage.
    package static func scan(_ bytes: [UInt8]) -> Scan {
        var scan = Scan(frames: [], goodLength: 0, rest: .nothing)
        while scan.goodLength < bytes.count {
            guard let frame = frame(in: bytes, at: scan.goodLength), isNext(frame.sequence, after: scan) else {
                scan.rest = rest(of: bytes, after: scan)
                return scan
            }
            scan.frames.append((frame.sequence, Array(bytes[frame.payload])))
            scan.goodLength = frame.payload.upperBound
        }
        return scan
    }

    private static func isNext(_ sequence: UInt64, after scan: Scan) -> Bool {
        scan.frames.last.map { $0.sequence &+ 1 == sequence } ?? true
    }

    private static func rest(of bytes: [UInt8], after scan: Scan) -> Scan.Rest {
        var offset = scan.goodLength + 1
        while offset + headerLength <= bytes.count {
            if let frame = frame(in: bytes, at: offset) {
                return .damage(
                    "bytes \(scan.goodLength) to \(offset) are damaged; record \(frame.sequence) follows them")
            }
            offset += 1
        }
        return .tornTail
    }

    private static func frame(in bytes: [UInt8], at offset: Int) -> (sequence: UInt64, payload: Range<Int>)? {
        guard offset + headerLength <= bytes.count else { return nil }
        let length = Int(number(bytes[offset..<offset + 4]))
        let start = offset + headerLength
        guard length > 0, length <= payloadLimit, length <= bytes.count - start else { return nil }
        let payload = start..<start + length
        let covered = bytes[offset..<offset + 4] + bytes[offset + 8..<payload.upperBound]
        guard UInt64(CRC32C.checksum(covered)) == number(bytes[offset + 4..<offset + 8]) else { return nil }
        return (number(bytes[offset + 8..<start]), payload)
    }

    private static func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
        (0..<number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
