internal import Runtime
internal import Synchronization
internal import TLS

extension HistoryRunner {
    /// The entries selected by `query`, newest first. Blocks until the database responds; spooled records are not
    /// included.
    public func query(_ query: LedgerQuery) throws(HistoryError) -> [LedgerEntry] {
        try reader.perform { (store) throws(HistoryError) in try Ledger(store: store).entries(query) }
    }

    /// The newest measurement of each series with the label `service` of the last five minutes. Blocks until the
    /// database answers.
    public func latestMeasurements(of service: String) throws(HistoryError) -> [Measurement] {
        let from = SystemClock.wallMilliseconds() - HotCache.latestSeconds * 1000
        return try reader.perform { (store) throws(HistoryError) in
            try Ledger(store: store).latest(of: service, from: from)
        }
    }

    /// The days of services between two instants, in milliseconds since the epoch: violations, rollbacks and daily
    /// rollups. Blocks until the database answers.
    ///
    /// - Parameter service: only this service; `nil` for all.
    /// - Throws: ``HistoryError/Code/tooMuch`` if it is more than one answer may have.
    public func serviceDays(
        from: Int64, through: Int64, service: String? = nil
    ) throws(HistoryError) -> [ServiceDay] {
        try reader.perform { (store) throws(HistoryError) in
            try Ledger(store: store).serviceDays(from: from, through: through, service: service)
        }
    }

    /// An evidence pack as a ZIP archive, whose files are in a folder `name`. Takes as long as a verification of the
    /// whole record; one at a time.
    ///
    /// - Throws: ``HistoryError/Code/tooMuch`` while another is being made, or if the pack would be too large.
    public func packArchive(_ scope: EvidenceScope, named name: String) throws(HistoryError) -> [UInt8] {
        try whilePacking { () throws(HistoryError) in
            let directory = configuration.directory + "/pack-\(SystemClock.monotonicNanoseconds())"
            return try LedgerAudit(configuration).packArchive(scope, named: name, by: directory)
        }
    }

    /// Calls `body` while no archive is being made.
    func whilePacking<Result>(_ body: () throws(HistoryError) -> Result) throws(HistoryError) -> Result {
        guard !isPacking.exchange(true, ordering: .acquiringAndReleasing) else {
            throw HistoryError(.tooMuch, "another evidence pack is being made; retry")
        }
        defer { isPacking.store(false, ordering: .releasing) }
        return try body()
    }

    /// The newest signed checkpoint.
    public func checkpoint() throws(HistoryError) -> String {
        try reader.perform { (store) throws(HistoryError) in try Ledger(store: store).requiredNote() }
    }

    /// The proof that entry `sequence` is in the record of the newest checkpoint.
    public func proof(of sequence: Int64) throws(HistoryError) -> LedgerProof {
        try reader.perform { (store) throws(HistoryError) in try Ledger(store: store).proof(of: sequence) }
    }

    /// The proof that the record continues the one of `old` entries.
    ///
    /// - Parameter size: the record's size; `nil` for that of the newest checkpoint.
    public func consistency(from old: Int64, to size: Int64? = nil) throws(HistoryError) -> ConsistencyProof {
        try reader.perform { (store) throws(HistoryError) in
            try Ledger(store: store).consistency(from: old, to: size)
        }
    }

    /// The concatenated hashes of a tile of C2SP tlog-tiles: up to 256 hashes of `level` from position 256 · `index`
    /// on.
    public func tile(level: Int, index: Int64) throws(HistoryError) -> [UInt8] {
        guard (0...7).contains(level), index >= 0, index < 1 << 40 else {
            throw HistoryError(.notFound, "there is no tile \(level)/\(index)")
        }
        return try reader.perform { (store) throws(HistoryError) in
            let ledger = Ledger(store: store)
            let shift = level * MerkleTree.nodeLevels
            let end = min(index * 256 + 256, try ledger.head().size >> shift)
            guard index * 256 < end else { throw HistoryError(.notFound, "there is no tile \(level)/\(index)") }
            return try Array(ledger.merkleReader().hashes(shift, index * 256..<end).joined())
        }
    }
}
