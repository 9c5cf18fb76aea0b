internal import Synchronization

/// A connection to PostgreSQL that is opened at the first request, and again after each failure.
///
/// Any thread may use it; requests run one after the other. A request ends or fails within a few times the timeout of a
/// statement.
public final class PostgresSession: Sendable {
    private let address: String
    private let answerSeconds: Int
    private let prepare: @Sendable (any SQLDatabase) throws(DatabaseError) -> Void
    private let connection = Mutex<PostgresDatabase?>(nil)

    /// A session that is not connected yet.
    ///
    /// - Parameters:
    ///   - address: a connection string or URI for libpq. Never part of an error.
    ///   - answerSeconds: the time limit of one statement.
    ///   - prepare: called with each new connection before its first request, to bring the schema up to date.
    public init(
        address: String, answerSeconds: Int,
        prepare: @escaping @Sendable (any SQLDatabase) throws(DatabaseError) -> Void
    ) {
        self.address = address
        self.answerSeconds = answerSeconds
        self.prepare = prepare
    }

    /// Returns the result of `body`, called with the connection.
    public func perform<Result: Sendable>(
        _ body: (any SQLDatabase) throws(DatabaseError) -> Result
    ) throws(DatabaseError) -> Result {
        try connection.withLock { (connection) throws(DatabaseError) in
            // After an error the state of the connection is unknown: the next request opens a new one.
            let database: PostgresDatabase
            if let open = connection { database = open } else { database = try open() }
            connection = nil
            let result = try body(database)
            connection = database
            return result
        }
    }

    private func open() throws(DatabaseError) -> PostgresDatabase {
        let database = try PostgresDatabase(address: address, answerSeconds: answerSeconds)
        try prepare(database)
        return database
    }
}
