internal import CWebServer
internal import Glibc
internal import Runtime
internal import Synchronization
internal import TLS

/// The shared state of a server's threads. Each thread waits for an event, reads or writes as much as the socket
/// allows, and runs the handler of a complete request. A request whose handler can run at once needs no thread change.
final class ServerCore: Sendable {
    let configuration: HTTPServerConfiguration
    let poller: Poller
    let table: ConnectionTable
    let scheduler: RequestScheduler
    let requestBudget: ByteBudget
    let responseBudget: ByteBudget
    let counters = ServerCounters()
    private let listeners: [Int32: Listener]
    private let probe: @Sendable (HTTPServerRequest) -> HTTPServerResponse?
    private let handler: @Sendable (HTTPServerRequest) -> HTTPServerResponse
    /// Connections that must continue because of a body source or the stop.
    private let woken = Mutex<[Connection]>([])
    private let stopping = Atomic<Bool>(false)

    /// The maximum number of bytes per read.
    private static let scratchBytes = 64 << 10
    private static let acceptsAtOnce = 256

    init?(
        _ configuration: HTTPServerConfiguration, _ listeners: [Listener],
        probe: @escaping @Sendable (HTTPServerRequest) -> HTTPServerResponse?,
        handler: @escaping @Sendable (HTTPServerRequest) -> HTTPServerResponse
    ) {
        guard let poller = Poller(tickMilliseconds: 250) else { return nil }
        self.poller = poller
        self.configuration = configuration
        self.probe = probe
        self.handler = handler
        self.listeners = Dictionary(uniqueKeysWithValues: listeners.map { ($0.descriptor, $0) })
        table = ConnectionTable(capacity: configuration.maximumConnections)
        scheduler = RequestScheduler(limit: configuration.workers, capacity: configuration.maximumWaitingRequests)
        requestBudget = ByteBudget(limit: configuration.maximumRequestBytesInFlight)
        responseBudget = ByteBudget(limit: configuration.maximumResponseBytesInFlight)
        for listener in listeners where !poller.add(listener.descriptor, .readable) {
            poller.close()
            return nil
        }
    }

    deinit {
        poller.close()
    }

    var isStopping: Bool { stopping.load(ordering: .relaxed) }

    // MARK: A thread

