internal import Database

/// The database of a ledger: a connection with errors of the history.
///
/// Used by one thread, which it may block.
final class LedgerStore {
    let database: any SQLDatabase
    /// Months known to have a partition.
    var preparedMonths: Set<Month> = []
    /// Months known to have a partition of the platform's performance metrics.
    var preparedPlatformMonths: Set<Month> = []

    init(_ database: any SQLDatabase) {
        self.database = database
    }

    /// Connects to PostgreSQL.
    static func postgres(address: String, answerSeconds: Int = 30) throws(HistoryError) -> LedgerStore {
        do throws(DatabaseError) {
            return LedgerStore(try PostgresDatabase(address: address, answerSeconds: answerSeconds))
        } catch {
            throw HistoryError(error)
        }
    }

    /// Opens a SQLite file.
    static func sqlite(path: String, isReadOnly: Bool = false) throws(HistoryError) -> LedgerStore {
        do throws(DatabaseError) {
            return LedgerStore(try SQLiteDatabase(path: path, isReadOnly: isReadOnly))
        } catch {
            throw HistoryError(error)
        }
    }

    /// `sqlite` or `postgres`.
    var name: String { database.dialect.rawValue }
    var isPostgres: Bool { database.dialect == .postgres }

    func run(_ script: String) throws(HistoryError) {
        do throws(DatabaseError) { try database.run(script) } catch { throw HistoryError(error) }
    }

    func rows(_ sql: String, _ parameters: [SQLValue] = []) throws(HistoryError) -> [[SQLValue]] {
        do throws(DatabaseError) { return try database.rows(sql, parameters) } catch { throw HistoryError(error) }
    }

    func change(_ sql: String, _ parameters: [SQLValue] = []) throws(HistoryError) -> Int {
        do throws(DatabaseError) { return try database.change(sql, parameters) } catch { throw HistoryError(error) }
    }

    func insert(into table: String, columns: [String], _ rows: [[SQLValue]]) throws(HistoryError) {
        // The table may not exist yet: schema steps are recorded as entries, too.
        if rows.isEmpty { return }
        do throws(DatabaseError) {
            try database.insert(into: table, columns: columns, rows)
        } catch {
            throw HistoryError(error)
        }
    }

    func hasTable(_ table: String) throws(HistoryError) -> Bool {
        do throws(DatabaseError) { return try database.hasTable(table) } catch { throw HistoryError(error) }
    }

    /// Runs `body` in a transaction.
    func transaction<Result>(_ body: () throws(HistoryError) -> Result) throws(HistoryError) -> Result {
        do throws(DatabaseError) { try database.begin() } catch { throw HistoryError(error) }
        do throws(HistoryError) {
            let result = try body()
            try run("COMMIT")
            return result
        } catch {
            // Without a connection the server rolls back itself.
            try? database.run("ROLLBACK")
            throw error
        }
    }
}

extension HistoryError {
    init(_ error: DatabaseError) {
        let code: Code =
            switch error.code {
            case .unreachable, .busy: .unreachable
            case .refused: .refused
            case .malformed: .malformed
            case .schema: .schema
            case .invalid: .invalid
            }
        self.init(code, error.message)
    }
}

extension DatabaseError {
    /// For work of the history within a migration's transaction.
    init(_ error: HistoryError) {
        let code: Code =
            switch error.code {
            case .unreachable: .unreachable
            case .schema: .schema
            case .malformed: .malformed
            case .fenced, .conflict: .busy
            default: .refused
            }
        self.init(code, error.message)
    }
}
