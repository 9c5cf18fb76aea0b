internal import Database
internal import TLS

extension Ledger {
    /// Reads hashes of the tree. Without stored subtrees (in a schema of earlier versions) it reads all leaves.
    func merkleReader() throws(HistoryError) -> MerkleReader {
        let hasNodes = try store.hasTable("tree_node")
        return MerkleReader { (level, positions) throws(HistoryError) in
            if level == 0 || !hasNodes { return try self.leafSubtrees(level, positions) }
            let rows = try self.store.rows(
                "SELECT hash FROM tree_node WHERE level = $1 AND position >= $2 AND position < $3 ORDER BY position",
                [.integer(Int64(level)), .integer(positions.lowerBound), .integer(positions.upperBound)])
            // Missing before the backfill of an older ledger is complete.
            return rows.count == positions.count ? rows.map { $0[0].blob } : try self.leafSubtrees(level, positions)
        }
    }

    /// The roots of subtrees of `level`, computed from their leaves.
    private func leafSubtrees(_ level: Int, _ positions: Range<Int64>) throws(HistoryError) -> [[UInt8]] {
        var row: [[UInt8]] = []
        var leaf = positions.lowerBound << level
        let end = positions.upperBound << level
        var pending: [[UInt8]] = []
        while leaf < end {
            let rows = try store.rows(
                "SELECT hash FROM ledger WHERE sequence > $1 AND sequence <= $2 ORDER BY sequence",
                [.integer(leaf), .integer(min(end, leaf + 4096))])
            if rows.isEmpty { return row }
            leaf += Int64(rows.count)
            pending += rows.map { $0[0].blob }
            while pending.count >= 1 << level {
                row.append(Self.root(ofPerfect: Array(pending.prefix(1 << level))))
                pending.removeFirst(1 << level)
            }
        }
        return row
    }

    private static func root(ofPerfect leaves: [[UInt8]]) -> [UInt8] {
        var row = leaves
        while row.count > 1 {
            row = stride(from: 0, to: row.count, by: 2).map { MerkleTree.hash(row[$0], row[$0 + 1]) }
        }
        return row[0]
    }

    /// Adds the missing stored subtrees to a ledger of an earlier version, in pages, each in its own transaction.
    func backfillNodes(through size: Int64) throws(HistoryError) {
        let width = Int64(1) << MerkleTree.nodeLevels
        let last = try store.rows(
            "SELECT max(position) FROM tree_node WHERE level = \(MerkleTree.nodeLevels)"
        ).first?.first
        let known: Int64 = if case .integer(let position) = last { position + 1 } else { 0 }
        guard known < size / width else { return }
        // The levels above need all subtrees from the first one, so all are computed again.
        var tree = MerkleTree()
        var nodes: [MerkleTree.Node] = []
        while tree.size < size / width * width {
            let rows = try store.rows(
                "SELECT hash FROM ledger WHERE sequence > $1 AND sequence <= $2 ORDER BY sequence",
                [.integer(tree.size), .integer(tree.size + 4096)])
            if rows.isEmpty { return }
            for row in rows { tree.append(leafHash: row[0].blob, completing: &nodes) }
        }
        for start in stride(from: 0, to: nodes.count, by: 10_000) {
            let page = nodes[start..<min(nodes.count, start + 10_000)]
            try store.transaction { () throws(HistoryError) in
                for node in page { try keep(node) }
            }
        }
    }

    private func keep(_ node: MerkleTree.Node) throws(HistoryError) {
        _ = try store.change(
            "INSERT INTO tree_node (level, position, hash) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            [.integer(Int64(node.level)), .integer(node.position), .blob(node.hash)])
    }
}
