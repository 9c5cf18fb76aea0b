internal import PostgreSQL

/// A ledger in the schema `tribune` of a PostgreSQL database.
final class PostgresStore: LedgerStore {
    private let connection: PostgreSQLConnection
    /// Months known to have a partition.
    private var prepared: Set<Month> = []

    let name = "postgres"
    static let migrations = Migration.postgres

    /// A key for advisory locks that nobody else uses: "tribune" in ASCII.
    private static let lockKey: Int64 = 0x74_7269_6275_6e65

    /// Connects.
    ///
    /// - Parameter answerSeconds: how long one statement may take.
    init(address: String, answerSeconds: Int = 30) throws(HistoryError) {
        do throws(PostgreSQLError) {
            connection = try PostgreSQLConnection(
                address: address, connectSeconds: min(5, answerSeconds), answerSeconds: answerSeconds)
        } catch {
            throw HistoryError(error)
        }
        // A process that stands still in the middle of a transaction must not keep its locks from others.
        try run(
            """
            SET search_path TO tribune; SET synchronous_commit TO on;
            SET idle_in_transaction_session_timeout TO '\(answerSeconds)s'
            """)
    }

    func run(_ script: String) throws(HistoryError) {
        do throws(PostgreSQLError) { try connection.run(script) } catch { throw HistoryError(error) }
    }

    func rows(_ sql: String, _ parameters: [SQLValue]) throws(HistoryError) -> [[SQLValue]] {
        do throws(PostgreSQLError) {
            return try connection.execute(sql, parameters.map(PostgreSQLValue.init)).map { $0.map(SQLValue.init) }
        } catch {
            throw HistoryError(error)
        }
    }

    func change(_ sql: String, _ parameters: [SQLValue]) throws(HistoryError) -> Int {
        do throws(PostgreSQLError) {
            return try connection.change(sql, parameters.map(PostgreSQLValue.init))
        } catch {
            throw HistoryError(error)
        }
    }

    func insert(into table: String, columns: [String], _ rows: [[SQLValue]]) throws(HistoryError) {
        if rows.isEmpty { return }
        do throws(PostgreSQLError) {
            try connection.copy(
                into: "\(table) (\(columns.joined(separator: ", ")))", rows.map { $0.map(PostgreSQLValue.init) })
        } catch {
            throw HistoryError(error)
        }
    }

    func begin() throws(HistoryError) { try run("BEGIN") }

    func lockMigrations() throws(HistoryError) {
        _ = try rows("SELECT pg_advisory_xact_lock($1)", [.integer(Self.lockKey)])
        try run("CREATE SCHEMA IF NOT EXISTS tribune")
    }

    func prepare(_ month: Month) throws(HistoryError) {
        // Remembered although the transaction may yet fail: then the partition is missed below, and made again.
        if prepared.contains(month) { return }
        let bounds = "FROM (\(month.start)) TO (\(month.next.start))"
        try run("CREATE TABLE IF NOT EXISTS measurement_\(month.name) PARTITION OF measurement FOR VALUES \(bounds)")
        prepared.insert(month)
    }

    func months(before month: Month) throws(HistoryError) -> [(month: Month, rows: Int64)] {
        let tables = try rows(
            """
            SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'measurement'::regclass ORDER BY c.relname
            """)
        var found: [(month: Month, rows: Int64)] = []
        for table in tables.compactMap(\.first?.text) {
            guard let candidate = Month(partition: table), candidate < month else { continue }
            found.append((candidate, try rows("SELECT count(*) FROM \(table)").first?.first?.integer ?? 0))
        }
        return found
    }

    func drop(_ month: Month) throws(HistoryError) {
        prepared.remove(month)
        try run("DROP TABLE measurement_\(month.name)")
    }

    func hasTable(_ table: String) throws(HistoryError) -> Bool {
        try !rows("SELECT 1 FROM pg_tables WHERE schemaname = 'tribune' AND tablename = $1", [.text(table)]).isEmpty
    }
}

extension Month {
    /// Reads `measurement_2026_11`.
    fileprivate init?(partition table: String) {
        let parts = table.split(separator: "_")
        guard parts.count == 3, parts[0] == "measurement", let year = Int64(parts[1]), let month = Int64(parts[2]),
            (1...12).contains(month), (1970...9999).contains(year)
        else { return nil }
        self.init(year: year, month: month)
    }
}

extension HistoryError {
    fileprivate init(_ error: PostgreSQLError) {
        switch error.code {
        case .connection, .timeout: self.init(.unreachable, error.description)
        case .badAddress: self.init(.invalid, error.description)
        case .unexpectedAnswer: self.init(.malformed, error.description)
        case .statement:
            // Classes 08, 53, 57 and 40: connection, resources, operator intervention, rollback.
            let isPassing = ["08", "53", "57", "40"].contains(error.sqlState?.prefix(2) ?? "")
            self.init(isPassing ? .unreachable : .refused, error.description)
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
        }
    }
}
