internal import Database
internal import TLS

/// The rows that spooled records add to the tables, computed before any of them is written.
struct LedgerRows {
    /// A batch of measurements with its entry.
    struct Batch {
        var sequence: Int64
        var measurements: MeasurementBatch
        /// Numbers of its series; empty until ``SeriesNumbers`` assigned them.
        var numbers: [Int64] = []
    }

    private(set) var entries: [LedgerRow] = []
    private var nodes: [MerkleTree.Node] = []
    private var disclosures: [(sequence: Int64, disclosure: Disclosure)] = []
    private var blobs: [[UInt8]: [UInt8]] = [:]
    var batches: [Batch] = []
    /// Rows of the table `series` to add.
    var series: [[SQLValue]] = []
    /// Months of the measurements.
    private(set) var months: Set<Month> = []

    /// Numbers the entries of `payloads` after `head`, and moves `head` to the last one.
    init(_ payloads: [SpoolPayload], following head: inout LedgerHead) throws(HistoryError) {
        entries.reserveCapacity(payloads.count)
        for payload in payloads {
            let row = payload.event.row(sequence: head.size + 1, previous: head.previous)
            head.tree.append(leafHash: row.hash, completing: &nodes)
            head.previous = row.hash
            for disclosure in payload.event.disclosures { disclosures.append((row.sequence, disclosure)) }
            for blob in payload.event.blobs { blobs[SHA256.hash(blob)] = blob }
            if let times = payload.measurements.times {
                months.insert(Month(containing: times.lowerBound))
                batches.append(Batch(sequence: row.sequence, measurements: payload.measurements))
            }
            entries.append(row)
        }
    }

    /// The rows of entries that come from a backup, after `head`, which moves to the last of them.
    init(
        restoring rows: [LedgerRow], _ measurements: [Int64: MeasurementBatch], _ texts: [Int64: [Disclosure]],
        _ contents: [[UInt8]], following head: inout LedgerHead
    ) {
        for row in rows {
            head.tree.append(leafHash: row.hash, completing: &nodes)
            head.previous = row.hash
            for disclosure in texts[row.sequence] ?? [] { disclosures.append((row.sequence, disclosure)) }
            guard let batch = measurements[row.sequence], let times = batch.times else { continue }
            months.insert(Month(containing: times.lowerBound))
            batches.append(Batch(sequence: row.sequence, measurements: batch))
        }
        for content in contents { blobs[SHA256.hash(content)] = content }
        entries = rows
    }

    func insert(into store: LedgerStore) throws(HistoryError) {
        // Entries about schema steps are written before the newest columns exist.
        let hasAdditions = entries.contains { !$0.incident.isEmpty || !$0.service.isEmpty }
        try store.insert(
            into: "ledger",
            columns: ["sequence", "milliseconds", "kind", "subject", "leaf", "hash"]
                + (hasAdditions ? ["incident", "service"] : []),
            entries.map { row in
                let values: [SQLValue] = [
                    .integer(row.sequence), .integer(row.milliseconds), .text(row.kind), .text(row.subject),
                    .text(row.leaf), .blob(row.hash),
                ]
                guard hasAdditions else { return values }
                return values + [row.incident, row.service].map { $0.isEmpty ? .null : .text($0) }
            })
        try store.insert(
            into: "tree_node", columns: ["level", "position", "hash"],
            nodes.map { [.integer(Int64($0.level)), .integer($0.position), .blob($0.hash)] })
        try store.insert(
            into: "disclosure", columns: ["sequence", "commitment", "salt", "content"],
            disclosures.map { sequence, disclosure in
                [
                    .integer(sequence), .blob(disclosure.commitment), .blob(disclosure.salt), .text(disclosure.text),
                ]
            })
        for (hash, content) in blobs.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            _ = try store.change(
                "INSERT INTO blob (hash, content) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                [.blob(hash), .blob(content)])
        }
        try store.insert(into: "series", columns: ["id", "digest", "labels"], series)
        try store.insertMeasurements(batches)
    }
}
