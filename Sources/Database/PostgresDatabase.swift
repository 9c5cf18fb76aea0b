internal import PostgreSQL

/// A connection to the schema `tribune` of a PostgreSQL database.
public final class PostgresDatabase: SQLDatabase {
    private let connection: PostgreSQLConnection

    /// The dialect of the server.
    public let dialect = SQLDialect.postgres

    /// The advisory lock of migrations: "tribune" in ASCII.
    private static let lockKey: Int64 = 0x74_7269_6275_6e65

    /// Connects.
    ///
    /// - Parameters:
    ///   - address: a connection string or URI for libpq. Never part of an error.
    ///   - answerSeconds: time limit of one statement.
    public init(address: String, answerSeconds: Int = 30) throws(DatabaseError) {
        do throws(PostgreSQLError) {
            connection = try PostgreSQLConnection(
                address: address, connectSeconds: min(5, answerSeconds), answerSeconds: answerSeconds)
        } catch {
            throw DatabaseError(error)
        }
        // A process that hangs in the middle of a transaction must not keep its locks.
        try run(
            """
            SET search_path TO tribune; SET synchronous_commit TO on;
            SET idle_in_transaction_session_timeout TO '\(answerSeconds)s'
            """)
    }

    /// Runs the statements of a script without parameters and discards their rows.
    public func run(_ script: String) throws(DatabaseError) {
        do throws(PostgreSQLError) { try connection.run(script) } catch { throw DatabaseError(error) }
    }

    /// Runs one statement with parameters `$1`, `$2`, … in this order, and returns its rows.
    public func rows(_ sql: String, _ parameters: [SQLValue]) throws(DatabaseError) -> [[SQLValue]] {
        do throws(PostgreSQLError) {
            return try connection.execute(sql, parameters.map(PostgreSQLValue.init)).map { $0.map(SQLValue.init) }
        } catch {
            throw DatabaseError(error)
        }
    }

    /// Runs one statement and returns the number of rows it changed.
    public func change(_ sql: String, _ parameters: [SQLValue]) throws(DatabaseError) -> Int {
        do throws(PostgreSQLError) {
            return try connection.change(sql, parameters.map(PostgreSQLValue.init))
        } catch {
            throw DatabaseError(error)
        }
    }

    /// Adds many rows. Values must have exactly the types of the columns.
    public func insert(into table: String, columns: [String], _ rows: [[SQLValue]]) throws(DatabaseError) {
        if rows.isEmpty { return }
        do throws(PostgreSQLError) {
            try connection.copy(
                into: "\(table) (\(columns.joined(separator: ", ")))", rows.map { $0.map(PostgreSQLValue.init) })
        } catch {
            throw DatabaseError(error)
        }
    }

    /// Adds many rows, given as columns.
    public func insert(
        into table: String, _ columns: [(name: String, values: SQLColumn)]
    ) throws(DatabaseError) {
        let names = columns.map(\.name).joined(separator: ", ")
        let values = columns.map { column -> PostgreSQLColumn in
            switch column.values {
            case .integers(let values): .integers(values)
            case .reals(let values): .reals(values)
            case .times(let values): .times(values)
            }
        }
        do throws(PostgreSQLError) {
            try connection.copy(into: "\(table) (\(names))", columns: values)
        } catch {
            throw DatabaseError(error)
        }
    }

    /// Begins a write transaction.
    public func begin() throws(DatabaseError) { try run("BEGIN") }

    /// Serialises migrations of several processes until the end of the transaction.
    public func lockMigrations() throws(DatabaseError) {
        _ = try rows("SELECT pg_advisory_xact_lock($1)", [.integer(Self.lockKey)])
        try run("CREATE SCHEMA IF NOT EXISTS tribune")
    }

    /// Whether a table or view of this name exists.
    public func hasTable(_ table: String) throws(DatabaseError) -> Bool {
        try !rows("SELECT 1 FROM pg_tables WHERE schemaname = 'tribune' AND tablename = $1", [.text(table)]).isEmpty
    }
}

extension DatabaseError {
    fileprivate init(_ error: PostgreSQLError) {
        switch error.code {
        case .connection, .timeout: self.init(.unreachable, error.description)
        case .badAddress: self.init(.invalid, error.description)
        case .unexpectedResponse: self.init(.malformed, error.description)
        case .statement:
            // Classes 08, 53, 57 and 40: connection, resources, operator intervention, rollback. 55P03: lock not
            // available.
            let isTemporary = ["08", "53", "57", "40"].contains(error.sqlState?.prefix(2) ?? "")
            let code: Code = error.sqlState == "55P03" ? .busy : isTemporary ? .unreachable : .refused
            self.init(code, error.description)
        }
    }
}

extension PostgreSQLValue {
    fileprivate init(_ value: SQLValue) {
        switch value {
        case .null: self = .null
        case .integer(let value): self = .integer(value)
        case .real(let value): self = .real(value)
        case .text(let value): self = .text(value)
        case .blob(let value): self = .blob(value)
        case .time(let value): self = .time(microseconds: value)
        case .json(let value): self = .json(value)
        }
    }
}

extension SQLValue {
    fileprivate init(_ value: PostgreSQLValue) {
        switch value {
        case .null: self = .null
        case .integer(let value): self = .integer(value)
        case .real(let value): self = .real(value)
        case .text(let value): self = .text(value)
        case .blob(let value): self = .blob(value)
        case .time(let value): self = .time(microseconds: value)
        case .json(let value): self = .json(value)
        }
    }
}
