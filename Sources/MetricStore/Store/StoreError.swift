/// Why the store rejected a series, a lane or a commit.
public struct StoreError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kind of failure.
    public enum Code: Equatable, Sendable {
        /// `StoreConfiguration.maximumSeries` is reached.
        case seriesLimit
        /// The store or the lane is closed.
        case closed
        /// The lane already has a writer.
        case laneInUse
        /// Another process uses the directory.
        case inUse
        /// A system call failed: no space, no permission, too many mappings.
        case system
    }

    /// The kind of failure.
    public var code: Code
    /// The message, with the path or name.
    public var message: String

    /// The message.
    public var description: String { message }

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}