    func work() {
        let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.scratchBytes, alignment: 16)
        defer { unsafe scratch.deallocate() }
        while true {
            switch poller.next() {
            case .stop: return
            case .tick: expire()
            case .wake: unsafe resumeWoken(scratch)
            case .descriptor(let descriptor, let events):
                if let listener = listeners[descriptor] {
                    accept(on: listener)
                } else if let connection = table[descriptor] {
                    unsafe serve(connection.ready(events, scratch), scratch)
                }
            }
        }
    }

    /// Runs the handlers of `requests` and then of other waiting requests.
    private func serve(_ requests: [PendingRequest], _ scratch: UnsafeMutableRawBufferPointer) {
        if requests.isEmpty { return }
        unsafe submit(requests, scratch)
        unsafe runWaiting(scratch)
    }

    private func runWaiting(_ scratch: UnsafeMutableRawBufferPointer) {
        while let (request, more) = scheduler.next() {
            if more { poller.wake() }
            let response = response(to: request)
            let further = unsafe request.connection.respond(response, to: request.session.stream, scratch)
            unsafe submit(further, scratch)
            scheduler.finished()
        }
    }

    /// Responds to probes at once, and queues the other requests.
    private func submit(_ requests: [PendingRequest], _ scratch: UnsafeMutableRawBufferPointer) {
        var left = requests
        while let pending = left.popLast() {
            if let response = quickResponse(to: pending.session.request) {
                left += unsafe pending.connection.respond(response, to: pending.session.stream, scratch)
            } else if !scheduler.submit(pending) {
                counters.requestsRefused.add(1, ordering: .relaxed)
                let fault = HTTPFault(status: 503, reason: "too many requests are waiting")
                let response = fault.response(configuration.refusal)
                unsafe pending.connection.turnAway(response, from: pending.session.stream, scratch)
            }
        }
    }

    /// A refusal, or the response to a probe; `nil` if a handler must run.
    private func quickResponse(to request: HTTPServerRequest) -> HTTPServerResponse? {
        guard let authenticator = configuration.authenticator else {
            return probe(request).map { encoded($0, request) }
        }
        switch authenticator.quickDecision(request) {
        case .refuse(let response): return encoded(response, request)
        case .admit(let identity):
            var request = request
            request.identity = identity
            return probe(request).map { encoded($0, request) }
        case nil: return nil
        }
    }

    private func response(to pending: PendingRequest) -> HTTPServerResponse {
        var request = pending.session.request
        let connection = ClientConnection(
            server: self, connection: pending.connection, abandonment: pending.session.abandonment)
        // The response to a request whose stream was reset while it waited is not needed.
        if let abandonment = pending.session.abandonment, abandonment.isSet { return HTTPServerResponse(status: 503) }
        if let authenticator = configuration.authenticator {
            switch authenticator.decide(request) {
            case .refuse(let response): return encoded(response, request)
            case .admit(let identity): request.identity = identity
            }
        }
        request.connection = connection
        return encoded(handler(request), request)
    }

    private func encoded(_ response: HTTPServerResponse, _ request: HTTPServerRequest) -> HTTPServerResponse {
        var response = response
        if let authenticator = configuration.authenticator {
            for header in authenticator.responseHeaders
            where !response.headers.contains(where: { ASCIIText.equal($0.name, header.name) }) {
                response.headers.append(header)
            }
        }
        guard configuration.compressesResponses else { return response }
        response.compress(accepted: request[header: "Accept-Encoding"])
        return response
    }

    // MARK: Connections

    private func accept(on listener: Listener) {
        for _ in 0..<Self.acceptsAtOnce {
            let descriptor = cweb_accept(listener.descriptor)
            if descriptor < 0 {
                // Without free descriptors no connection could be accepted until another one ends.
                if errno == EMFILE || errno == ENFILE, table.breakOffSilent() {
                    counters.connectionsEvicted.add(1, ordering: .relaxed)
                }
                break
            }
            open(descriptor, listener)
        }
        if !isStopping { poller.arm(listener.descriptor, .readable) }
    }

    private func open(_ descriptor: Int32, _ listener: Listener) {
        if isStopping {
            close(descriptor)
            return
        }
        let limits = RequestReader.Limits(
            headBytes: max(configuration.maximumHeaderBytes, 1024), bodyBytes: max(configuration.maximumBodyBytes, 0),
            budget: requestBudget)
        let wake = WakeTarget(server: self)
        var peer = listener.peer(of: descriptor)
        guard let transport = transport(descriptor, listener) else {
            close(descriptor)
            return
        }
        let connection = Connection(descriptor, transport, server: self) { [unowned self] transport in
            if case .tls(_, let connection) = transport {
                peer.isEncrypted = true
                peer.certificate = connection.clientCertificate
            }
            let context = SessionContext(
                limits: limits, peer: peer, formLimit: configuration.maximumFormBytes, wake: { wake.fire() },
                onRefusal: { [unowned self] in refused($0) })
            guard case .tls(_, let connection) = transport, connection.applicationProtocol == "h2" else {
                return HTTP1Session(context)
            }
            return HTTP2Session(context)
        }
        wake.set(connection)
        counters.connectionsAccepted.add(1, ordering: .relaxed)
        if table.insert(connection) { counters.connectionsEvicted.add(1, ordering: .relaxed) }
        // Only now, when the table contains it, may another thread see its events.
        if !poller.add(descriptor, .readable) { closed(connection) }
    }

    /// The transport of a new connection; `nil` without memory. Unix sockets need no TLS.
    private func transport(_ descriptor: Int32, _ listener: Listener) -> Transport? {
        guard !listener.isUnix, let context = configuration.tls() else { return .plain(descriptor) }
        return TLSConnection(context, descriptor: descriptor).map { .tls(descriptor, $0) }
    }

    func handshakeFailed() {
        counters.handshakesFailed.add(1, ordering: .relaxed)
    }

    /// A connection was closed. Called once, by the thread that has its lock.
    func closed(_ connection: Connection) {
        table.remove(connection)
        close(connection.descriptor)
    }

    /// Schedules a connection although its socket is not ready.
    func wake(_ connection: Connection) {
        woken.withLock { $0.append(connection) }
        poller.wake()
    }

    private func resumeWoken(_ scratch: UnsafeMutableRawBufferPointer) {
        let connections = woken.withLock { woken in
            defer { woken.removeAll(keepingCapacity: true) }
            return woken
        }
        for connection in connections {
            unsafe submit(connection.resume(stopping: isStopping, scratch), scratch)
        }
        unsafe runWaiting(scratch)
    }

    // MARK: Limits

    private func refused(_ fault: HTTPFault) -> HTTPServerResponse {
        counters.requestsMalformed.add(1, ordering: .relaxed)
        let response = fault.response(configuration.refusal)
        guard fault == .noMemoryForBody else { return response }
        // A connection that uses memory and sends nothing makes room for another one.
        let limit = SystemClock.monotonicNanoseconds() - 1_000_000_000
        table.breakOff { $0.phase == .body && $0.lastProgress < limit }
        return response
    }

    /// A response did not fit in the budget.
    func responseDropped() {
        counters.responsesDropped.add(1, ordering: .relaxed)
        let limit = SystemClock.monotonicNanoseconds() - 1_000_000_000
        table.breakOff { $0.phase == .writing && $0.lastProgress < limit }
    }

    private func expire() {
        let now = SystemClock.monotonicNanoseconds()
        let timeouts = configuration.timeouts
        let count = table.breakOff { timeouts.isOver($0, now: now) }
        counters.connectionsExpired.add(count, ordering: .relaxed)
    }

    // MARK: Stopping

    /// Accepts no more connections or requests. Returns when everything in progress is done, and its clients have
    /// received the responses or were too slow.
    func stop() {
        stopping.store(true, ordering: .sequentiallyConsistent)
        for listener in listeners.values {
            poller.remove(listener.descriptor)
            listener.close()
        }
        let open = table.all()
        woken.withLock { $0 += open }
        poller.wake()
        while !scheduler.isIdle { usleep(500) }
        let deadline = SystemClock.monotonicNanoseconds() + configuration.timeouts.stopNanoseconds
        while table.count > 0, SystemClock.monotonicNanoseconds() < deadline { usleep(500) }
        table.breakOff { _ in true }
        poller.stop()
    }

    /// Closes the remaining connections, after the threads have ended.
    func closeAll() {
        for connection in table.all() { closed(connection) }
    }
}

/// Notifies the server that a connection's body has data, without keeping either alive.
private final class WakeTarget: Sendable {
    private struct Target {
        weak var server: ServerCore?
        weak var connection: Connection?
    }

    private let target: Mutex<Target>

    init(server: ServerCore) {
        target = Mutex(Target(server: server))
    }

    func set(_ connection: Connection) {
        target.withLock { $0.connection = connection }
    }

    func fire() {
        let (server, connection) = target.withLock { ($0.server, $0.connection) }
        if let server, let connection { server.wake(connection) }
    }
}
