internal import Database
internal import JSON
internal import TLS

extension LedgerRow {
    /// The row of a line of an export; `nil` if the line is not a leaf.
    init?(leaf: String, hash: [UInt8]) {
        guard let content = LeafContent(leaf) else { return nil }
        self.init(
            sequence: content.sequence, milliseconds: content.milliseconds, kind: content.kind,
            subject: content.subject, incident: content.incident, service: content.service, leaf: leaf, hash: hash)
    }

    /// The number of measurements according to the row.
    var claimedSamples: Int64 {
        guard kind == LedgerEvent.Kind.measurements.rawValue else { return 0 }
        let count = LeafContent(leaf)?.body["count"]?.integer ?? 0
        return min(max(count, 0), Int64(MeasurementBatch.sampleLimit))
    }
}

extension Ledger {
    /// All rows of one kind; for kinds with few rows.
    func rows(ofKind kind: LedgerEvent.Kind) throws(HistoryError) -> [LedgerRow] {
        var found: [LedgerRow] = []
        while true {
            let page = try rows(after: found.last?.sequence ?? 0, ofKind: kind, limit: 1000)
            if page.isEmpty { return found }
            found += page
        }
    }

    /// Reports entries and measurements beyond the head and before the first entry.
    func checkStrays(after size: Int64, _ verifier: inout LedgerVerifier) throws(HistoryError) {
        let size = try max(size, head().size)
        for row in try rows(after: size, limit: 100) {
            verifier.problem(row.sequence...row.sequence, "not counted by the ledger's head: inserted")
        }
        let stray = try store.rows(
            """
            SELECT DISTINCT m.batch FROM (\(store.measurementQuery(where: "batch > $1 OR batch < 1"))) m
            ORDER BY m.batch LIMIT 100
            """,
            [.integer(size)])
        for batch in stray.map({ $0[0].integer }) {
            verifier.problem(batch...batch, "measurements without an entry that vouches for them: inserted")
        }
    }

    /// The texts about persons of the entries in `sequences`.
    func disclosures(of sequences: ClosedRange<Int64>) throws(HistoryError) -> [Int64: [Disclosure]] {
        let rows = try store.rows(
            """
            SELECT sequence, commitment, salt, content FROM disclosure WHERE sequence >= $1 AND sequence <= $2
            ORDER BY sequence, commitment
            """, [.integer(sequences.lowerBound), .integer(sequences.upperBound)])
        var found: [Int64: [Disclosure]] = [:]
        for row in rows {
            found[row[0].integer, default: []].append(
                Disclosure(commitment: row[1].blob, salt: row[2].blob, text: row[3].text))
        }
        return found
    }

    /// The content with the given hash.
    func blob(_ hash: [UInt8]) throws(HistoryError) -> [UInt8]? {
        try store.rows("SELECT content FROM blob WHERE hash = $1", [.blob(hash)]).first?.first?.blob
    }

    /// The stored hash of a subtree.
    func hash(of node: MerkleTree.Node) throws(HistoryError) -> [UInt8]? {
        try store.rows(
            "SELECT hash FROM tree_node WHERE level = $1 AND position = $2",
            [.integer(Int64(node.level)), .integer(node.position)]
        ).first?.first?.blob
    }
}
