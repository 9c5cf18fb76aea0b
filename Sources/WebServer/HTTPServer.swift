internal import Glibc
internal import Runtime
internal import Synchronization

/// An HTTP server: HTTP/1.0 and 1.1 over TCP, TLS and Unix sockets, and HTTP/2 over TLS, with a fixed number of
/// threads.
///
/// A handler may block: other threads continue to read and write. At the limit of running handlers, requests wait in a
/// bounded queue; above its capacity they get 503. Any thread except a handler's may `stop` the server; otherwise
/// `deinit` does.
public final class HTTPServer: Sendable {
    /// The port of the first listener; 0 if it is not a TCP socket.
    public let port: Int
    /// The ports of all listeners, in order; 0 for Unix sockets.
    public let ports: [Int]
    private let core: ServerCore
    private let threads: [WorkerThread]
    private let isStopped = Mutex(false)

    /// Handler threads in addition to those that handlers may occupy, so that reading and writing never wait for a
    /// handler.
    private static let spareThreads = 1
    /// How much handler threads yield to the other threads of the process. Without it, a probe waits until each of
    /// dozens of busy handlers has had its slice.
    private static let handlerNiceness: Int32 = 5

    /// Starts listening.
    ///
    /// - Parameters:
    ///   - probe: responds to requests that must be served even while all handlers are busy, or returns `nil`. It must
    ///     neither wait nor work for longer than a millisecond or two.
    ///   - handler: responds to all other requests. Called on several threads at once.
    public init(
        _ configuration: HTTPServerConfiguration,
        probe: @escaping @Sendable (HTTPServerRequest) -> HTTPServerResponse? = { _ in nil },
        handler: @escaping @Sendable (HTTPServerRequest) -> HTTPServerResponse
    ) throws(HTTPServerError) {
        let listeners = try Listener.open(configuration.addresses)
        guard let core = ServerCore(configuration, listeners, probe: probe, handler: handler) else {
            let reason = unsafe String(cString: strerror(errno))
            for listener in listeners { listener.close() }
            throw HTTPServerError(code: .system, listenAddress: listeners[0].name, reason: reason)
        }
        self.core = core
        port = listeners[0].port
        ports = listeners.map(\.port)
        var started: [WorkerThread] = []
        var failure: WorkerThread.StartError?
        do throws(WorkerThread.StartError) {
            for index in 0..<max(configuration.workers, 1) + Self.spareThreads {
                started.append(try WorkerThread("http-\(index)", niceness: Self.handlerNiceness) { core.work() })
            }
            started.append(try WorkerThread("http-accept") { core.receive(on: core.reception) })
            started.append(try WorkerThread("http-handshake") { core.receive(on: core.handshakes) })
        } catch {
            failure = error
        }
        threads = started
        if let failure {
            stop()
            throw HTTPServerError(code: .system, listenAddress: listeners[0].name, reason: failure.description)
        }
    }

    deinit {
        stop()
    }

    /// The current counters.
    public var statistics: HTTPServerStatistics {
        let counters = core.counters
        return HTTPServerStatistics(
            openConnections: core.table.count,
            acceptedConnections: counters.connectionsAccepted.load(ordering: .relaxed),
            evictedConnections: counters.connectionsEvicted.load(ordering: .relaxed),
            expiredConnections: counters.connectionsExpired.load(ordering: .relaxed),
            failedHandshakes: counters.handshakesFailed.load(ordering: .relaxed),
            malformedRequests: counters.requestsMalformed.load(ordering: .relaxed),
            refusedRequests: counters.requestsRefused.load(ordering: .relaxed),
            droppedResponses: counters.responsesDropped.load(ordering: .relaxed),
            requestBytesInFlight: core.requestBudget.used, responseBytesInFlight: core.responseBudget.used)
    }

    /// Stops listening, lets running handlers finish (they see `isClientGone`), gives their clients some seconds to
    /// receive the responses, and closes every connection. Returns when all of it is done. Must not be called by a
    /// handler.
    public func stop() {
        let isFirst = isStopped.withLock { stopped in
            defer { stopped = true }
            return !stopped
        }
        guard isFirst else { return }
        core.stop()
        for thread in threads { thread.join() }
        core.closeAll()
    }
}
