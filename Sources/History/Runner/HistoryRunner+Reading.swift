internal import Durable
internal import JSON
internal import Runtime
internal import TLS

extension HistoryRunner {
    /// The entries that `query` asks for, newest first. Blocks until the database answers; spooled records are not
    /// included.
    public func query(_ query: LedgerQuery) throws(HistoryError) -> [LedgerEntry] {
        try reader.perform { (store) throws(HistoryError) in try Ledger(store: store).entries(query) }
    }

    /// The events that this node still holds in its spool, newest first, delivered or not: what can be shown without a
    /// database.
    ///
    /// Their sequence is 0 and they have no hash: an entry gets both in the database. Cursors are ignored.
    public func spooled(_ query: LedgerQuery) throws(HistoryError) -> [LedgerEntry] {
        let state = spool.state
        let reader = SpoolReader(directory: spool.directory)
        var found: [LedgerEntry] = []
        var position = (state.segments.first ?? 1) - 1
        while position < state.durable {
            let records = try reader.records(
                after: position, through: state.durable, in: state.segments, count: 1000)
            guard let last = records.last?.sequence else { break }
            for record in records {
                // A record that cannot be read becomes an entry of its own when it is delivered.
                guard case .some(let payload) = try? SpoolPayload(decoding: record.payload),
                    let entry = payload.event.unnumberedEntry, query.matches(entry.event)
                else { continue }
                found.append(entry)
            }
            position = last
        }
        return found.suffix(min(max(query.limit, 1), 10_000)).reversed()
    }

    /// The newest signed checkpoint.
    public func checkpoint() throws(HistoryError) -> String {
        try reader.perform { (store) throws(HistoryError) in
            guard let note = try Ledger(store: store).newestNote() else {
                throw HistoryError(.invalid, "there is no checkpoint yet")
            }
            return note
        }
    }

    /// The proof that entry `sequence` is in the record of the newest checkpoint.
    public func proof(of sequence: Int64) throws(HistoryError) -> LedgerProof {
        try reader.perform { (store) throws(HistoryError) in try Ledger(store: store).proof(of: sequence) }
    }

    /// The hashes, in base64, that show that the record of `size` entries continues the one of `old` entries.
    public func consistencyProof(from old: Int64, to size: Int64) throws(HistoryError) -> [String] {
        try reader.perform { (store) throws(HistoryError) in
            let ledger = Ledger(store: store)
            guard old > 0, size <= (try ledger.head().size) else {
                throw HistoryError(.invalid, "the ledger does not hold \(size) entries")
            }
            return try ledger.merkleReader().consistency(from: old, to: size).map { Base64.text($0) }
        }
    }

    /// The hashes of a tile of C2SP tlog-tiles: up to 256 hashes of `level` from position 256 · `index` on, one after
    /// the other.
    public func tile(level: Int, index: Int64) throws(HistoryError) -> [UInt8] {
        guard (0...7).contains(level), index >= 0, index < 1 << 40 else {
            throw HistoryError(.invalid, "there is no tile \(level)/\(index)")
        }
        return try reader.perform { (store) throws(HistoryError) in
            let ledger = Ledger(store: store)
            let shift = level * MerkleTree.nodeLevels
            let count = try ledger.head().size >> shift
            let positions = index * 256..<max(index * 256, min(index * 256 + 256, count))
            return try Array(ledger.merkleReader().hashes(shift, positions).joined())
        }
    }
}

extension PendingEvent {
    /// The event as an entry that has no place in the ledger yet.
    var unnumberedEntry: LedgerEntry? {
        var texts: [[UInt8]: String] = [:]
        for disclosure in disclosures { texts[disclosure.commitment] = disclosure.text }
        var entry = row(sequence: 0, previous: []).entry(texts)
        entry?.hash = ""
        entry?.leaf = ""
        return entry
    }
}

extension LedgerQuery {
    /// Whether `event` fits, apart from cursors and limits.
    func matches(_ event: LedgerEvent) -> Bool {
        (kinds.isEmpty || kinds.contains(event.kind)) && (subject == nil || subject == event.subject)
            && (service == nil || service == event.service || includesNone && event.service == nil)
            && (incident == nil || incident == event.incident) && event.milliseconds >= from ?? .min
            && event.milliseconds <= through ?? .max
            && (text.map { event.subject.contains($0) || event.body.encoded.contains($0) } ?? true)
    }
}
