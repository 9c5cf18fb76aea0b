/// What a file of records turned out to hold.
public struct RecordScan: Equatable, Sendable {
    /// What follows the last good record.
    public enum Rest: Equatable, Sendable {
        case nothing
        /// The beginning of a record whose writing was interrupted.
        case tornTail
        /// Bytes that no interrupted write explains.
        case damage(String)
    }

    /// The good records, in order.
    public private(set) var records: [RecordFrame.Record] = []
    /// Bytes up to the end of the last good record.
    public private(set) var goodByteCount = 0
    /// What follows them.
    public private(set) var rest = Rest.nothing

    /// Reads records until the end or the first bytes that are no record, or not the next one.
    ///
    /// An interrupted write leaves the beginning of the last record, or its full length with some blocks missing. So a
    /// bad record is a torn tail if no good one follows it; a later record behind it proves damage.
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
        // Between two records of this file there are at most so many others.
        let distance = UInt64(bytes.count / RecordFrame.headerByteCount) + 1
        // Bytes made to look like headers everywhere must not cost a checksum of the whole rest at each offset.
        var budget = 64 * bytes.count
        for offset in (start + 1)..<max(start + 1, bytes.count - RecordFrame.headerByteCount + 1) {
            let header = RecordFrame.uncheckedHeader(of: bytes, at: offset)
            let isLater = last.map { header.sequence > $0 && header.sequence - $0 <= distance } ?? true
            guard isLater, header.length <= bytes.count - offset - RecordFrame.headerByteCount else { continue }
            if case .record = RecordFrame.piece(of: bytes, at: offset, coverage: coverage) {
                return .damage("bytes \(start) to \(offset) are damaged; record \(header.sequence) follows them")
            }
            budget -= header.length + RecordFrame.headerByteCount
            if budget < 0 { return .damage("the bytes from \(start) on are no records, nor an interrupted one") }
        }
        return .tornTail
    }
}
