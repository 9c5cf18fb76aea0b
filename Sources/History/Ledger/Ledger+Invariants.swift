internal import Database

extension Ledger {
    /// The first broken invariant of the positions in the database; `nil` while all hold.
    ///
    /// Reads a few rows only. The database can be changed by others, so a broken invariant is reported and never traps.
    func checkInvariants() throws(HistoryError) -> String? {
        let head = try head()
        let last = try store.rows("SELECT sequence, hash FROM ledger ORDER BY sequence DESC LIMIT 1").first
        let (sequence, hash) = (last?[0].integer ?? 0, last?[1].blob ?? [])
        if sequence != head.size { return "the head counts \(head.size) entries, but the last one is \(sequence)" }
        if hash != head.previous { return "the head does not have the hash of entry \(sequence)" }
        let series = try number("SELECT max(id) FROM series")
        if series >= head.nextSeries { return "series \(series) exists, but the next one would be \(head.nextSeries)" }
        let signed = try number("SELECT max(size) FROM checkpoint")
        if signed > head.size { return "a checkpoint covers \(signed) entries of \(head.size)" }
        let width = Int64(1) << MerkleTree.nodeLevels
        let nodes = try number("SELECT max(position) + 1 FROM tree_node WHERE level = \(MerkleTree.nodeLevels)")
        if nodes != head.size / width { return "\(nodes) subtrees are kept for \(head.size) entries" }
        let batch = try number("SELECT max(batch) FROM \(store.isPostgres ? "sample" : "measurement")")
        if batch > head.size { return "measurements name the entry \(batch) of \(head.size)" }
        return nil
    }

    private func number(_ query: String) throws(HistoryError) -> Int64 {
        try store.rows(query).first?.first?.integer ?? 0
    }
}
