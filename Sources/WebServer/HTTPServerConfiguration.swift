internal import Runtime
public import TLS

/// An address on which a server listens.
public enum HTTPListenAddress: Equatable, Sendable, CustomStringConvertible {
    /// A numeric address or host name. An empty host means every interface, IPv4 and IPv6. With port 0 the system
    /// chooses one.
    case tcp(host: String, port: Int)
    /// A Unix socket, created with these permissions. A file of an ended process is replaced.
    case unix(path: String, mode: UInt32)
    /// A descriptor that is already listening; systemd's socket activation passes those from 3 on.
    case inherited(descriptor: Int32)

    /// Whether only programs of this machine can reach it. An inherited socket counts as one of the network.
    public var isLocal: Bool {
        switch self {
        case .tcp(let host, _): host == "localhost" || NetworkPrefix.isLoopback(host)
        case .unix: true
        case .inherited: false
        }
    }

    /// The address in messages.
    public var description: String {
        switch self {
        case .tcp(let host, let port): host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path, _): "unix:\(path)"
        case .inherited(let descriptor): "descriptor \(descriptor)"
        }
    }
}

/// Timeouts of a server.
public struct HTTPServerTimeouts: Sendable {
    /// From the first byte of a request, or the start of the connection, to the end of the head.
    public var headSeconds = 10
    /// Between two pieces of a request body. The whole body may take ten times as long.
    public var bodySeconds = 30
    /// Between two requests.
    public var idleSeconds = 300
    /// Between two pieces of a response that the client receives.
    public var writeSeconds = 30
    /// For responses in progress when the server stops.
    public var stopSeconds = 3.0

    /// The defaults.
    public init() {}

    var stopNanoseconds: Int64 { Int64(max(stopSeconds, 0) * 1e9) }

    /// Whether a timeout of `connection` has expired.
    func isOver(_ connection: Connection, now: Int64) -> Bool {
        let silence = now - connection.lastProgress
        let whole = now - connection.phaseBegin
        func exceeds(_ nanoseconds: Int64, _ seconds: Int) -> Bool { nanoseconds > Int64(seconds) * 1_000_000_000 }
        // A request that never ends is not hidden by others of its connection.
        if let since = connection.unfinishedSince, exceeds(now - since, 10 * bodySeconds) { return true }
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

/// The addresses of an ``HTTPServer``, and its limits.
public struct HTTPServerConfiguration: Sendable {
    /// The addresses; at least one.
    public var addresses: [HTTPListenAddress]
    /// The maximum number of concurrent handlers.
    public var workers = 8
    /// The maximum number of requests that wait for a handler. Further ones get 503.
    public var maximumWaitingRequests = 256
    /// The maximum size of a request body. A larger one gets 413.
    public var maximumBodyBytes = 8 << 20
    /// The maximum size of a form. A larger one gets 413.
    public var maximumFormBytes = 10 << 20
    /// The maximum size of the request line and headers. More gets 414 or 431.
    public var maximumHeaderBytes = 64 << 10
    /// The maximum size of all request bodies in memory. A body above it gets 503.
    public var maximumRequestBytesInFlight = 192 << 20
    /// The maximum size of all responses that wait for slow clients. Above it, the connection is closed.
    public var maximumResponseBytesInFlight = 192 << 20
    /// The maximum number of open connections. For a new one, the longest silent one without a running handler is
    /// closed.
    public var maximumConnections = 512
    /// Timeouts.
    public var timeouts = HTTPServerTimeouts()
    /// The TLS context for the next connection; `nil` for none. Called for every connection, so that certificates can
    /// change; must not block.
    public var tls: @Sendable () -> TLSServerContext? = { nil }
    /// Authenticates every request before it reaches a handler; `nil` admits all.
    public var authenticator: (any HTTPAuthenticator)?
    /// Writes the response to a request that is refused before it reaches a handler, such as one that is too long.
    public var refusal: @Sendable (_ status: Int, _ reason: String) -> HTTPServerResponse = { status, reason in
        .text(reason + "\n", status: status)
    }
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
        /// The address does not belong to this machine, or is invalid.
        case badAddress
        case addressInUse
        case permissionDenied
        case system
    }

    /// The kind of reason.
    public let code: Code
    /// The requested address.
    public let listenAddress: String
    /// The system's message.
    public let reason: String

    /// An error about the server at `listenAddress`.
    public init(code: Code, listenAddress: String, reason: String) {
        self.code = code
        self.listenAddress = listenAddress
        self.reason = reason
    }

    /// The error, one line.
    public var description: String { "cannot listen on \(listenAddress): \(reason)" }
}
