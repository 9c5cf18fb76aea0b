internal import Database
internal import JSON
internal import TLS

/// The end of the ledger: the state that an append needs.
struct LedgerHead: Equatable, Sendable {
    var origin: String
    /// The number of take-overs of the ledger. Only the latest owner may append.
    var epoch: Int64
    /// The number of the next new series.
    var nextSeries: Int64
    /// The hash of the last entry; empty before the first.
    var previous: [UInt8]
    var tree: MerkleTree

    var size: Int64 { tree.size }
    var checkpoint: Checkpoint { Checkpoint(origin: origin, size: size, root: tree.root) }
}

/// The ledger in a database: appends, each one transaction that compares and swaps the head, and reading.
///
/// Belongs to the thread of its store. After an error it must be replaced, with a new connection, because its cache may
/// have series that the database has rolled back.
final class Ledger {
    let store: LedgerStore
    /// Numbers of known series.
    var seriesNumbers = SeriesNumbers()
    /// Why rows of the platform's tables were left out.
    var platformFailure: String?

    init(store: LedgerStore) {
        self.store = store
    }

    /// The present head.
    ///
    /// - Parameter origin: the name of a ledger that must be created.
    func head(creating origin: String? = nil) throws(HistoryError) -> LedgerHead {
        if let origin {
            _ = try store.change(
                """
                INSERT INTO log (id, origin, size, epoch, next_series, frontier, previous)
                VALUES (1, $1, 0, 0, 1, $2, $3) ON CONFLICT DO NOTHING
                """, [.text(origin), .blob([]), .blob([])])
        }
        let rows = try store.rows("SELECT origin, size, epoch, next_series, frontier, previous FROM log")
        guard let row = rows.first else { throw HistoryError(.schema, "the ledger has no head") }
        guard let tree = MerkleTree(size: row[1].integer, encodedFrontier: row[4].blob) else {
            throw HistoryError(.malformed, "the ledger's head is not a tree of \(row[1].integer) entries")
        }
        return LedgerHead(
            origin: row[0].text, epoch: row[2].integer, nextSeries: row[3].integer, previous: row[5].blob, tree: tree)
    }

    /// The head, or `nil` if the database has no ledger yet.
    func headIfPresent() throws(HistoryError) -> LedgerHead? {
        guard try store.hasTable("log"), try !store.rows("SELECT 1 FROM log").isEmpty else { return nil }
        return try head()
    }

    /// Takes over the ledger: the previous owner can no longer append.
    func takeOver() throws(HistoryError) -> LedgerHead {
        guard try store.change("UPDATE log SET epoch = epoch + 1", []) == 1 else {
            throw HistoryError(.schema, "the ledger has no head")
        }
        return try head()
    }

    /// The last record of the spool `identity` in the ledger; `nil` if the ledger does not know the spool.
    func position(ofSpool identity: String) throws(HistoryError) -> UInt64? {
        let rows = try store.rows("SELECT sequence FROM spool WHERE identity = $1", [.text(identity)])
        return rows.first.map { UInt64(bitPattern: $0[0].integer) }
    }

    /// Registers the spool `identity`; its records up to `position` count as applied.
    func register(spool identity: String, at position: UInt64) throws(HistoryError) {
        _ = try store.change(
            "INSERT INTO spool (identity, sequence) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            [.text(identity), .integer(Int64(bitPattern: position))])
    }

    /// Appends the records of a spool after `position`, and moves that position, in one transaction.
    ///
    /// Throws `conflict` without a change if head or position differ from the caller's. So no record is appended twice,
    /// and after a commit with an unknown result head and position show it.
    func apply(
        _ payloads: [SpoolPayload], ofSpool identity: String, from position: UInt64, through last: UInt64,
        to head: inout LedgerHead, signer: NoteSigner?
    ) throws(HistoryError) -> String? {
        var next = head
        let note = try store.transaction { () throws(HistoryError) in
            try lock(head)
            let moved = try store.change(
                "UPDATE spool SET sequence = $1 WHERE identity = $2 AND sequence = $3",
                [.integer(Int64(bitPattern: last)), .text(identity), .integer(Int64(bitPattern: position))])
            guard moved == 1 else { throw HistoryError(.conflict, "the spool's position in the ledger has moved") }
            return try insert(payloads, to: &next, signer: signer)
        }
        assert(next.size == head.size + Int64(payloads.count))
        head = next
        return note
    }

    /// Appends events within the caller's transaction.
    func append(_ events: [PendingEvent], to head: inout LedgerHead) throws(HistoryError) {
        var next = head
        try lock(head)
        _ = try insert(events.map { SpoolPayload(event: $0) }, to: &next, signer: nil)
        head = next
    }

    /// Stores a signed checkpoint of the present head.
    func sign(_ head: LedgerHead, with signer: NoteSigner) throws(HistoryError) -> String {
        let note = try signer.note(head.checkpoint)
        try keep(note, size: head.size)
        return note
    }

    /// Drops measurements of months before `month`, and records that in the ledger; returns the rows dropped.
    func retain(from month: Month, now: Int64, head: inout LedgerHead) throws(HistoryError) -> Int64 {
        var dropped: Int64 = 0
        for (old, count) in try store.months(before: month) {
            var next = head
            try store.transaction { () throws(HistoryError) in
                let event = LedgerEvent(
                    milliseconds: now, kind: .retention, subject: "measurements \(old.name)",
                    body: [
                        "from": .integer(old.start), "rows": .integer(count),
                        "through": .integer(old.next.start - 1),
                    ])
                try append([PendingEvent(event)], to: &next)
                try store.drop(old)
            }
            head = next
            dropped += count
        }
        return dropped
    }

    /// Takes the row lock on the head, if it is still the caller's.
    private func lock(_ head: LedgerHead) throws(HistoryError) {
        let locked = try store.change(
            "UPDATE log SET size = size WHERE size = $1 AND epoch = $2", [.integer(head.size), .integer(head.epoch)])
        guard locked == 1 else { throw HistoryError(.conflict, "the head of the ledger has moved") }
    }

    private func insert(
        _ payloads: [SpoolPayload], to head: inout LedgerHead, signer: NoteSigner?
    ) throws(HistoryError) -> String? {
        var rows = try LedgerRows(payloads, following: &head)
        for month in rows.months { try store.prepare(month) }
        try seriesNumbers.assign(&rows, next: &head.nextSeries, in: store)
        try rows.insert(into: store)
        try insertPlatformRows(payloads.map(\.event))
        _ = try store.change(
            "UPDATE log SET size = $1, next_series = $2, frontier = $3, previous = $4",
            [.integer(head.size), .integer(head.nextSeries), .blob(head.tree.encodedFrontier), .blob(head.previous)])
        guard let signer else { return nil }
        let note = try signer.note(head.checkpoint)
        try keep(note, size: head.size)
        return note
    }

    private func keep(_ note: String, size: Int64) throws(HistoryError) {
        _ = try store.change(
            "INSERT INTO checkpoint (size, note) VALUES ($1, $2) ON CONFLICT DO NOTHING", [.integer(size), .text(note)])
    }
}
