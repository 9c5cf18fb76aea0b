/// Where an ``HTTPServer`` listens and how much it takes on.
public struct HTTPServerConfiguration: Sendable {
    /// A numeric address or host name; empty for every interface, IPv4 and IPv6.
    public var address: String
    /// The port; 0 lets the system choose a free one.
    public var port: Int
    /// Threads that run handlers, and so the most requests worked on at once.
    public var workers = 8
    /// Longest request body; a longer one is answered with 413.
    public var maximumBodyBytes = 8 << 20
    /// Memory for the request line and headers of one connection; more is answered with 414 or 431.
    public var maximumHeaderBytes = 64 << 10
    /// Connections held open at once. For a further one the longest silent one without a request under way is closed; where
    /// each has one, further ones wait.
    public var maximumConnections = 512
    /// Called whenever a connection is closed to make room. On the polling thread: must not block.
    public var onEviction: @Sendable () -> Void = {}
    /// Seconds after which a silent connection is closed.
    public var idleTimeoutSeconds = 300
    /// Whether bodies are compressed for clients that accept gzip or deflate.
    public var compressesResponses = false

    /// A server on `address`:`port`.
    public init(address: String = "127.0.0.1", port: Int = 0) {
        self.address = address
        self.port = port
    }
}

/// Why a server could not be started.
public struct HTTPServerError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What kind of reason.
    public enum Code: Sendable {
        /// The address is not one of this machine, or no address at all.
        case badAddress
        case addressInUse
        case permissionDenied
        case system
    }

    /// What kind of reason.
    public let code: Code
    /// Address and port that were asked for.
    public let listenAddress: String
    /// The system's words.
    public let reason: String

    /// One line for an operator.
    public var description: String { "cannot listen on \(listenAddress): \(reason)" }
}
