internal import Database
internal import JSON
internal import Runtime
internal import TLS

/// Fills an empty ledger from the files of backups. Belongs to the thread of its store.
struct LedgerRestorer {
    private let ledger: Ledger
    private var head: LedgerHead
    private var erased: Set<[UInt8]> = []
    private var hours: Set<Int64> = []

    /// Entries added in one transaction.
    private static let pageLimit = 1000

    init(_ ledger: Ledger, origin: String) {
        self.ledger = ledger
        head = LedgerHead(origin: origin, epoch: 0, nextSeries: 1, previous: [], tree: MerkleTree())
    }

    /// Takes note of the texts that entries of a backup erase.
    mutating func collectErasures(_ directory: String) throws(HistoryError) {
        let leaves = try LineReader(path: "\(directory)/\(LedgerExport.leaves)")
        while let leaf = try leaves.next() {
            guard leaf.contains(#""kind":"erasure""#), let content = LeafContent(leaf) else { continue }
            for element in content.body["commitments"]?.elements ?? [] {
                if let bytes = element.text.flatMap({ Hexadecimal.bytes($0) }) { erased.insert(bytes) }
            }
        }
    }

    /// Adds the entries of a backup with everything that belongs to them.
    mutating func add(_ directory: String, _ backup: LedgerBackup) throws(HistoryError) {
        let leaves = try LineReader(path: "\(directory)/\(LedgerExport.leaves)")
        var batches = try ExportedBatches(path: "\(directory)/\(LedgerExport.measurements)")
        var texts = try ExportedDisclosures(path: "\(directory)/\(LedgerExport.disclosures)")
        var isAtEnd = false
        while !isAtEnd {
            var rows: [LedgerRow] = []
            var samples: Int64 = 0
            while rows.count < Self.pageLimit, samples < 200_000 {
                guard let leaf = try leaves.next() else {
                    isAtEnd = true
                    break
                }
                let expected = head.size + Int64(rows.count) + 1
                guard let row = LedgerRow(leaf: leaf, hash: MerkleTree.hash(leaf: Array(leaf.utf8))),
                    row.sequence == expected
                else { throw HistoryError(.malformed, "\(directory): entry \(expected) is missing or altered") }
                rows.append(row)
                samples += row.claimedSamples
            }
            guard let last = rows.last?.sequence else { break }
            let measured = try batches.take(through: last)
            let disclosed = try texts.take(through: last).mapValues { [erased] texts in
                texts.filter { !erased.contains($0.commitment) }
            }
            try insert(rows, measured, disclosed, directory)
        }
        guard head.size == backup.through, Base64.text(head.tree.root) == backup.root else {
            throw HistoryError(
                .malformed, "\(directory): entries \(backup.from + 1)-\(backup.through) are not those of the backup")
        }
        try addNotes(directory)
    }

    private mutating func insert(
        _ rows: [LedgerRow], _ batches: [Int64: MeasurementBatch], _ texts: [Int64: [Disclosure]], _ directory: String
    ) throws(HistoryError) {
        var next = head
        try ledger.store.transaction { () throws(HistoryError) in
            var added = LedgerRows(
                restoring: rows, batches, texts, try Self.blobs(of: rows, in: directory), following: &next)
            for month in added.months { try ledger.store.prepare(month) }
            try ledger.seriesNumbers.assign(&added, next: &next.nextSeries, in: ledger.store)
            try added.insert(into: ledger.store)
            for row in rows where row.kind == LedgerEvent.Kind.nodeKey.rawValue { try addKey(row) }
            try ledger.insertPlatformRows(rows.compactMap(PendingEvent.init(restoring:)))
        }
        head = next
        for batch in batches.values {
            for sample in batch.samples { hours.insert(Ledger.hour(of: sample.milliseconds)) }
        }
    }

    private static func blobs(of rows: [LedgerRow], in directory: String) throws(HistoryError) -> [[UInt8]] {
        var found: [[UInt8]] = []
        for row in rows {
            for hash in LeafContent(row.leaf).map({ BlobReference.hashes(in: $0.body) }) ?? [] {
                // A content that is missing shows in the verification.
                if case .some(let content) = try? FileText.bytes(
                    "\(directory)/\(LedgerExport.blobs)/\(Hexadecimal.text(hash))")
                {
                    found.append(content)
                }
            }
        }
        return found
    }

    private func addKey(_ row: LedgerRow) throws(HistoryError) {
        guard let body = LeafContent(row.leaf)?.body, let key = body["key"]?.text else { return }
        _ = try ledger.store.change(
            """
            INSERT INTO node_key (key, node, first_size, certificate) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
            """,
            [
                .text(key), .text(row.subject), .integer(body["first_size"]?.integer ?? 0),
                .text(body["certificate"]?.text ?? ""),
            ])
    }

    private func addNotes(_ directory: String) throws(HistoryError) {
        var notes = try ExportedNotes(path: "\(directory)/\(LedgerExport.checkpoints)")
        var rows: [[SQLValue]] = []
        try notes.forEach(through: .max) { (note, size) throws(HistoryError) in
            rows.append([.integer(size), .text(note)])
        }
        try ledger.store.insert(into: "checkpoint", columns: ["size", "note"], rows)
    }

    /// Writes the head, so that the ledger can be continued, and the rollups.
    func finish(_ backup: LedgerBackup) throws(HistoryError) {
        try ledger.store.transaction { () throws(HistoryError) in
            try ledger.store.insert(
                into: "log",
                columns: ["id", "origin", "size", "epoch", "next_series", "frontier", "previous"],
                [
                    [
                        .integer(1), .text(head.origin), .integer(head.size), .integer(backup.epoch),
                        .integer(head.nextSeries), .blob(head.tree.encodedFrontier), .blob(head.previous),
                    ]
                ])
            for (identity, position) in backup.spools {
                _ = try ledger.store.change(
                    "INSERT INTO spool (identity, sequence) VALUES ($1, $2)", [.text(identity), .integer(position)])
            }
            if let note = backup.checkpoint, try LedgerAudit.size(of: note) > 0 {
                _ = try ledger.store.change(
                    "INSERT INTO checkpoint (size, note) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                    [.integer(try LedgerAudit.size(of: note)), .text(note)])
            }
        }
        for hour in hours.sorted() { try ledger.rollUp(hour: hour) }
    }
}

extension PendingEvent {
    /// The event of a restored entry; `nil` where the leaf cannot be read.
    fileprivate init?(restoring row: LedgerRow) {
        guard let content = LeafContent(row.leaf) else { return nil }
        self.init(
            milliseconds: row.milliseconds, kind: row.kind, subject: row.subject, body: content.body.encoded)
    }
}
