/// A value in a table or a parameter, whatever the database.
enum SQLValue: Equatable, Sendable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])

    var integer: Int64 { if case .integer(let value) = self { value } else { 0 } }
    var text: String { if case .text(let value) = self { value } else { "" } }
    var blob: [UInt8] { if case .blob(let value) = self { value } else { [] } }
    /// SQLite keeps NaN as NULL, and 1.0 as 1.0.
    var real: Double {
        switch self {
        case .real(let value): value
        case .integer(let value): Double(value)
        default: .nan
        }
    }
}

/// A database that can hold a ledger. The ledger's own statements are the same for all; here is what differs.
///
/// One connection, used by one thread, which it may block.
protocol LedgerStore: AnyObject {
    /// `sqlite` or `postgres`.
    var name: String { get }
    /// The migrations in this database's SQL, ascending.
    static var migrations: [Migration] { get }

    /// Runs statements without parameters.
    func run(_ script: String) throws(HistoryError)
    /// Runs one statement with parameters `$1`, `$2`, … in this order, and returns its rows.
    func rows(_ sql: String, _ parameters: [SQLValue]) throws(HistoryError) -> [[SQLValue]]
    /// Runs one statement and returns the number of rows it changed.
    func change(_ sql: String, _ parameters: [SQLValue]) throws(HistoryError) -> Int
    /// Adds many rows; values must have the columns' types.
    func insert(into table: String, columns: [String], _ rows: [[SQLValue]]) throws(HistoryError)

    /// Begins a transaction that will write.
    func begin() throws(HistoryError)
    /// Makes migrations of several processes run one after the other, until the transaction ends.
    func lockMigrations() throws(HistoryError)
    /// Makes room for measurements of `month`.
    func prepare(_ month: Month) throws(HistoryError)
    /// The months before `month` that hold measurements, with the number of their rows.
    func months(before month: Month) throws(HistoryError) -> [(month: Month, rows: Int64)]
    /// Removes the measurements of `month`.
    func drop(_ month: Month) throws(HistoryError)
    /// Whether `table` exists.
    func hasTable(_ table: String) throws(HistoryError) -> Bool
}

extension LedgerStore {
    func rows(_ sql: String) throws(HistoryError) -> [[SQLValue]] { try rows(sql, []) }

    /// Runs `body` in a transaction: all of it happens or nothing.
    func transaction<Result>(_ body: () throws(HistoryError) -> Result) throws(HistoryError) -> Result {
        try begin()
        do throws(HistoryError) {
            let result = try body()
            try run("COMMIT")
            return result
        } catch {
            // Where the connection is gone the server rolls back by itself.
            try? run("ROLLBACK")
            throw error
        }
    }
}
