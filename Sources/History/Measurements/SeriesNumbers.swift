internal import Database
internal import TLS

/// The numbers of series in the table of measurements.
struct SeriesNumbers {
    /// By the hash of their labels.
    private var known: [[UInt8]: Int64] = [:]

    /// Limit of cached series. Beyond it all are dropped and looked up again.
    private static let limit = 1_000_000
    /// Series in one lookup.
    private static let pageSize = 500

    /// Sets the numbers of the series of all batches: known ones, those of the database, then new ones from `next` on.
    mutating func assign(_ rows: inout LedgerRows, next: inout Int64, in store: LedgerStore) throws(HistoryError) {
        if rows.batches.isEmpty { return }
        if known.count > Self.limit { known = [:] }
        let digests = rows.batches.map { $0.measurements.series.map { SHA256.hash($0) } }
        var unknown: [[UInt8]] = []
        var isListed: Set<[UInt8]> = []
        for digest in digests.joined() where known[digest] == nil && isListed.insert(digest).inserted {
            unknown.append(digest)
        }
        try lookUp(unknown, in: store)
        for (index, digests) in digests.enumerated() {
            for (offset, digest) in digests.enumerated() {
                let number = known[digest] ?? next
                if number == next, known[digest] == nil {
                    next += 1
                    known[digest] = number
                    rows.series.append([
                        .integer(number), .blob(digest), .text(rows.batches[index].measurements.series[offset]),
                    ])
                }
                rows.batches[index].numbers.append(number)
            }
        }
    }

    private mutating func lookUp(_ digests: [[UInt8]], in store: LedgerStore) throws(HistoryError) {
        for start in stride(from: 0, to: digests.count, by: Self.pageSize) {
            let page = digests[start..<min(digests.count, start + Self.pageSize)]
            let places = page.indices.map { "$\($0 - start + 1)" }.joined(separator: ", ")
            let rows = try store.rows(
                "SELECT digest, id FROM series WHERE digest IN (\(places))", page.map { .blob($0) })
            for row in rows { known[row[0].blob] = row[1].integer }
        }
    }
}
