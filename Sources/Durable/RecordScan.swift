/// The content of a file of records.
public struct RecordScan: Equatable, Sendable {
    /// The bytes after the last valid record.
    public enum Rest: Equatable, Sendable {
        case nothing
        /// The start of a record whose write was interrupted.
        case tornTail
        /// Bytes that an interrupted write does not explain.
        case damage(String)
    }

    /// The valid records, in order.
    public private(set) var records: [RecordFrame.Record] = []
    /// The offset after the last valid record.
    public private(set) var goodByteCount = 0
    /// The bytes after them.
    public private(set) var rest = Rest.nothing

    /// Reads records until the end or the first bytes that are not the next record.
    ///
    /// An interrupted write leaves the start of the last record, or its full length with some blocks missing. So an
    /// invalid record is a torn tail if no valid one follows it. A later valid record proves damage.
    public init(_ bytes: [UInt8], coverage: RecordFrame.Coverage = .wholeRecord) {
        while goodByteCount < bytes.count {
            guard
                case .record(let record, let end) = RecordFrame.piece(of: bytes, at: goodByteCount, coverage: coverage),
                records.last.map({ $0.sequence &+ 1 == record.sequence }) ?? true
            else {
                rest = Self.rest(of: bytes, from: goodByteCount, after: records.last?.sequence, coverage)
                return
            }
            records.append(record)
            goodByteCount = end
        }
    }

    private static func rest(
        of bytes: [UInt8], from start: Int, after last: UInt64?, _ coverage: RecordFrame.Coverage
    ) -> Rest {
        // Between two records of this file there are at most this many others.
        let distance = UInt64(bytes.count / RecordFrame.headerByteCount) + 1
        // Bytes that look like headers everywhere must not cost a checksum of the whole rest at each offset.
        var budget = 64 * bytes.count
        for offset in (start + 1)..<max(start + 1, bytes.count - RecordFrame.headerByteCount + 1) {
            let header = RecordFrame.uncheckedHeader(of: bytes, at: offset)
            let isLater = last.map { header.sequence > $0 && header.sequence - $0 <= distance } ?? true
            guard isLater, header.length <= bytes.count - offset - RecordFrame.headerByteCount else { continue }
            if case .record = RecordFrame.piece(of: bytes, at: offset, coverage: coverage) {
                return .damage("bytes \(start) to \(offset) are damaged; record \(header.sequence) follows them")
            }
            budget -= header.length + RecordFrame.headerByteCount
            if budget < 0 { return .damage("the bytes from \(start) on are neither records nor an incomplete record") }
        }
        return .tornTail
    }

    /// The last valid record of a damaged file. Records after it may have been lost.
    public static func lastRecord(in bytes: [UInt8]) -> RecordFrame.Record? {
        var last: RecordFrame.Record?
        var offset = 0
        // As above: bytes that look like headers must not cost a checksum of the rest each.
        var budget = 64 * bytes.count
        while bytes.count - offset >= RecordFrame.headerByteCount, budget >= 0 {
            let header = RecordFrame.uncheckedHeader(of: bytes, at: offset)
            let isNext = last.map { header.sequence > $0.sequence } ?? true
            if isNext, header.length <= bytes.count - offset - RecordFrame.headerByteCount {
                if case .record(let record, let end) = RecordFrame.piece(of: bytes, at: offset) {
                    (last, offset) = (record, end)
                    continue
                }
                budget -= header.length + RecordFrame.headerByteCount
            }
            offset += 1
        }
        return last
    }
}
