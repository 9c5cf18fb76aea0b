internal import Glibc
internal import JSON
internal import Runtime
internal import TLS

extension LedgerAudit {
    /// Writes the ledger as files into `directory`, which is created and must not exist.
    ///
    /// - Returns: the number of entries written.
    @discardableResult
    public func export(to directory: String) throws(HistoryError) -> Int64 {
        let ledger = try openLedger()
        let head = try ledger.head()
        try export(ledger, after: 0, through: head.size, to: directory)
        return head.size
    }

    /// Writes the entries after `first` up to `last` with everything that belongs to them.
    func export(
        _ ledger: Ledger, after first: Int64, through last: Int64, to directory: String
    ) throws(HistoryError) {
        let trusted = try trustedKeys(Trust(), ledger)
        guard unsafe mkdir(directory, 0o755) == 0 else { throw .file("create the directory", directory) }
        let writer = try LedgerExportWriter(directory)
        _ = try forEachPage(of: ledger, after: first, through: last, limit: 1000) { (rows) throws(HistoryError) in
            try writer.write(rows)
            guard let first = rows.first?.sequence, let last = rows.last?.sequence else { return true }
            try writer.write(try ledger.measurements(of: first...last))
            try writer.write(try ledger.disclosures(of: first...last))
            for hash in rows.flatMap({ LeafContent($0.leaf).map { BlobReference.hashes(in: $0.body) } ?? [] }) {
                if let content = try ledger.blob(hash) { try writer.write(blob: content, hash: hash) }
            }
            return true
        }
        var notes = PagedNotes(ledger, outside: [], after: first == 0 ? -1 : first)
        try notes.forEach(through: last) { (size, note, _) throws(HistoryError) in
            try writer.write(note: note, size: size)
        }
        try writer.finish(keys: trusted, certificates: try ledger.nodeKeys().map(\.certificate).filter { !$0.isEmpty })
    }

    /// Verifies an export without any database.
    ///
    /// - Parameter trust: the trusted keys; by default those in the export, which proves only that the export is
    ///   consistent with itself.
    public static func verify(export directory: String, _ trust: Trust = Trust()) throws(HistoryError) -> LedgerReport {
        var verifier = LedgerVerifier(trusted: try trustedKeys(ofExport: directory, trust))
        let removals = try LineReader(path: "\(directory)/\(LedgerExport.leaves)")
        while let leaf = try removals.next() {
            let isRemoval = leaf.contains(#""kind":"retention""#) || leaf.contains(#""kind":"erasure""#)
            if isRemoval, let row = LedgerRow(leaf: leaf, hash: MerkleTree.hash(leaf: Array(leaf.utf8))) {
                verifier.expectRemoval(row)
            }
        }
        let leaves = try LineReader(path: "\(directory)/\(LedgerExport.leaves)")
        let hashes = try LineReader(path: "\(directory)/\(LedgerExport.hashes)")
        var batches = try ExportedBatches(path: "\(directory)/\(LedgerExport.measurements)")
        var texts = try ExportedDisclosures(path: "\(directory)/\(LedgerExport.disclosures)")
        var notes = try ExportedNotes(path: "\(directory)/\(LedgerExport.checkpoints)")
        var outside = try sized(trust.checkpoints).sorted { $0.size < $1.size }[...]
        func check(through sequence: Int64, _ verifier: inout LedgerVerifier) throws(HistoryError) {
            try notes.forEach(through: sequence) { verifier.checkpoint($0, size: $1) }
            while let (size, note) = outside.first, size <= sequence {
                outside.removeFirst()
                verifier.checkpoint(note, size: size, isOutside: true)
            }
        }
        while let leaf = try leaves.next() {
            let hash = try hashes.next().flatMap { Hexadecimal.bytes($0) } ?? []
            let sequence = verifier.nextSequence
            let row =
                LedgerRow(leaf: leaf, hash: hash)
                ?? LedgerRow(sequence: sequence, milliseconds: 0, kind: "", subject: "", leaf: leaf, hash: hash)
            verifier.entry(row)
            try check(through: row.sequence, &verifier)
            verifier.measurements(try batches.take(through: row.sequence))
            verifier.disclosures(try texts.take(through: row.sequence))
            for (sequence, hash) in verifier.takeBlobs() {
                let path = "\(directory)/\(LedgerExport.blobs)/\(Hexadecimal.text(hash))"
                // A file that cannot be read counts as removed content.
                verifier.blob(try? FileText.bytes(path), hash: hash, sequence: sequence)
            }
            _ = verifier.takeNodes()
        }
        if try hashes.next() != nil {
            let next = verifier.nextSequence
            verifier.problem(next...next, "removed: its hash is still there")
        }
        verifier.measurements(try batches.take(through: .max))
        verifier.disclosures(try texts.take(through: .max))
        try check(through: .max, &verifier)
        return verifier.finish()
    }

    private static func trustedKeys(
        ofExport directory: String, _ trust: Trust
    ) throws(HistoryError) -> TrustedKeys {
        var trusted = TrustedKeys()
        for text in trust.publicKeys { trusted.trust(try NoteVerifier(text: text)) }
        if let text = trust.rootKey {
            let root = try NoteVerifier(text: text)
            let certificates = try LineReader(path: "\(directory)/\(LedgerExport.certificates)", isOptional: true)
            while let line = try certificates.next() {
                // A line that is not a certificate of this root adds no key.
                guard case .some(let json) = try? JSON(parsing: line), let note = json.text else { continue }
                if let certificate = KeyCertificate(note: note, root: root) { trusted.certificates.append(certificate) }
            }
            return trusted
        }
        guard trusted.keys.isEmpty else { return trusted }
        let enclosed = try LineReader(path: "\(directory)/\(LedgerExport.publicKey)")
        while let line = try enclosed.next() { trusted.trust(try NoteVerifier(text: line)) }
        guard !trusted.keys.isEmpty else { throw HistoryError(.malformed, "\(LedgerExport.publicKey) holds no key") }
        return trusted
    }
}

/// Writes the files of an export.
final class LedgerExportWriter {
    private let directory: String
    private let leaves: LineWriter
    private let hashes: LineWriter
    private let checkpoints: LineWriter
    private let measurements: LineWriter
    private let disclosures: LineWriter
    private var blobs: Set<[UInt8]> = []

