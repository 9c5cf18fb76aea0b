internal import SQLite

/// A ledger in a SQLite file.
final class SQLiteStore: LedgerStore {
    private let database: Database

    let name = "sqlite"
    static let migrations = Migration.sqlite

    init(path: String, mode: Database.Mode = .readWrite) throws(HistoryError) {
        do throws(SQLiteError) {
            database = try Database(path: path, mode: mode)
        } catch {
            throw HistoryError(error)
        }
    }

    func run(_ script: String) throws(HistoryError) {
        do throws(SQLiteError) { try database.run(script) } catch { throw HistoryError(error) }
    }

    func rows(_ sql: String, _ parameters: [SQLValue]) throws(HistoryError) -> [[SQLValue]] {
        do throws(SQLiteError) {
            return try database.execute(sql, parameters.map(SQLiteValue.init)).map { $0.map(SQLValue.init) }
        } catch {
            throw HistoryError(error)
        }
    }

    func change(_ sql: String, _ parameters: [SQLValue]) throws(HistoryError) -> Int {
        _ = try rows(sql, parameters)
        return database.changes
    }

    func insert(into table: String, columns: [String], _ rows: [[SQLValue]]) throws(HistoryError) {
        let places = columns.indices.map { "$\($0 + 1)" }.joined(separator: ", ")
        do throws(SQLiteError) {
            let statement = try database.statement(
                "INSERT INTO \(table) (\(columns.joined(separator: ", "))) VALUES (\(places))")
            for row in rows { try statement.execute(row.map(SQLiteValue.init)) }
        } catch {
            throw HistoryError(error)
        }
    }

    func begin() throws(HistoryError) { try run("BEGIN IMMEDIATE") }

    /// The write lock that `begin` took is enough.
    func lockMigrations() {}

    /// One table holds all months.
    func prepare(_ month: Month) {}

    func months(before month: Month) throws(HistoryError) -> [(month: Month, rows: Int64)] {
        var found: [(month: Month, rows: Int64)] = []
        var end = month.start
        while let last = try rows("SELECT max(milliseconds) FROM measurement WHERE milliseconds < $1", [.integer(end)])
            .first?.first, case .integer(let time) = last
        {
            let month = Month(containing: time)
            let count = try rows(
                "SELECT count(*) FROM measurement WHERE milliseconds >= $1 AND milliseconds < $2",
                [.integer(month.start), .integer(month.next.start)])
            found.append((month, count.first?.first?.integer ?? 0))
            end = month.start
        }
        return found.reversed()
    }

    func drop(_ month: Month) throws(HistoryError) {
        _ = try change(
            "DELETE FROM measurement WHERE milliseconds >= $1 AND milliseconds < $2",
            [.integer(month.start), .integer(month.next.start)])
    }

    func hasTable(_ table: String) throws(HistoryError) -> Bool {
        try !rows("SELECT 1 FROM sqlite_master WHERE name = $1", [.text(table)]).isEmpty
    }
}

extension HistoryError {
    fileprivate init(_ error: SQLiteError) {
        switch error.code {
        case .busy, .full, .inputOutput, .cannotOpen: self.init(.unreachable, error.description)
        case .corrupt: self.init(.malformed, error.description)
        case .constraint, .other: self.init(.refused, error.description)
        }
    }
}

extension SQLiteValue {
    fileprivate init(_ value: SQLValue) {
        switch value {
        case .null: self = .null
        case .integer(let value): self = .integer(value)
        case .real(let value): self = .real(value)
        case .text(let value): self = .text(value)
        case .blob(let value): self = .blob(value)
        }
    }
}

extension SQLValue {
    fileprivate init(_ value: SQLiteValue) {
        switch value {
        case .null: self = .null
        case .integer(let value): self = .integer(value)
        case .real(let value): self = .real(value)
        case .text(let value): self = .text(value)
        case .blob(let value): self = .blob(value)
        }
    }
}
