internal import Database
internal import Glibc
internal import JSON
internal import Runtime
internal import TLS

/// Verifies and exports the ledger, and maintains its schema: the work of `tribune audit` and `tribune db`.
///
/// Works while Tribune runs. It only reads the database, except for migrations, erasures and acknowledged gaps.
public struct LedgerAudit: Sendable {
    let configuration: HistoryConfiguration

    /// The approximate limit of measurements in memory.
    private static let sampleLimit: Int64 = 200_000

    /// The audit of the history in `configuration`.
    public init(_ configuration: HistoryConfiguration) {
        self.configuration = configuration
    }

    var memory: NodeMemory { NodeMemory(directory: configuration.directory) }

    /// The trusted keys and checkpoints of an audit.
    public struct Trust: Sendable {
        /// Trusted keys, as `name+id+key`; empty for those in the history's directory.
        public var publicKeys: [String]
        /// The key whose certificates are trusted, as `name+id+key`.
        public var rootKey: String?
        /// Notes of earlier checkpoints, which the record must continue.
        public var checkpoints: [String]

        /// Trusts `publicKeys` or, if empty, the keys of the history's directory.
        public init(publicKeys: [String] = [], rootKey: String? = nil, checkpoints: [String] = []) {
            self.publicKeys = publicKeys
            self.rootKey = rootKey
            self.checkpoints = checkpoints
        }
    }

    /// Recomputes every hash and root, and checks every checkpoint, batch of measurements, text and content.
    public func verify(_ trust: Trust = Trust()) throws(HistoryError) -> LedgerReport {
        guard let report = try verify(trust, pageLimit: 1000, proceed: { _ in true }) else {
            throw HistoryError(.invalid, "the verification was stopped")
        }
        return report
    }

    /// Verifies page by page.
    ///
    /// - Parameter proceed: called after each page with its number of entries; false ends the verification.
    /// - Returns: `nil` if `proceed` ended the verification.
    func verify(
        _ trust: Trust = Trust(), pageLimit: Int, proceed: (Int) -> Bool
    ) throws(HistoryError) -> LedgerReport? {
        // Entries added during the verification must not seem to be missing: first the outside checkpoints are read,
        // then the head, then the entries.
        let outside = try outsideNotes(trust)
        let ledger = try openLedger()
        let head = try ledger.head()
        var verifier = LedgerVerifier(trusted: try trustedKeys(trust, ledger))
        for kind in [LedgerEvent.Kind.retention, .erasure] {
            for row in try ledger.rows(ofKind: kind) { verifier.expectRemoval(row) }
        }
        var notes = PagedNotes(ledger, outside: outside)
        try notes.forEach(through: 0) { verifier.checkpoint($1, size: $0, isOutside: $2) }
        let isComplete = try forEachPage(of: ledger, through: head.size, limit: pageLimit) {
            (rows) throws(HistoryError) in
            for row in rows {
                verifier.entry(row)
                try notes.forEach(through: row.sequence) { verifier.checkpoint($1, size: $0, isOutside: $2) }
            }
            if let first = rows.first?.sequence, let last = rows.last?.sequence, first <= last {
                try check(first...last, of: ledger, &verifier)
            }
            return proceed(rows.count)
        }
        guard isComplete else { return nil }
        try ledger.checkStrays(after: head.size, &verifier)
        let last = outside.map(\.size).max() ?? 0
        try notes.forEach(through: max(head.size, last)) { verifier.checkpoint($1, size: $0, isOutside: $2) }
        verifier.head(head)
        return verifier.finish()
    }

    /// Compares the data stored next to the entries in `sequences` with them.
    private func check(
        _ sequences: ClosedRange<Int64>, of ledger: Ledger, _ verifier: inout LedgerVerifier
    ) throws(HistoryError) {
        verifier.measurements(try ledger.measurements(of: sequences))
        verifier.disclosures(try ledger.disclosures(of: sequences))
        for (sequence, hash) in verifier.takeBlobs() {
            verifier.blob(try ledger.blob(hash), hash: hash, sequence: sequence)
        }
        for node in verifier.takeNodes() { verifier.node(node, stored: try ledger.hash(of: node)) }
    }

    /// The checkpoints stored outside of the database: this node's own, and those given by the caller.
    private func outsideNotes(_ trust: Trust) throws(HistoryError) -> [(size: Int64, note: String)] {
        var notes = try LedgerAudit.sized(trust.checkpoints)
        if let largest = memory.largest { notes.append((largest.checkpoint.size, largest.note)) }
        return notes
    }

