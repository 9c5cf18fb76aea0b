internal import JSON
internal import TLS

/// One step of the schema, in one database's SQL.
struct Migration: Equatable, Sendable {
    /// 1, 2, 3, … without gaps.
    var version: Int64
    var name: String
    /// Brings the step about.
    var up: String
    /// Queries that fail unless the step is in place.
    var verify: String
    /// Undoes the step.
    var down: String

    /// SHA-256 of the three scripts, in hexadecimal: a step that was applied must never be edited.
    var checksum: String { SHA256.hex([up, verify, down].joined(separator: "\n--\n")) }
}

/// Brings a database's schema to the version this program works with, and back.
///
/// Each step is one transaction under a lock that keeps other processes' migrations out: up, verify, and the row that records
/// it. The step also becomes a ledger entry in that transaction.
struct Migrator {
    let store: any LedgerStore
    let origin: String
    /// Milliseconds since the epoch.
    let now: Int64

    private var known: [Migration] { type(of: store).migrations }

    /// Applies what is missing and returns it.
    func migrate() throws(HistoryError) -> [Migration] {
        var applied: [Migration] = []
        for migration in known {
            let isNew = try store.transaction { () throws(HistoryError) in
                try store.lockMigrations()
                try store.run(Migration.table)
                let versions = try check()
                guard migration.version == versions + 1 else { return false }
                try store.run(migration.up)
                try store.run(migration.verify)
                try store.insert(
                    into: "schema_migration", columns: ["version", "name", "checksum", "milliseconds"],
                    [[.integer(migration.version), .text(migration.name), .text(migration.checksum), .integer(now)]])
                try record("up", migration)
                return true
            }
            if isNew { applied.append(migration) }
        }
        return applied
    }

    /// Undoes the last step and returns it; `nil` where there is none.
    ///
    /// - Parameter discarding: whether rows that the step's tables hold may go. The ledger itself is never thrown away.
    func rollback(discarding: Bool) throws(HistoryError) -> Migration? {
        try store.transaction { () throws(HistoryError) in
            try store.lockMigrations()
            guard try store.hasTable("schema_migration") else { return nil }
            let version = try check()
            guard let migration = known.last(where: { $0.version == version }) else { return nil }
            if version == 1 {
                let size = try store.rows("SELECT size FROM log").first?.first?.integer ?? 0
                throw HistoryError(
                    .refused,
                    "the first step holds the ledger with \(size) entries, which is never undone: "
                        + "drop the database by hand if it must go")
            }
            if !discarding, migration.name == "measurements",
                try !store.rows("SELECT 1 FROM measurement LIMIT 1").isEmpty
            {
                throw HistoryError(.refused, "the step's tables hold measurements: export them, then allow discarding")
            }
            try store.run(migration.down)
            _ = try store.change("DELETE FROM schema_migration WHERE version = $1", [.integer(version)])
            try record("down", migration)
            return migration
        }
    }

    /// Fails unless every known step is in place, unchanged.
    func verify() throws(HistoryError) {
        guard try store.hasTable("schema_migration") else {
            throw HistoryError(.schema, "the database holds no history yet: run `tribune db migrate`")
        }
        let version = try check()
        guard version == known.count else {
            throw HistoryError(.schema, "the schema is at step \(version) of \(known.count): run `tribune db migrate`")
        }
        for migration in known {
            do throws(HistoryError) {
                try store.run(migration.verify)
            } catch {
                throw HistoryError(
                    .schema, "step \(migration.version) (\(migration.name)) is damaged: \(error.message)")
            }
        }
    }

    /// The version that is in place, after comparing checksums.
    private func check() throws(HistoryError) -> Int64 {
        let rows = try store.rows("SELECT version, name, checksum FROM schema_migration ORDER BY version")
        for (row, expected) in zip(rows, 1...) where row[0].integer != Int64(expected) {
            throw HistoryError(.schema, "the record of schema step \(expected) is missing")
        }
        for (row, migration) in zip(rows, known) where row[2].text != migration.checksum {
            throw HistoryError(
                .schema,
                "schema step \(migration.version) (\(row[1].text)) was applied in another form than this program's")
        }
        guard rows.count <= known.count else {
            throw HistoryError(
                .schema, "the schema is at step \(rows.count), this program knows \(known.count): use a newer one")
        }
        return Int64(rows.count)
    }

    private func record(_ direction: String, _ migration: Migration) throws(HistoryError) {
        let ledger = Ledger(store: store)
        var head = try ledger.head(creating: origin)
        let event = LedgerEvent(
            milliseconds: now, kind: .migration, subject: "schema \(migration.version)",
            body: [
                "checksum": .string(migration.checksum), "direction": .string(direction),
                "name": .string(migration.name),
                "store": .string(store.name),
            ])
        try ledger.append([PendingEvent(event)], to: &head)
    }
}
