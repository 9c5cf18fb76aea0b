internal import Database
internal import JSON

/// The relation of a database to a checkpoint seen before.
enum Continuity: Equatable, Sendable {
    /// It has all entries of the checkpoint and perhaps more.
    case continues
    /// It has fewer entries.
    case isBehind(size: Int64)
    /// It has enough entries, but different ones.
    case isForked
}

extension Ledger {
    /// Compares the ledger with a checkpoint that was seen before, by a consistency proof from the checkpoint to the
    /// head.
    func continuity(_ head: LedgerHead?, since known: Checkpoint) throws(HistoryError) -> Continuity {
        guard let head else { return known.size == 0 ? .continues : .isBehind(size: 0) }
        if head.size < known.size { return .isBehind(size: head.size) }
        let path: [[UInt8]]
        do throws(HistoryError) {
            path = try merkleReader().consistency(from: known.size, to: head.size)
        } catch {
            if error.code == .unreachable { throw error }
            return .isForked
        }
        let isConsistent = MerkleProof.isConsistent(
            known.size, known.root, with: head.size, head.tree.root, path: path)
        return isConsistent ? .continues : .isForked
    }

    /// The keys listed in the database.
    func nodeKeys() throws(HistoryError) -> [NodeKey] {
        try store.rows("SELECT key, node, first_size, certificate FROM node_key ORDER BY first_size, key").map {
            NodeKey(key: $0[0].text, node: $0[1].text, firstSize: $0[2].integer, certificate: $0[3].text)
        }
    }

    /// Lists `key` and records it in an entry, within the caller's transaction.
    func add(_ key: NodeKey, now: Int64, head: inout LedgerHead) throws(HistoryError) {
        let event = LedgerEvent(
            milliseconds: now, kind: .nodeKey, subject: key.node,
            body: [
                "certificate": .string(key.certificate), "first_size": .integer(key.firstSize), "key": .string(key.key),
            ])
        try append([PendingEvent(event)], to: &head)
        try store.insert(
            into: "node_key", columns: ["key", "node", "first_size", "certificate"],
            [[.text(key.key), .text(key.node), .integer(key.firstSize), .text(key.certificate)]])
    }

    /// The newest signed note.
    func newestNote() throws(HistoryError) -> String? {
        try store.rows("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1").first?.first?.text
    }
}
