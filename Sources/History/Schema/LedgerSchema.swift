public import Database

/// The schema of the history, for modules whose tables belong to it.
public enum LedgerSchema {
    /// Applies the missing steps to a database; each becomes a ledger entry.
    ///
    /// - Parameters:
    ///   - origin: the name of the ledger if it has to be created.
    ///   - now: milliseconds since the epoch.
    public static func migrate(_ database: any SQLDatabase, origin: String, now: Int64) throws(DatabaseError) {
        _ = try LedgerStore(database).migrator(origin: origin, now: now).migrate()
    }
}
