internal import Database
internal import Glibc
internal import JSON
internal import Runtime
internal import TLS

extension LedgerAudit {
    /// The result of ``archive(in:keeping:baseAfter:)``.
    public struct ArchiveResult: Equatable, Sendable {
        /// The new backup; `nil` where nothing was added to the ledger since the last one.
        public var added: LedgerBackup?
        /// Names of the backups that were removed.
        public var removed: [String]
    }

    /// Writes a backup of the ledger below `directory`. The ledger may be in use: one transaction reads everything.
    ///
    /// - Parameter isBase: whether all entries are written, not only those since the last backup.
    /// - Returns: the backup; `nil` where there is nothing new.
    public func backup(to directory: String, isBase: Bool = false) throws(HistoryError) -> LedgerBackup? {
        try backup(to: directory, isBase: isBase, now: SystemClock.wallMilliseconds())
    }

    private func backup(to directory: String, isBase: Bool, now: Int64) throws(HistoryError) -> LedgerBackup? {
        let ledger = try openLedger()
        guard unsafe mkdir(directory, 0o700) == 0 || errno == EEXIST else {
            throw .file("make the directory", directory)
        }
        try ledger.store.run(
            ledger.store.isPostgres ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" : "BEGIN")
        let head = try ledger.head()
        let former = try LedgerBackup.all(in: directory).last { $0.origin == head.origin && $0.through <= head.size }
        if let former, !isBase {
            guard try continues(ledger, head, former) else {
                throw HistoryError(
                    .invalid, "the ledger does not continue the backup \(former.name): make a base with --full")
            }
            if former.through == head.size { return nil }
        }
        var backup = LedgerBackup(head, after: isBase ? nil : former, at: now)
        backup.checkpoint = try note(over: head, of: ledger)
        for row in try ledger.store.rows("SELECT identity, sequence FROM spool") {
            backup.spools[row[0].text] = row[1].integer
        }
        let partial = "\(directory)/.\(backup.name).partial"
        try HistoryFile.removeDirectory(partial)
        try export(ledger, after: backup.from, through: backup.through, to: partial)
        try HistoryFile.write(backup.json.encoded + "\n", to: "\(partial)/\(LedgerBackup.file)")
        try ledger.store.run("COMMIT")
        guard unsafe rename(partial, "\(directory)/\(backup.name)") == 0 else { throw .file("rename", partial) }
        return backup
    }

    private func continues(
        _ ledger: Ledger, _ head: LedgerHead, _ backup: LedgerBackup
    ) throws(HistoryError) -> Bool {
        guard let root = Base64.bytes(backup.root) else { return false }
        let known = Checkpoint(origin: backup.origin, size: backup.through, root: root)
        return try ledger.continuity(head, since: known) == .continues
    }

    private func note(over head: LedgerHead, of ledger: Ledger) throws(HistoryError) -> String? {
        guard head.size > 0, let key = try memory.signingKey() else { return try ledger.newestNote() }
        return try NoteSigner(name: head.origin, key: key).note(head.checkpoint)
    }

    /// Makes the backup of a day: an increment, or a base where there is none or the last one is old; then removes what
    /// is older than `keeping`.
    ///
    /// - Parameters:
    ///   - keeping: how long backups are kept, in milliseconds. A base stays as long as an increment that needs it.
    ///   - baseAfter: the age of the last base, in milliseconds, at which a new one is made.
    public func archive(
        in directory: String, keeping: Int64, baseAfter: Int64 = 30 * 86_400_000
    ) throws(HistoryError) -> ArchiveResult {
        try archive(in: directory, keeping: keeping, baseAfter: baseAfter, now: SystemClock.wallMilliseconds())
    }

    func archive(
        in directory: String, keeping: Int64, baseAfter: Int64, now: Int64
    ) throws(HistoryError) -> ArchiveResult {
        let present = unsafe access(directory, F_OK) == 0 ? try LedgerBackup.all(in: directory) : []
        let base = present.last { $0.parent == nil }
        let needsBase = base.map { now - $0.createdAt >= baseAfter } ?? true
        let added = try backup(to: directory, isBase: needsBase, now: now)
        let all = try LedgerBackup.all(in: directory)
        var needed: Set<String> = []
        for backup in all where now - backup.createdAt < keeping || backup == all.last {
            for member in try LedgerBackup.chain(to: backup, of: all) { needed.insert(member.name) }
        }
        let removed = all.map(\.name).filter { !needed.contains($0) }
        for name in removed { try HistoryFile.removeDirectory("\(directory)/\(name)") }
        return ArchiveResult(added: added, removed: removed)
    }

    /// Puts the ledger of a backup and all before it into the configured database, which must hold none, and verifies
    /// it.
    ///
    /// Texts that were erased up to the backup are not brought back.
    ///
    /// - Parameters:
    ///   - name: the last backup of the chain; `nil` for the newest one.
    ///   - trust: the keys to believe; by default those of the history's directory, or else those in the backup, which
    ///     proves only that it is consistent with itself.
    public func restore(
        from directory: String, backup name: String? = nil, _ trust: Trust = Trust()
    ) throws(HistoryError) -> LedgerReport {
        let all = try LedgerBackup.all(in: directory)
        guard let last = name.map({ name in all.first { $0.name == name } }) ?? all.last else {
            throw HistoryError(.invalid, "\(directory) holds no backup\(name.map { " \($0)" } ?? "")")
        }
        guard last.origin == configuration.origin else {
            throw HistoryError(
                .invalid, "the backup is of \"\(last.origin)\", the configuration is of \"\(configuration.origin)\"")
        }
        let chain = try LedgerBackup.chain(to: last, of: all)
        if case .sqlite = configuration.database {
            guard unsafe mkdir(configuration.directory, 0o700) == 0 || errno == EEXIST else {
                throw .file("make the directory", configuration.directory)
            }
        }
        let store = try configuration.openStore()
        let ledger = Ledger(store: store)
        guard try ledger.headIfPresent() == nil else {
            throw HistoryError(.invalid, "the database holds a ledger already: restore into an empty one")
        }
        try store.createSchema(now: SystemClock.wallMilliseconds())
        var restorer = LedgerRestorer(ledger, origin: last.origin)
        for backup in chain { try restorer.collectErasures("\(directory)/\(backup.name)") }
        for backup in chain { try restorer.add("\(directory)/\(backup.name)", backup) }
        try restorer.finish(last)
        var trust = trust
        if trust.publicKeys.isEmpty, trust.rootKey == nil, try memory.signingKey() == nil {
            let keys = FileText.read("\(directory)/\(last.name)/\(LedgerExport.publicKey)") ?? ""
            trust.publicKeys = keys.split(separator: "\n").map(String.init)
        }
        if let checkpoint = last.checkpoint { trust.checkpoints.append(checkpoint) }
        return try verify(trust)
    }
}
