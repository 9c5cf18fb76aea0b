public import TLS

/// An address that a server listens on.
public enum HTTPListenAddress: Equatable, Sendable, CustomStringConvertible {
    /// A numeric address or host name; an empty host is every interface, IPv4 and IPv6. Port 0 lets the system choose
    /// one.
    case tcp(host: String, port: Int)
    /// A Unix socket, made with these permissions. A file left behind by a process that has ended is replaced.
    case unix(path: String, mode: UInt32)
    /// A descriptor that listens already: systemd's socket activation gives those from 3 on.
    case inherited(descriptor: Int32)

    /// As it stands in messages.
    public var description: String {
        switch self {
        case .tcp(let host, let port): host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path, _): "unix:\(path)"
        case .inherited(let descriptor): "descriptor \(descriptor)"
        }
    }
}

/// How long a server waits for its clients.
public struct HTTPServerTimeouts: Sendable {
    /// From the first byte of a request, or the connection's beginning, to the end of the head.
    public var headSeconds = 10
    /// Between two pieces of a request body; the whole body may take ten times as long.
    public var bodySeconds = 30
    /// Between two requests.
    public var idleSeconds = 300
    /// Between two pieces of a response that the client takes.
    public var writeSeconds = 30
    /// For responses under way when the server stops.
    public var stopSeconds = 3.0

    /// The defaults.
    public init() {}

    var stopNanoseconds: Int64 { Int64(max(stopSeconds, 0) * 1e9) }

    /// Whether `connection` has taken longer than it may.
    func isOver(_ connection: Connection, now: Int64) -> Bool {
        let silence = now - connection.lastProgress
        let whole = now - connection.phaseBegin
        func exceeds(_ nanoseconds: Int64, _ seconds: Int) -> Bool { nanoseconds > Int64(seconds) * 1_000_000_000 }
        return switch connection.phase {
        case .head: exceeds(whole, headSeconds)
        case .body: exceeds(silence, bodySeconds) || exceeds(whole, 10 * bodySeconds)
        case .idle: exceeds(silence, idleSeconds)
        case .writing: exceeds(silence, writeSeconds)
        case .draining: exceeds(whole, 2)
        case .working, .live: false
        }
    }
}

/// Where an ``HTTPServer`` listens, and its limits.
public struct HTTPServerConfiguration: Sendable {
    /// What is listened on; at least one.
    public var addresses: [HTTPListenAddress]
    /// Handlers that run at once.
    public var workers = 8
    /// Requests that wait for a handler at most; further ones are answered with 503.
    public var maximumWaitingRequests = 256
    /// Longest request body; a longer one is answered with 413.
    public var maximumBodyBytes = 8 << 20
    /// Longest body of a form; a longer one is answered with 413.
    public var maximumFormBytes = 10 << 20
    /// Longest request line with headers; more is answered with 414 or 431.
    public var maximumHeaderBytes = 64 << 10
    /// Bytes of all request bodies in memory; a body beyond is answered with 503.
    public var maximumRequestBytesInFlight = 192 << 20
    /// Bytes of all responses that wait for slow clients; the connection of a response beyond is closed.
    public var maximumResponseBytesInFlight = 192 << 20
    /// Connections held open at once. For a further one the longest silent one without a running handler is closed.
    public var maximumConnections = 512
    /// How long clients may take.
    public var timeouts = HTTPServerTimeouts()
    /// The TLS context for the next connection; `nil` for none. Called for every connection, so that certificates can
    /// change; must not block.
    public var tls: @Sendable () -> TLSServerContext? = { nil }
    /// Decides about every request before it reaches a handler; `nil` admits all.
    public var authenticator: (any HTTPAuthenticator)?
    /// Whether bodies are compressed for clients that accept gzip or deflate.
    public var compressesResponses = false

    /// A server on `address`:`port`.
    public init(address: String = "127.0.0.1", port: Int = 0) {
        addresses = [.tcp(host: address, port: port)]
    }
}

/// Why a server could not be started.
public struct HTTPServerError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kinds of reason.
    public enum Code: Sendable {
        /// The address is not one of this machine, or no address at all.
        case badAddress
        case addressInUse
        case permissionDenied
        case system
    }

    /// The kind of reason.
    public let code: Code
    /// The address that was asked for.
    public let listenAddress: String
    /// The system's message.
    public let reason: String

    /// An error about the server at `listenAddress`.
    public init(code: Code, listenAddress: String, reason: String) {
        self.code = code
        self.listenAddress = listenAddress
        self.reason = reason
    }

    /// One line for an operator.
    public var description: String { "cannot listen on \(listenAddress): \(reason)" }
}
