/// Why the history could not be written, read or believed.
public struct HistoryError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kinds of failure a caller may treat apart.
    public enum Code: Sendable {
        /// There is no database, or it went away; trying again later may help.
        case unreachable
        /// The database refused a statement.
        case refused
        /// Another process has taken over the ledger: its epoch is higher than ours.
        case fenced
        /// The head of the ledger moved between reading and writing; to be tried again with the new head.
        case conflict
        /// A file of the history cannot be read or written.
        case file
        /// Content that is not what it claims to be: a torn record, a foreign file, an unknown format.
        case malformed
        /// The database's schema is not the one this version works with.
        case schema
        /// The request makes no sense here.
        case invalid
    }

    /// The kind of failure.
    public var code: Code
    /// The reason; holds no secrets.
    public var message: String

    /// An error of kind `code`.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The reason.
    public var description: String { message }
}
