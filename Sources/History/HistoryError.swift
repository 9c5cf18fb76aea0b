internal import Runtime

/// Why the history could not be written, read or verified.
public struct HistoryError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kinds of failure that a caller may distinguish.
    public enum Code: Sendable {
        /// There is no connection to the database. A retry may help.
        case unreachable
        /// The database refused a statement.
        case refused
        /// Another process has taken over the ledger: its epoch is higher.
        case fenced
        /// The head of the ledger moved between reading and writing. Retry with the new head.
        case conflict
        /// A file of the history cannot be read or written.
        case file
        /// Invalid content: a damaged record, a foreign file, an unknown format.
        case malformed
        /// The database's schema is not the one of this version.
        case schema
        /// The database does not continue the record that this node has seen, or the signing key is missing. Delivery
        /// waits until the cause is gone or a person acknowledges the loss.
        case halted
        /// The request is not valid here.
        case invalid
        /// The ledger does not contain the requested entry.
        case notFound
        /// The answer would have more than an answer may have.
        case tooMuch
        /// No thread or memory is available.
        case system
    }

    /// The kind of failure.
    public var code: Code
    /// The reason, without secrets.
    public var message: String

    /// An error of kind `code`.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// A thread that could not be started.
    init(_ error: WorkerThread.StartError) {
        self.init(.system, error.description)
    }

    /// The reason.
    public var description: String { message }
}
