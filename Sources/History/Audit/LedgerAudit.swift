internal import Database
internal import Glibc
internal import JSON
internal import Runtime
internal import TLS

/// Examines and exports the ledger, and keeps its schema: what `tribune audit` and `tribune db` do.
///
/// Works beside a running Tribune, whose database it only reads, but for migrations.
public struct LedgerAudit: Sendable {
    private let configuration: HistoryConfiguration

    private static let pageLimit = 1000
    /// Measurements held in memory at a time, about.
    private static let sampleLimit: Int64 = 200_000

    /// The audit of the history that `configuration` describes.
    public init(_ configuration: HistoryConfiguration) {
        self.configuration = configuration
    }

    /// Recomputes every hash and root, checks every checkpoint and batch of measurements.
    ///
    /// - Parameter publicKey: the key to trust, as `name+id+key`; by default that of the history's directory.
    public func verify(publicKey: String? = nil) throws(HistoryError) -> LedgerReport {
        // What grows while we read must not seem missing: first the checkpoint beside the database, then the head, then entries.
        let local = localCheckpoint()
        let ledger = try openLedger()
        let head = try ledger.head()
        var verifier = LedgerVerifier(verifier: try key(publicKey))
        for row in try ledger.rows(ofKind: .retention) { verifier.expectRetention(row) }
        var notes = PagedNotes(ledger, beside: local)
        try notes.forEach(through: 0) { verifier.checkpoint($0.note, size: $0.size) }
        try forEachPage(of: ledger, through: head.size) { (rows) throws(HistoryError) in
            for row in rows {
                verifier.entry(row)
                try notes.forEach(through: row.sequence) { verifier.checkpoint($0.note, size: $0.size) }
            }
            guard let first = rows.first?.sequence, let last = rows.last?.sequence else { return }
            verifier.measurements(try ledger.measurements(of: first...last))
        }
        try ledger.checkStrays(after: head.size, &verifier)
        try notes.forEach(through: max(head.size, local?.size ?? 0)) { verifier.checkpoint($0.note, size: $0.size) }
        verifier.head(head)
        return verifier.finish()
    }

    /// The checkpoint kept outside of the database, which tells when the ledger's end was cut off with its checkpoints.
    private func localCheckpoint() -> (size: Int64, note: String)? {
        guard let note = FileText.read(configuration.checkpointPath), let body = NoteVerifier.parts(of: note)?.body,
            let checkpoint = Checkpoint(body: body)
        else { return nil }
        return (checkpoint.size, note)
    }

    /// Writes the ledger as files into `directory`, which is made and must not be there.
    ///
    /// - Returns: the number of entries written.
    @discardableResult
    public func export(to directory: String) throws(HistoryError) -> Int64 {
        let ledger = try openLedger()
        let head = try ledger.head()
        let key = try key(nil)
        guard unsafe mkdir(directory, 0o755) == 0 else { throw .file("make the directory", directory) }
        let leaves = try LineWriter(path: "\(directory)/\(LedgerExport.leaves)")
        let hashes = try LineWriter(path: "\(directory)/\(LedgerExport.hashes)")
        let checkpoints = try LineWriter(path: "\(directory)/\(LedgerExport.checkpoints)")
        let measurements = try LineWriter(path: "\(directory)/\(LedgerExport.measurements)")
        let keyFile = try LineWriter(path: "\(directory)/\(LedgerExport.publicKey)")
        try forEachPage(of: ledger, through: head.size) { (rows) throws(HistoryError) in
            for row in rows {
                try leaves.write(row.leaf)
                try hashes.write(Hexadecimal.text(row.hash))
            }
            guard let first = rows.first?.sequence, let last = rows.last?.sequence else { return }
            let batches = try ledger.measurements(of: first...last)
            for (sequence, batch) in batches.sorted(by: { $0.key < $1.key }) {
                for sample in batch.samples {
                    try measurements.write(LedgerExport.line(of: batch, sample, sequence: sequence))
                }
            }
        }
        var notes = PagedNotes(ledger, beside: nil)
        try notes.forEach(through: head.size) { (size, note) throws(HistoryError) in
            let line: JSON = ["note": .string(note), "size": .integer(size)]
            try checkpoints.write(line.encoded)
        }
        try keyFile.write(key.text)
        for file in [leaves, hashes, checkpoints, measurements, keyFile] { try file.finish() }
        return head.size
    }

