internal import CMicroHTTP
internal import Glibc
internal import Runtime
internal import Synchronization

/// An HTTP/1.1 server over libmicrohttpd: one polling thread, and a bounded pool of workers that run the handler.
///
/// A handler may block: its connection is suspended meanwhile and the polling thread goes on. When every worker is busy,
/// requests wait in a queue that is as long as there may be connections. Any thread may `stop` the server; an owner that
/// forgets to is served by `deinit`.
///
/// `@unchecked`: `daemon` is written once in `init`, before anybody else can see it, and read by `stop`.
@safe public final class HTTPServer: @unchecked Sendable {
    /// The port that is listened on.
    public let port: Int
    private var daemon: OpaquePointer?
    private let requests: RequestQueue
    private var workers: [WorkerThread] = []
    private let isStopped = Mutex(false)

    /// Starts to listen.
    ///
    /// - Parameters:
    ///   - brief: Answers at once what takes no time, or gives `nil` to have the request go to a worker. It runs on the polling
    ///     thread, so that every connection waits for it: it must neither wait nor work for longer than a millisecond or two.
    ///   - handler: Answers everything else; runs on the workers, several at once.
    public init(
        _ configuration: HTTPServerConfiguration,
        brief: @escaping @Sendable (HTTPServerRequest) -> HTTPServerResponse? = { _ in nil },
        handler: @escaping @Sendable (HTTPServerRequest) -> HTTPServerResponse
    ) throws(HTTPServerError) {
        let (socket, port) = try ListeningSocket.open(address: configuration.address, port: configuration.port)
        self.port = port
        let requests = RequestQueue(configuration, brief: brief, handler: handler)
        self.requests = requests
        unsafe daemon = cmicrohttp_start(
            socket, UInt32(clamping: configuration.maximumConnections),
            UInt32(clamping: configuration.idleTimeoutSeconds), max(configuration.maximumHeaderBytes, 1024),
            Unmanaged.passUnretained(requests).toOpaque(), HTTPServer.began, HTTPServer.received,
            HTTPServer.completed, HTTPServer.connected)
        guard unsafe daemon != nil else {
            close(socket)
            throw HTTPServerError(
                code: .system, listenAddress: "\(configuration.address):\(port)",
                reason: "the server's thread could not be started")
        }
        workers = (0..<max(configuration.workers, 1)).map { index in
            WorkerThread("http-\(index)") { requests.work() }
        }
    }

    deinit {
        stop()
    }

    /// Stops listening, lets requests that are being worked on finish (they see `isClientGone`), gives their clients three
    /// seconds to take the answers, and closes every connection. Returns when all of it is done; must not be called by a handler.
    public func stop() {
        let isFirst = isStopped.withLock { stopped in
            defer { stopped = true }
            return !stopped
        }
        guard isFirst, let daemon = unsafe daemon else { return }
        let socket = unsafe MHD_quiesce_daemon(daemon)
        if socket >= 0 { close(socket) }
        requests.close()
        // libmicrohttpd must not be stopped while connections are suspended; once the workers are gone none is.
        for worker in workers { worker.join() }
        // It closes connections without sending what they were about to be sent.
        requests.waitUntilSent(limitNanoseconds: 3_000_000_000)
        unsafe MHD_stop_daemon(daemon)
    }
}

// MARK: What libmicrohttpd calls, always on its polling thread

extension HTTPServer {
    private static let began:
        @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>?, OpaquePointer?) -> UnsafeMutableRawPointer? = {
            _, target, connection in
            guard let target = unsafe target, let connection = unsafe connection else { return nil }
            let bytes = unsafe UnsafeBufferPointer(start: target, count: strlen(target)).map(UInt8.init(bitPattern:))
            let exchange = unsafe Exchange(connection: connection, target: bytes)
            return unsafe Unmanaged.passRetained(exchange).toOpaque()
        }

    private static let connected: MHD_NotifyConnectionCallback = { context, connection, _, event in
        guard let context = unsafe context, let connection = unsafe connection else { return }
        let table = unsafe Unmanaged<RequestQueue>.fromOpaque(context).takeUnretainedValue().connections
        if event == .CONNECTION_NOTIFY_STARTED {
            unsafe table.opened(connection)
        } else {
            unsafe table.closed(connection)
        }
    }

    private static let completed: MHD_RequestCompletedCallback = { context, _, state, _ in
        guard let context = unsafe context, let pointer = unsafe state?.pointee else { return }
        unsafe state?.pointee = nil
        let exchange = unsafe Unmanaged<Exchange>.fromOpaque(pointer).takeRetainedValue()
        unsafe Unmanaged<RequestQueue>.fromOpaque(context).takeUnretainedValue().completed(exchange)
    }

    private static let received: MHD_AccessHandlerCallback = { context, _, _, method, _, bytes, count, state in
        guard let context = unsafe context, let pointer = unsafe state?.pointee, let count = unsafe count else {
            return .NO
        }
        let requests = unsafe Unmanaged<RequestQueue>.fromOpaque(context).takeUnretainedValue()
        let exchange = unsafe Unmanaged<Exchange>.fromOpaque(pointer).takeUnretainedValue()
        switch exchange.phase {
        case .begun:
            exchange.headersArrived(method: unsafe method.map { unsafe String(cString: $0) } ?? "")
            return requests.headersArrived(exchange)
        case .receiving:
            let length = unsafe count.pointee
            guard length > 0, let bytes = unsafe bytes else { return requests.requestArrived(exchange) }
            unsafe count.pointee = 0
            let piece = unsafe UnsafeRawBufferPointer(start: bytes, count: length)
            return unsafe requests.bodyArrived(piece, exchange)
        case .working:
            return exchange.response.map { exchange.queue($0, requests) } ?? .NO
        }
    }
}
