/// Why a database could not be reached or refused a statement. Holds neither connection strings nor values of rows.
public struct DatabaseError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kinds of failure a caller may treat differently.
    public enum Code: Sendable {
        /// There is no connection, it broke, or the server is temporarily unable to answer. A retry may help.
        case unreachable
        /// A lock was not granted in time. A retry may help.
        case busy
        /// The database refused the statement.
        case refused
        /// An answer or a file that is not what it claims to be.
        case malformed
        /// The schema is not the one this program works with.
        case schema
        /// The address or the request makes no sense.
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
