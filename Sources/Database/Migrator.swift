/// Migrates a database's schema to the version that this program uses, and back.
///
/// Each step is one transaction under a lock against migrations by other processes. It contains the script, its
/// verification, the row that records it, and the record of the schema's owner.
public struct Migrator {
    /// The direction of a step.
    public enum Direction: String, Sendable {
        case up
        case down
    }

    let database: any SQLDatabase
    let set: MigrationSet
    private let now: Int64
    private let record: (Direction, Migration) throws(DatabaseError) -> Void

    /// A migrator of the schema that `set` describes.
    ///
    /// - Parameters:
    ///   - now: milliseconds since the epoch, for the record of steps.
    ///   - record: called in the transaction of each step.
    public init(
        _ database: any SQLDatabase, _ set: MigrationSet, now: Int64,
        record: @escaping (Direction, Migration) throws(DatabaseError) -> Void = { _, _ in }
    ) {
        self.database = database
        self.set = set
        self.now = now
        self.record = record
    }

    /// The steps that ``migrate()`` would apply. Changes nothing.
    public func pending() throws(DatabaseError) -> [Migration] {
        guard try database.hasTable(set.table) else { return set.steps }
        return Array(set.steps.dropFirst(Int(try version())))
    }

    /// Applies the missing steps and returns them.
    public func migrate() throws(DatabaseError) -> [Migration] {
        var applied: [Migration] = []
        for step in set.steps {
            let isNew = try database.transaction { () throws(DatabaseError) in
                try database.lockMigrations()
                try database.run(set.tableScript)
                guard try version() == step.version - 1 else { return false }
                try database.run(step.up)
                try database.run(step.verify)
                try database.insert(
                    into: set.table, columns: ["version", "name", "checksum", "milliseconds"],
                    [[.integer(step.version), .text(step.name), .text(step.checksum), .integer(now)]])
                try record(.up, step)
                return true
            }
            if isNew { applied.append(step) }
        }
        return applied
    }

    /// Undoes the last step and returns it; `nil` if there is none.
    ///
    /// - Parameter discarding: whether data in the step's tables may be lost. A permanent step is never undone.
    public func rollback(discarding: Bool) throws(DatabaseError) -> Migration? {
        try database.transaction { () throws(DatabaseError) in
            try database.lockMigrations()
            guard try database.hasTable(set.table) else { return nil }
            let version = try version()
            guard let step = set.steps.last(where: { $0.version == version }) else { return nil }
            try checkLoss(of: step, discarding: discarding)
            try database.run(step.down)
            _ = try database.change("DELETE FROM \(set.table) WHERE version = $1", [.integer(version)])
            try record(.down, step)
            return step
        }
    }

    private func checkLoss(of step: Migration, discarding: Bool) throws(DatabaseError) {
        if step.isPermanent {
            throw DatabaseError(
                .refused,
                "step \(step.version) (\(step.name)) holds the ledger and is never undone: "
                    + "to remove it, drop the database")
        }
        guard !discarding, let loss = step.loss, try !database.rows(loss.query).isEmpty else { return }
        throw DatabaseError(
            .refused,
            "undoing step \(step.version) (\(step.name)) would lose \(loss.name): export them, then allow discarding")
    }

    /// Throws unless every step was applied and is unchanged.
    public func verify() throws(DatabaseError) {
        guard try database.hasTable(set.table) else {
            throw DatabaseError(.schema, "the database has no schema yet: run `tribune db migrate`")
        }
        let version = try version()
        guard version == set.steps.count else {
            throw DatabaseError(
                .schema, "the schema is at step \(version) of \(set.steps.count): run `tribune db migrate`")
        }
        for step in set.steps {
            do throws(DatabaseError) {
                try database.run(step.verify)
            } catch {
                if error.code == .unreachable { throw error }
                throw DatabaseError(.schema, "step \(step.version) (\(step.name)) is damaged: \(error.message)")
            }
        }
    }

    /// The number of applied steps, after comparing their checksums with this program's.
    private func version() throws(DatabaseError) -> Int64 {
        let rows = try database.rows("SELECT version, name, checksum FROM \(set.table) ORDER BY version")
        for (row, expected) in zip(rows, 1...) where row[0].integer != Int64(expected) {
            throw DatabaseError(.schema, "the record of schema step \(expected) is missing")
        }
        for (row, step) in zip(rows, set.steps) where !step.accepts(row[2].text) {
            throw DatabaseError(
                .schema,
                "schema step \(step.version) (\(row[1].text)) was applied in a different form")
        }
        guard rows.count <= set.steps.count else {
            throw DatabaseError(
                .schema,
                "the schema is at step \(rows.count), this program supports \(set.steps.count): use a newer version")
        }
        return Int64(rows.count)
    }
}
