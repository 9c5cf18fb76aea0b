internal import SQLite

/// A connection to a SQLite file.
public final class SQLiteDatabase: SQLDatabase {
    private let database: SQLiteConnection

    /// The dialect.
    public let dialect = SQLDialect.sqlite

    /// Opens the file at `path`, for writing unless `isReadOnly`.
    public init(path: String, isReadOnly: Bool = false) throws(DatabaseError) {
        do throws(SQLiteError) {
            database = try SQLiteConnection(path: path, mode: isReadOnly ? .readOnly : .readWrite)
        } catch {
            throw DatabaseError(error)
        }
    }

    /// Runs the statements of a script without parameters and discards their rows.
    public func run(_ script: String) throws(DatabaseError) {
        do throws(SQLiteError) { try database.run(script) } catch { throw DatabaseError(error) }
    }

    /// Runs one statement with parameters `$1`, `$2`, … in this order, and returns its rows.
    public func rows(_ sql: String, _ parameters: [SQLValue]) throws(DatabaseError) -> [[SQLValue]] {
        do throws(SQLiteError) {
            return try database.execute(sql, parameters.map(SQLiteValue.init)).map { $0.map(SQLValue.init) }
        } catch {
            throw DatabaseError(error)
        }
    }

    /// Runs one statement and returns the number of rows it changed.
    public func change(_ sql: String, _ parameters: [SQLValue]) throws(DatabaseError) -> Int {
        _ = try rows(sql, parameters)
        return database.changes
    }

    /// Adds many rows. Values must have exactly the types of the columns.
    public func insert(into table: String, columns: [String], _ rows: [[SQLValue]]) throws(DatabaseError) {
        let places = columns.indices.map { "$\($0 + 1)" }.joined(separator: ", ")
        do throws(SQLiteError) {
            let statement = try database.statement(
                "INSERT INTO \(table) (\(columns.joined(separator: ", "))) VALUES (\(places))")
            for row in rows { try statement.execute(row.map(SQLiteValue.init)) }
        } catch {
            throw DatabaseError(error)
        }
    }

    /// Adds many rows, given as columns.
    public func insert(
        into table: String, _ columns: [(name: String, values: SQLColumn)]
    ) throws(DatabaseError) {
        let count = columns.map(\.values.count).min() ?? 0
        let rows = (0..<count).map { row in columns.map { $0.values[row] } }
        try insert(into: table, columns: columns.map(\.name), rows)
    }

    /// Begins a write transaction.
    public func begin() throws(DatabaseError) { try run("BEGIN IMMEDIATE") }

    /// `begin` has already taken the write lock.
    public func lockMigrations() {}

    /// Whether a table or view of this name exists.
    public func hasTable(_ table: String) throws(DatabaseError) -> Bool {
        try !rows("SELECT 1 FROM sqlite_master WHERE name = $1", [.text(table)]).isEmpty
    }
}

extension DatabaseError {
    fileprivate init(_ error: SQLiteError) {
        switch error.code {
        case .busy: self.init(.busy, error.description)
        case .full, .inputOutput, .cannotOpen: self.init(.unreachable, error.description)
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
        case .time(let value): self = .integer(value)
        case .json(let value): self = .text(value)
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