    static func sized(_ notes: [String]) throws(HistoryError) -> [(size: Int64, note: String)] {
        var sized: [(size: Int64, note: String)] = []
        for note in notes {
            guard let body = NoteVerifier.parts(of: note)?.body, let checkpoint = Checkpoint(body: body) else {
                throw HistoryError(.malformed, "the checkpoint to compare with is not a signed note")
            }
            sized.append((checkpoint.size, note))
        }
        return sized
    }

    /// Applies missing steps of the schema; returns them, as `1 ledger`.
    public func migrate() throws(HistoryError) -> [String] {
        try configuration.check()
        let store = try configuration.openStore()
        return try store.migrate(origin: configuration.origin, now: SystemClock.wallMilliseconds())
            .map { "\($0.version) \($0.name)" }
    }

    /// The steps that ``migrate()`` would apply, with their scripts. Changes nothing.
    public func pendingMigrations() throws(HistoryError) -> [(name: String, script: String)] {
        let store: LedgerStore
        if case .sqlite(let path) = configuration.database,
            unsafe access(path ?? configuration.directory + "/history.db", F_OK) != 0
        {
            store = try .sqlite(path: ":memory:")
        } else {
            store = try configuration.openReadingStore()
        }
        do throws(DatabaseError) {
            return try store.migrator(origin: configuration.origin, now: 0).pending()
                .map { ("\($0.version) \($0.name)", $0.up) }
        } catch {
            throw HistoryError(error)
        }
    }

    /// Undoes the last schema step; returns it, or `nil` if there is none. The ledger itself is never deleted.
    ///
    /// - Parameter discarding: whether the data in the step's tables may be lost.
    public func rollback(discarding: Bool = false) throws(HistoryError) -> String? {
        let store = try configuration.openStore()
        let migrator = store.migrator(origin: configuration.origin, now: SystemClock.wallMilliseconds())
        do throws(DatabaseError) {
            return try migrator.rollback(discarding: discarding).map { "\($0.version) \($0.name)" }
        } catch {
            throw HistoryError(error)
        }
    }

    /// Fails unless the schema equals that of this program.
    public func verifySchema() throws(HistoryError) {
        try configuration.openReadingStore().verifySchema()
    }

    func openLedger() throws(HistoryError) -> Ledger {
        let store = try configuration.openReadingStore()
        try store.checkVersion()
        return Ledger(store: store)
    }

    /// The trusted keys: the given ones, or those of the history's directory, and those certified by a root key.
    func trustedKeys(_ trust: Trust, _ ledger: Ledger?) throws(HistoryError) -> TrustedKeys {
        var keeper = RecordKeeper(configuration)
        if let text = trust.rootKey {
            var changed = configuration
            changed.rootKey = try NoteVerifier(text: text)
            keeper = RecordKeeper(changed)
        }
        var trusted = try keeper.trusted(ledger)
        if !trust.publicKeys.isEmpty || trust.rootKey != nil { trusted.keys = [] }
        for text in trust.publicKeys { trusted.trust(try NoteVerifier(text: text)) }
        guard !trusted.keys.isEmpty || !trusted.certificates.isEmpty || trust.rootKey != nil else {
            throw HistoryError(.file, "no signing key in \(configuration.directory): specify the public key to trust")
        }
        return trusted
    }

    /// Calls `body` with pages of entries after `first` up to `last` until it returns false. Returns whether all were
    /// read.
    func forEachPage(
        of ledger: Ledger, after first: Int64 = .min, through last: Int64, limit: Int,
        _ body: ([LedgerRow]) throws(HistoryError) -> Bool
    ) throws(HistoryError) -> Bool {
        var position = first
        while position < last {
            let rows = try ledger.rows(after: position, limit: limit).filter { $0.sequence <= last }
            guard let end = rows.last?.sequence else { return true }
            var slice: [LedgerRow] = []
            var samples: Int64 = 0
            for row in rows {
                slice.append(row)
                samples += row.claimedSamples
                if samples < Self.sampleLimit { continue }
                guard try body(slice) else { return false }
                slice = []
                samples = 0
            }
            if !slice.isEmpty, try !body(slice) { return false }
            position = end
        }
        return true
    }
}