    /// Examines an export without any database.
    ///
    /// - Parameter publicKey: the key to trust, as `name+id+key`; by default the one in the export, which proves only that the
    ///   export is consistent with itself.
    public static func verify(export directory: String, publicKey: String? = nil) throws(HistoryError) -> LedgerReport {
        let enclosed = try LineReader(path: "\(directory)/\(LedgerExport.publicKey)").next()
        let keyText = publicKey ?? enclosed ?? ""
        var verifier = LedgerVerifier(verifier: try NoteVerifier(text: keyText))
        let retention = try LineReader(path: "\(directory)/\(LedgerExport.leaves)")
        while let leaf = try retention.next() {
            if leaf.contains(#""kind":"retention""#), let row = LedgerRow(leaf: leaf, hash: []) {
                verifier.expectRetention(row)
            }
        }
        let leaves = try LineReader(path: "\(directory)/\(LedgerExport.leaves)")
        let hashes = try LineReader(path: "\(directory)/\(LedgerExport.hashes)")
        var batches = try ExportedBatches(path: "\(directory)/\(LedgerExport.measurements)")
        var notes = try ExportedNotes(path: "\(directory)/\(LedgerExport.checkpoints)")
        while let leaf = try leaves.next() {
            let hash = try hashes.next().flatMap { Hexadecimal.bytes($0) } ?? []
            guard let row = LedgerRow(leaf: leaf, hash: hash) else {
                let line = verifier.nextSequence
                verifier.entry(
                    LedgerRow(sequence: line, milliseconds: 0, kind: "", subject: "", leaf: leaf, hash: hash))
                continue
            }
            verifier.entry(row)
            try notes.forEach(through: row.sequence) { verifier.checkpoint($0, size: $1) }
            verifier.measurements(try batches.take(through: row.sequence))
        }
        if try hashes.next() != nil {
            let next = verifier.nextSequence
            verifier.problem(next...next, "removed: its hash is still there")
        }
        verifier.measurements(try batches.take(through: .max))
        try notes.forEach(through: .max) { verifier.checkpoint($0, size: $1) }
        return verifier.finish()
    }

    /// Brings the schema to this program's version; returns the steps applied, as `1 ledger`.
    public func migrate() throws(HistoryError) -> [String] {
        try configuration.check()
        let store = try configuration.openStore()
        return try store.migrate(origin: configuration.origin, now: SystemClock.wallMilliseconds())
            .map { "\($0.version) \($0.name)" }
    }

    /// Undoes the last schema step; returns it, or `nil` where there is none. The ledger itself is never thrown away.
    ///
    /// - Parameter discarding: whether the measurements that the step's tables hold may go.
    public func rollback(discarding: Bool = false) throws(HistoryError) -> String? {
        let store = try configuration.openStore()
        let migrator = store.migrator(origin: configuration.origin, now: SystemClock.wallMilliseconds())
        do throws(DatabaseError) {
            return try migrator.rollback(discarding: discarding).map { "\($0.version) \($0.name)" }
        } catch {
            throw HistoryError(error)
        }
    }

    /// Fails unless the schema is that of this program, in place and unchanged.
    public func verifySchema() throws(HistoryError) {
        try configuration.openReadingStore().verifySchema()
    }

    private func openLedger() throws(HistoryError) -> Ledger {
        let store = try configuration.openReadingStore()
        try store.verifySchema()
        return Ledger(store: store)
    }

    private func key(_ text: String?) throws(HistoryError) -> NoteVerifier {
        if let text { return try NoteVerifier(text: text) }
        guard unsafe access(configuration.keyPath, F_OK) == 0 else {
            throw HistoryError(.file, "no signing key in \(configuration.directory): name the public key to trust")
        }
        let key = try SigningKeyFile.load(configuration.keyPath)
        return NoteVerifier(name: configuration.origin, key: key.verificationKey)
    }

    private func forEachPage(
        of ledger: Ledger, through last: Int64, _ body: ([LedgerRow]) throws(HistoryError) -> Void
    ) throws(HistoryError) {
        var position = Int64.min
        while position < last {
            let rows = try ledger.rows(after: position, limit: Self.pageLimit).filter { $0.sequence <= last }
            guard let end = rows.last?.sequence else { return }
            var slice: [LedgerRow] = []
            var samples: Int64 = 0
            for row in rows {
                slice.append(row)
                samples += row.claimedSamples
                if samples < Self.sampleLimit { continue }
                try body(slice)
                slice = []
                samples = 0
            }
            if !slice.isEmpty { try body(slice) }
            position = end
        }
    }
}
