/// Why a connection or statement failed. Contains neither connection strings nor values of rows.
public struct DatabaseError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kinds of failure a caller may treat differently.
    public enum Code: Sendable {
        /// There is no connection, it was lost, or the server is temporarily unavailable. A retry may help.
        case unreachable
        /// A lock was not granted in time. A retry may help.
        case busy
        /// The database rejected the statement.
        case refused
        /// An invalid result or file.
        case malformed
        /// The schema is not the one that this program uses.
        case schema
        /// The address or the request is invalid.
        case invalid
    }

    /// The kind of failure.
    public var code: Code
    /// The reason.
    public var message: String

    /// An error of kind `code`.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The reason.
    public var description: String { message }
}
