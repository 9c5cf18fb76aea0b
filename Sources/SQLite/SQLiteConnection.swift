internal import CSQLite
internal import Glibc

/// A value in a table or a parameter.
public enum SQLiteValue: Equatable, Sendable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])
}

/// One connection to a database file. Used by one thread; closed when it is freed.
///
/// Durable: write-ahead log with `synchronous = FULL`, so that a committed transaction survives a power failure.
@safe public final class SQLiteConnection {
    /// How a file is opened.
    public enum Mode: Sendable {
        /// For reading and writing. A missing file is created.
        case readWrite
        /// For reading. The file must exist.
        case readOnly
    }

    private let handle: OpaquePointer
    private var statements: [String: Statement] = [:]

    /// The maximum number of compiled statements. Others are compiled at each use.
    private static let statementLimit = 64

    /// Creates a missing database file for its user only: SQLite itself would let everybody read it. Its other files
    /// get the same rights. A file that exists is not opened, since closing it would release the locks of other
    /// connections.
    private static func makePrivate(_ path: String) {
        if path.isEmpty || path.hasPrefix(":") { return }
        let descriptor = unsafe Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor >= 0 { Glibc.close(descriptor) }
    }

    /// Opens the database file at `path`.
    ///
    /// - Parameter busyMilliseconds: how long to wait for a lock that another connection holds.
    public init(path: String, mode: Mode = .readWrite, busyMilliseconds: Int32 = 5000) throws(SQLiteError) {
        if mode == .readWrite { Self.makePrivate(path) }
        var opened: OpaquePointer?
        let access = mode == .readWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY
        // The connection belongs to one thread, so SQLite's own mutexes are not needed.
        let code = unsafe sqlite3_open_v2(path, &opened, access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nil)
        guard let opened = unsafe opened, code == SQLITE_OK else {
            let reason = unsafe opened.map { unsafe SQLiteConnection.error(code, of: $0) }
            unsafe sqlite3_close_v2(opened)
            throw SQLiteError(
                code: .init(code), extendedCode: code,
                message: "cannot open \(path): \(reason?.message ?? "out of memory")")
        }
        unsafe handle = unsafe opened
        unsafe sqlite3_busy_timeout(handle, busyMilliseconds)
        try run("PRAGMA foreign_keys = ON")
        if mode == .readWrite { try run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL") }
    }

    deinit {
        // Live statements keep the connection until they are finalized.
        unsafe sqlite3_close_v2(handle)
    }

    /// Runs the statements of `script` one after the other and discards their rows.
    public func run(_ script: String) throws(SQLiteError) {
        let code = unsafe sqlite3_exec(handle, script, nil, nil, nil)
        guard code == SQLITE_OK else { throw unsafe SQLiteConnection.error(code, of: handle) }
    }

    /// Runs one statement and returns its rows.
    @discardableResult
    public func execute(_ sql: String, _ parameters: [SQLiteValue] = []) throws(SQLiteError) -> [[SQLiteValue]] {
        try statement(sql).execute(parameters)
    }

    /// The compiled form of `sql`, which must be one statement.
    public func statement(_ sql: String) throws(SQLiteError) -> Statement {
        if let known = statements[sql] { return known }
        var compiled: OpaquePointer?
        let code = unsafe sqlite3_prepare_v2(handle, sql, -1, &compiled, nil)
        guard code == SQLITE_OK else { throw unsafe SQLiteConnection.error(code, of: handle) }
        guard let compiled = unsafe compiled else {
            throw SQLiteError(code: .other, extendedCode: SQLITE_MISUSE, message: "no statement in \"\(sql)\"")
        }
        let statement = unsafe Statement(owning: compiled, of: handle)
        if statements.count < SQLiteConnection.statementLimit { statements[sql] = statement }
        return statement
    }

    /// Rows changed by the last INSERT, UPDATE or DELETE.
    public var changes: Int { unsafe Int(sqlite3_changes64(handle)) }

    static func error(_ code: Int32, of handle: OpaquePointer) -> SQLiteError {
        unsafe SQLiteError(code: .init(code), extendedCode: code, message: String(cString: sqlite3_errmsg(handle)))
    }
}
