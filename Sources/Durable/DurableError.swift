internal import Runtime

/// Why a file could not be written, read or trusted.
public struct DurableError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kinds of failure a caller may treat differently.
    public enum Code: Equatable, Sendable {
        /// Another process has the file open.
        case locked
        /// The content is not what was written; the file has been renamed, and the message names it.
        case damaged
        /// A record is longer than the limit.
        case tooLong
        /// A system call failed.
        case system
    }

    /// The kind of failure.
    public var code: Code
    /// The file.
    public var path: String
    /// The failed operation and the reason.
    public var reason: String
    /// The new name of a damaged file.
    public var aside: String?

    /// A failure with the file at `path`.
    public init(_ code: Code, _ path: String, _ reason: String) {
        self.code = code
        self.path = path
        self.reason = reason
    }

    /// The path and the reason.
    public var description: String { "\(path): \(reason)" }

    /// A failed system call; the reason ends with the text of `errno`.
    static func system(_ path: String, _ what: String) -> DurableError {
        DurableError(.system, path, "\(what): \(SystemError.current)")
    }
}