    init(_ directory: String) throws(HistoryError) {
        self.directory = directory
        leaves = try LineWriter(path: "\(directory)/\(LedgerExport.leaves)")
        hashes = try LineWriter(path: "\(directory)/\(LedgerExport.hashes)")
        checkpoints = try LineWriter(path: "\(directory)/\(LedgerExport.checkpoints)")
        measurements = try LineWriter(path: "\(directory)/\(LedgerExport.measurements)")
        disclosures = try LineWriter(path: "\(directory)/\(LedgerExport.disclosures)")
    }

    func write(_ rows: [LedgerRow]) throws(HistoryError) {
        for row in rows {
            try leaves.write(row.leaf)
            try hashes.write(Hexadecimal.text(row.hash))
        }
    }

    func write(_ batches: [Int64: MeasurementBatch]) throws(HistoryError) {
        for (sequence, batch) in batches.sorted(by: { $0.key < $1.key }) {
            for sample in batch.samples {
                try measurements.write(LedgerExport.line(of: batch, sample, sequence: sequence))
            }
        }
    }

    func write(_ texts: [Int64: [Disclosure]]) throws(HistoryError) {
        for (sequence, texts) in texts.sorted(by: { $0.key < $1.key }) {
            for text in texts { try disclosures.write(LedgerExport.line(of: text, sequence: sequence)) }
        }
    }

    func write(blob content: [UInt8], hash: [UInt8]) throws(HistoryError) {
        guard blobs.insert(hash).inserted else { return }
        let folder = "\(directory)/\(LedgerExport.blobs)"
        guard unsafe mkdir(folder, 0o755) == 0 || errno == EEXIST else { throw .file("create the directory", folder) }
        let file = try LineWriter(path: "\(folder)/\(Hexadecimal.text(hash))")
        try file.write(bytes: content)
        try file.finish()
    }

    func write(note: String, size: Int64) throws(HistoryError) {
        let line: JSON = ["note": .string(note), "size": .integer(size)]
        try checkpoints.write(line.encoded)
    }

    func finish(keys: TrustedKeys, certificates: [String]) throws(HistoryError) {
        let keyFile = try LineWriter(path: "\(directory)/\(LedgerExport.publicKey)")
        try keyFile.write(keys.text)
        let certificateFile = try LineWriter(path: "\(directory)/\(LedgerExport.certificates)")
        for note in certificates { try certificateFile.write(JSON.string(note).encoded) }
        for file in [leaves, hashes, checkpoints, measurements, disclosures, keyFile, certificateFile] {
            try file.finish()
        }
    }
}
