internal import CSQLite

/// Why a statement or database failed.
public struct SQLiteError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kinds of failure.
    public enum Code: Sendable {
        /// Another connection held the lock for longer than the busy timeout.
        case busy
        /// No space is left on the device.
        case full
        /// The file is damaged or not a database.
        case corrupt
        /// The file cannot be opened or written.
        case cannotOpen
        /// A constraint, such as uniqueness, was violated.
        case constraint
        /// Reading or writing the file failed.
        case inputOutput
        /// Everything else, such as wrong SQL.
        case other

        init(_ code: Int32) {
            switch code & 0xff {
            case SQLITE_BUSY, SQLITE_LOCKED: self = .busy
            case SQLITE_FULL: self = .full
            case SQLITE_CORRUPT, SQLITE_NOTADB: self = .corrupt
            case SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH: self = .cannotOpen
            case SQLITE_CONSTRAINT: self = .constraint
            case SQLITE_IOERR: self = .inputOutput
            default: self = .other
            }
        }
    }

    /// The kind of failure.
    public var code: Code
    /// SQLite's extended result code.
    public var extendedCode: Int32
    /// SQLite's message.
    public var message: String

    /// The message with SQLite's code.
    public var description: String { "SQLite: \(message) (code \(extendedCode))" }
}
