internal import Synchronization

/// The counters of a server. May be used from any thread.
final class ServerCounters: Sendable {
    let connectionsAccepted = Atomic<Int>(0)
    let connectionsEvicted = Atomic<Int>(0)
    let connectionsExpired = Atomic<Int>(0)
    let requestsMalformed = Atomic<Int>(0)
    let requestsRefused = Atomic<Int>(0)
    let handshakesFailed = Atomic<Int>(0)
    let responsesDropped = Atomic<Int>(0)
}

/// A snapshot of a server's counters.
public struct HTTPServerStatistics: Equatable, Sendable {
    /// Connections that are open.
    public var openConnections: Int
    /// Connections accepted since the start.
    public var acceptedConnections: Int
    /// Connections closed for a new one because the limit was reached.
    public var evictedConnections: Int
    /// Connections closed because a deadline passed.
    public var expiredConnections: Int
    /// TLS handshakes that failed.
    public var failedHandshakes: Int
    /// Requests rejected because they were malformed, too large, or had no memory for their body.
    public var malformedRequests: Int
    /// Requests that got 503 because too many waited for a handler.
    public var refusedRequests: Int
    /// Responses not sent because those in progress used too much memory.
    public var droppedResponses: Int
    /// Bytes of request bodies in memory.
    public var requestBytesInFlight: Int
    /// Bytes of responses that wait for slow clients.
    public var responseBytesInFlight: Int
}
