internal import CWebServer
internal import Glibc
internal import Runtime
internal import Synchronization
internal import TLS

/// The shared state of a server's threads, of which there are three kinds.
///
/// The reception thread accepts connections, reads their first heads and answers probes; another thread does the same
/// for TLS after the handshake. They run no handler, read no body, and have priority over the rest, so that neither
/// handlers nor thousands of clients delay a probe. With anything else a connection moves to the handler threads. Each
/// of them waits for an event, reads or writes as much as the socket allows, and runs the handler of a complete
/// request. A request whose handler can run at once needs no thread change.
final class ServerCore: Sendable {
    let configuration: HTTPServerConfiguration
    /// The events of the handler threads.
    let poller: Poller
    /// The events of listeners, and of plain connections without a request for a handler.
    let reception: Poller
    /// The events of such connections with TLS.
    let handshakes: Poller
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
    /// How long an evicted connection counts as a sign of too many clients.
    private static let pressureNanoseconds: Int64 = 1_000_000_000

    init?(
        _ configuration: HTTPServerConfiguration, _ listeners: [Listener],
        probe: @escaping @Sendable (HTTPServerRequest) -> HTTPServerResponse?,
        handler: @escaping @Sendable (HTTPServerRequest) -> HTTPServerResponse
    ) {
        let pollers = (0..<3).compactMap { _ in Poller(tickMilliseconds: 250) }
        guard pollers.count == 3 else {
            for poller in pollers { poller.close() }
            return nil
        }
        (poller, reception, handshakes) = (pollers[0], pollers[1], pollers[2])
        self.configuration = configuration
        self.probe = probe
        self.handler = handler
        self.listeners = Dictionary(uniqueKeysWithValues: listeners.map { ($0.descriptor, $0) })
        table = ConnectionTable(capacity: configuration.maximumConnections)
        // Twice the processors: one handler of two may wait for something.
        scheduler = RequestScheduler(
            limit: configuration.workers, limitUnderPressure: 2 * max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1),
            capacity: configuration.maximumWaitingRequests)
        requestBudget = ByteBudget(limit: configuration.maximumRequestBytesInFlight)
        responseBudget = ByteBudget(limit: configuration.maximumResponseBytesInFlight)
        for listener in listeners where !reception.add(listener.descriptor, .readable) {
            // `deinit` closes both.
            return nil
        }
    }

    deinit {
        for poller in [poller, reception, handshakes] { poller.close() }
    }

    var isStopping: Bool { stopping.load(ordering: .relaxed) }

    // MARK: A thread

    /// The loop of a handler thread.
    func work() {
        let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.scratchBytes, alignment: 16)
        defer { unsafe scratch.deallocate() }
        while true {
            switch poller.next() {
            case .stop: return
            case .tick: expire()
            case .wake: unsafe resumeWoken(scratch)
            case .descriptor(let descriptor, let events):
                guard let connection = table[descriptor] else { continue }
                let requests = unsafe connection.ready(events, scratch)
                if requests.isEmpty { continue }
                unsafe submit(requests, scratch)
                unsafe runWaiting(scratch)
            }
        }
    }

    /// The loop of the reception thread, or of that for handshakes.
    func receive(on reception: Poller) {
        let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.scratchBytes, alignment: 16)
        defer { unsafe scratch.deallocate() }
        while true {
            switch reception.next() {
            case .stop: return
            case .tick, .wake: continue
            case .descriptor(let descriptor, let events):
                let hasQueued: Bool
                if let listener = listeners[descriptor] {
                    hasQueued = unsafe accept(on: listener, scratch)
                } else if let connection = table[descriptor] {
                    hasQueued = unsafe submit(connection.ready(events, scratch), scratch)
                } else {
                    hasQueued = false
                }
                if hasQueued { poller.wake() }
            }
        }
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

    /// Responds to probes at once, and queues the other requests. Returns whether it has queued one.
    @discardableResult
    private func submit(_ requests: [PendingRequest], _ scratch: UnsafeMutableRawBufferPointer) -> Bool {
        var left = requests
        var hasQueued = false
        while let pending = left.popLast() {
            if let response = quickResponse(to: pending.session.request) {
                left += unsafe pending.connection.respond(response, to: pending.session.stream, scratch)
                continue
            }
            pending.connection.leaveReception()
            if scheduler.submit(pending) {
                hasQueued = true
            } else {
                counters.requestsRefused.add(1, ordering: .relaxed)
                let response = refusal(HTTPFault(status: 503, reason: "too many requests are waiting"))
                unsafe pending.connection.turnAway(response, from: pending.session.stream, scratch)
            }
        }
        return hasQueued
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
        var response = withStandardHeaders(response)
        guard configuration.compressesResponses else { return response }
        response.compress(accepted: request[header: "Accept-Encoding"])
        return response
    }

    /// `response` with the headers that every response has.
    private func withStandardHeaders(_ response: HTTPServerResponse) -> HTTPServerResponse {
        guard let authenticator = configuration.authenticator else { return response }
        var response = response
        for header in authenticator.responseHeaders
        where !response.headers.contains(where: { ASCIIText.equal($0.name, header.name) }) {
            response.headers.append(header)
        }
        return response
    }

    // MARK: Connections

    /// Accepts the waiting connections. Returns whether a request was queued.
    private func accept(on listener: Listener, _ scratch: UnsafeMutableRawBufferPointer) -> Bool {
        var hasQueued = false
        for _ in 0..<Self.acceptsAtOnce {
            let descriptor = cweb_accept(listener.descriptor)
            if descriptor < 0 {
                // Without free descriptors no connection could be accepted until another one ends.
                if errno == EMFILE || errno == ENFILE, table.breakOffSilent() { evicted() }
                break
            }
            if unsafe open(descriptor, listener, scratch) { hasQueued = true }
        }
        if !isStopping { reception.arm(listener.descriptor, .readable) }
        return hasQueued
    }

    private func open(
        _ descriptor: Int32, _ listener: Listener, _ scratch: UnsafeMutableRawBufferPointer
    ) -> Bool {
        if isStopping {
            close(descriptor)
            return false
        }
        let limits = RequestReader.Limits(
            headBytes: max(configuration.maximumHeaderBytes, 1024), bodyBytes: max(configuration.maximumBodyBytes, 0),
            budget: requestBudget)
        let wake = WakeTarget(server: self)
        var peer = listener.peer(of: descriptor)
        guard let transport = transport(descriptor, listener) else {
            close(descriptor)
            return false
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
        if table.insert(connection) { evicted() }
        // Only now, when the table contains it, may another thread see its events.
        guard connection.begin() else {
            closed(connection)
            return false
        }
        // The request has usually come with the connection: a probe gets its answer before others are accepted.
        guard case .plain = transport else { return false }
        return unsafe submit(connection.ready(.readable, scratch), scratch)
    }

    /// The transport of a new connection; `nil` without memory. Unix sockets need no TLS.
    private func transport(_ descriptor: Int32, _ listener: Listener) -> Transport? {
        guard !listener.isUnix, let context = configuration.tls() else { return .plain(descriptor) }
        return TLSConnection(context, descriptor: descriptor).map { .tls(descriptor, $0) }
    }

    /// A connection was closed for a newer one. While clients do that to each other, few handlers run at once, so that
    /// those who accept get their share of the processor.
    private func evicted() {
        counters.connectionsEvicted.add(1, ordering: .relaxed)
        scheduler.isUnderPressure(until: SystemClock.monotonicNanoseconds() + Self.pressureNanoseconds)
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

    private func refusal(_ fault: HTTPFault) -> HTTPServerResponse {
        withStandardHeaders(fault.response(configuration.refusal))
    }

    private func refused(_ fault: HTTPFault) -> HTTPServerResponse {
        counters.requestsMalformed.add(1, ordering: .relaxed)
        let response = refusal(fault)
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
            reception.remove(listener.descriptor)
            listener.close()
        }
        let open = table.all()
        woken.withLock { $0 += open }
        poller.wake()
        while !scheduler.isIdle { usleep(500) }
        let deadline = SystemClock.monotonicNanoseconds() + configuration.timeouts.stopNanoseconds
        while table.count > 0, SystemClock.monotonicNanoseconds() < deadline { usleep(500) }
        table.breakOff { _ in true }
        for poller in [poller, reception, handshakes] { poller.stop() }
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
