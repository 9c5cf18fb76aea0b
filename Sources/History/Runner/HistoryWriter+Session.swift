internal import Database
internal import Durable
internal import JSON
internal import Runtime
internal import Synchronization
internal import TLS

extension HistoryWriter {
    /// The state of a connection.
    struct Session {
        var ledger: Ledger
        var head: LedgerHead
        var reader: SpoolReader
        var signer: NoteSigner
        /// When the database was last compared with the largest checkpoint seen, on the monotonic clock.
        var checkedContinuity: Int64
        /// Hours with measurements whose rollup is due, in milliseconds since the epoch.
        var dueHours: Set<Int64> = []
        /// When the rollups were last updated, on the monotonic clock.
        var rolledUp: Int64 = .min / 2
    }

    /// Opens the database, and takes the ledger over if this node may write to it.
    ///
    /// Nothing is written, not even the schema, before the record was compared with the node's last checkpoint.
    func connect(_ epoch: inout Int64?) throws(HistoryError) -> Session {
        let store = try openStore()
        let ledger = Ledger(store: store)
        let present = try ledger.headIfPresent()
        if let present, present.origin != configuration.origin {
            throw HistoryError(
                .invalid, "the database holds the ledger of \"\(present.origin)\", not of \"\(configuration.origin)\"")
        }
        let healing = try keeper.checkContinuity(ledger, present) { (known) throws(HistoryError) in
            try canHeal(ledger, present, to: known)
        }
        let signer = try keeper.signer()
        let now = SystemClock.wallMilliseconds()
        let migrated = healing ? [] : try store.migrate(origin: configuration.origin, now: now)
        for step in migrated { logger.info("schema step applied", ["version": step.version, "name": step.name]) }
        var head = try epoch == nil ? ledger.takeOver() : ledger.head()
        if let epoch, head.epoch != epoch {
            throw HistoryError(
                .fenced,
                "another process has taken the ledger over (epoch \(head.epoch), ours was \(epoch)); "
                    + "records stay in the spool until this process is restarted")
        }
        epoch = head.epoch
        if !healing {
            try ledger.backfillNodes(through: head.size)
            if try keeper.join(ledger, &head, signer, isNew: present == nil, now: now) {
                logger.warn("node joined a record of other nodes", ["key": signer.verifier.text])
            }
        }
        let position = try position(in: ledger)
        let signedSize = try store.rows("SELECT coalesce(max(size), 0) FROM checkpoint").first?.first?.integer ?? 0
        shared.withLock { shared in
            shared.applied = position
            shared.epoch = head.epoch
            shared.signedSize = signedSize
            shared.size = head.size
            shared.root = head.tree.root
            shared.isConnected = true
            shared.lastError = nil
            shared.halt = nil
            shared.publicKey = signer.verifier.text
        }
        logger.info("history connected", ["database": store.name, "entries": head.size, "epoch": head.epoch])
        if healing {
            logger.warn(
                "the database lacks signed entries; they are delivered again from the spool",
                ["entries": head.size, "expected": keeper.memory.largest?.checkpoint.size ?? 0])
        }
        return Session(
            ledger: ledger, head: head, reader: SpoolReader(directory: spool.directory), signer: signer,
            checkedContinuity: SystemClock.monotonicNanoseconds())
    }

    /// The position of this spool in the ledger.
    private func position(in ledger: Ledger) throws(HistoryError) -> UInt64 {
        let identity = spool.directory.identity
        let state = spool.state
        if let position = try ledger.position(ofSpool: identity) {
            guard position <= state.accepted else {
                throw HistoryError(
                    .malformed,
                    "the ledger holds record \(position) of a spool that ends at \(state.accepted): "
                        + "the directory was restored from an old copy; rename \(spool.directory.path)")
            }
            return position
        }
        // New to this database: deliver everything that was not delivered elsewhere.
        let position = max(spool.delivered, max(state.segments.first ?? 1, 1) - 1)
        try ledger.register(spool: identity, at: position)
        return position
    }

    /// Whether delivering the spool again from the database's position gives exactly the entries of the checkpoint.
    private func canHeal(
        _ ledger: Ledger, _ head: LedgerHead?, to known: Checkpoint
    ) throws(HistoryError) -> Bool {
        guard var head, try ledger.store.hasTable("node_key"),
            var position = try ledger.position(ofSpool: spool.directory.identity)
        else { return false }
        let state = spool.state
        guard position <= state.durable, (state.segments.first ?? 1) <= position + 1 else { return false }
        let reader = SpoolReader(directory: spool.directory)
        while head.size < known.size {
            let count = min(Self.batchLimit, Int(clamping: known.size - head.size))
            let records = try reader.records(
                after: position, through: state.durable, in: state.segments, count: count)
            guard let last = records.last?.sequence, records.first?.sequence == position + 1 else { return false }
            var payloads: [SpoolPayload] = []
            for record in records { payloads.append(try SpoolPayload(decoding: record.payload)) }
            _ = try LedgerRows(payloads, following: &head)
            position = last
        }
        return head.tree.root == known.root
    }

    /// Compares the database with the largest checkpoint seen, as at the start of a session.
    func recheck(_ session: inout Session, now: Int64) throws(HistoryError) {
        session.checkedContinuity = now
        _ = try keeper.checkContinuity(session.ledger, try session.ledger.head()) { [head = session.head] in
            // Entries that are delivered again after a repair.
            head.size < $0.size
        }
    }

    /// Reads the record that another process writes.
    func observe() {
        do throws(HistoryError) {
            let store = try configuration.openReadingStore()
            for key in try keeper.observe(Ledger(store: store)) {
                logger.warn("a node joined the record, its key is trusted from now on", ["key": key.text])
            }
            shared.withLock { shared in
                if shared.halt != nil { (shared.halt, shared.lastError) = (nil, nil) }
            }
        } catch {
            // An unreachable database is not reported by a standby; a record that lacks signed entries is.
            if error.code == .halted { failed(error) }
        }
    }
}
