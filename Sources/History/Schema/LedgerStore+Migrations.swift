internal import Database
internal import JSON

extension LedgerStore {
    /// The migrator of the history's schema. Each step becomes a ledger entry in its own transaction.
    ///
    /// - Parameters:
    ///   - origin: the name of a ledger that must be created.
    ///   - now: milliseconds since the epoch.
    func migrator(origin: String, now: Int64) -> Migrator {
        let set = isPostgres ? HistorySchema.postgres : HistorySchema.sqlite
        return Migrator(database, set, now: now) { (direction, step) throws(DatabaseError) in
            do throws(HistoryError) {
                let ledger = Ledger(store: self)
                var head = try ledger.head(creating: origin)
                let event = LedgerEvent(
                    milliseconds: now, kind: .migration, subject: "schema \(step.version)",
                    body: [
                        "checksum": .string(step.checksum), "direction": .string(direction.rawValue),
                        "name": .string(step.name), "store": .string(self.name),
                    ])
                try ledger.append([PendingEvent(event)], to: &head)
            } catch {
                throw DatabaseError(error)
            }
        }
    }

    /// Applies missing steps of the schema and returns them.
    func migrate(origin: String, now: Int64) throws(HistoryError) -> [Migration] {
        do throws(DatabaseError) {
            return try migrator(origin: origin, now: now).migrate()
        } catch {
            throw HistoryError(error)
        }
    }

    /// Applies every step of the schema without recording that in a ledger: one that is restored has its own entries.
    func createSchema(now: Int64) throws(HistoryError) {
        let set = isPostgres ? HistorySchema.postgres : HistorySchema.sqlite
        do throws(DatabaseError) { _ = try Migrator(database, set, now: now).migrate() } catch {
            throw HistoryError(error)
        }
    }

    /// Fails unless the schema has the version of this program.
    func checkVersion() throws(HistoryError) {
        do throws(DatabaseError) {
            try migrator(origin: "", now: 0).verify()
        } catch {
            throw HistoryError(error)
        }
    }

    /// Fails unless the schema equals that of this program.
    func verifySchema() throws(HistoryError) {
        try checkVersion()
        let differences: [String]
        do throws(DatabaseError) {
            differences = try migrator(origin: "", now: 0).differences()
        } catch {
            throw HistoryError(error)
        }
        if differences.isEmpty { return }
        let list = differences.prefix(20).joined(separator: "\n  ")
        throw HistoryError(.schema, "the schema differs from this program's in \(differences.count) parts:\n  \(list)")
    }
}
