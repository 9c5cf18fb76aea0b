/// One connection to a SQL database. Used by one thread, which it may block.
///
/// The statements of callers are the same for all databases if possible. ``dialect`` determines the differences.
public protocol SQLDatabase: AnyObject {
    /// The SQL dialect.
    var dialect: SQLDialect { get }

    /// Runs the statements of a script without parameters and discards their rows.
    func run(_ script: String) throws(DatabaseError)
    /// Runs one statement with parameters `$1`, `$2`, … in this order, and returns its rows.
    func rows(_ sql: String, _ parameters: [SQLValue]) throws(DatabaseError) -> [[SQLValue]]
    /// Runs one statement and returns the number of rows it changed.
    func change(_ sql: String, _ parameters: [SQLValue]) throws(DatabaseError) -> Int
    /// Adds many rows. Values must have exactly the types of the columns.
    func insert(into table: String, columns: [String], _ rows: [[SQLValue]]) throws(DatabaseError)
    /// Adds many rows, given as columns of equal length. The fastest way for numbers.
    func insert(into table: String, _ columns: [(name: String, values: SQLColumn)]) throws(DatabaseError)
    /// Begins a write transaction.
    func begin() throws(DatabaseError)
    /// Serialises migrations of several processes until the end of the transaction.
    func lockMigrations() throws(DatabaseError)
    /// Whether a table or view of this name exists.
    func hasTable(_ table: String) throws(DatabaseError) -> Bool
}

/// A database product.
public enum SQLDialect: String, Sendable {
    case sqlite
    case postgres
}

extension SQLDatabase {
    /// Runs one statement without parameters and returns its rows.
    public func rows(_ sql: String) throws(DatabaseError) -> [[SQLValue]] { try rows(sql, []) }

    /// Runs `body` in a transaction: either all of it takes effect or nothing.
    public func transaction<Result>(_ body: () throws(DatabaseError) -> Result) throws(DatabaseError) -> Result {
        try begin()
        do throws(DatabaseError) {
            let result = try body()
            try run("COMMIT")
            return result
        } catch {
            // Without a connection, the server rolls back.
            try? run("ROLLBACK")
            throw error
        }
    }
}
