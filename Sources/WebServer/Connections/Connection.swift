internal import CWebServer
internal import Glibc
internal import Runtime
internal import Synchronization

/// One connection: its socket, its protocol, and the bytes waiting to be sent.
///
/// `@unchecked`: `session`, `output`, `charge` and the flags below them are accessed under `lock`; the rest is constant
/// or atomic. Handlers run without the lock.
@safe final class Connection: @unchecked Sendable {
    let descriptor: Int32
    private unowned let server: ServerCore
    private let transport: Transport
    private let lock = Mutex(())

    private var session: any ProtocolSession
    /// Creates the session when the handshake has selected a protocol.
    private var establish: ((Transport) -> (any ProtocolSession)?)?
    private var output = Output()
    /// The waiting bytes' share of the budget.
    private var charge: ByteCharge?
    private var isClosed = false
    /// Whose threads handle its events.
    private var home: Poller
    /// The events for which it was armed last.
    private var armed = Poller.Events.readable
    /// The stream of the oldest request that has not arrived completely; 0 for none.
    private var unfinished: Int32 = 0
    private var isDraining = false
    private var drained = 0

    private let phaseCode = Atomic<UInt8>(ConnectionPhase.head.rawValue)
    private let phaseBegan: Atomic<Int64>
    private let progressed: Atomic<Int64>
    private let unfinishedBegan = Atomic<Int64>(0)
    private let isCondemned = Atomic<Bool>(false)

    /// The maximum number of bytes discarded after a response that ends the connection.
    private static let maximumDrained = 1 << 20
    /// The maximum number of reads and writes before other connections are handled.
    private static let turns = 16
    /// Fewer bytes than this are not counted: they are comparable to the connection's own memory.
    private static let uncounted = 64 << 10

    /// - Parameter establish: creates the session when the handshake, if there is one, is done; `nil` closes the
    ///   connection.
    init(
        _ descriptor: Int32, _ transport: Transport, server: ServerCore,
        establish: @escaping (Transport) -> (any ProtocolSession)?
    ) {
        self.descriptor = descriptor
        self.transport = transport
        session = UnestablishedSession()
        self.establish = establish
        self.server = server
        home = if case .tls = transport { server.handshakes } else { server.reception }
        let now = SystemClock.monotonicNanoseconds()
        phaseBegan = Atomic(now)
        progressed = Atomic(now)
    }

    // MARK: State for any thread

    var phase: ConnectionPhase { ConnectionPhase(rawValue: phaseCode.load(ordering: .relaxed)) ?? .head }
    /// The start of the phase, on the monotonic clock.
    var phaseBegin: Int64 { phaseBegan.load(ordering: .relaxed) }
    /// The time of the last bytes received or sent.
    var lastProgress: Int64 { progressed.load(ordering: .relaxed) }
    /// Since when the oldest unfinished request among several is arriving; `nil` for none.
    var unfinishedSince: Int64? {
        let began = unfinishedBegan.load(ordering: .relaxed)
        return began == 0 ? nil : began
    }
    /// Connections of a lower class are closed first to make room for new ones.
    var evictionClass: Int { phase == .live ? 1 : 0 }
    /// Whether it was selected to be closed.
    var isDoomed: Bool { isCondemned.load(ordering: .relaxed) }

    /// Shuts the connection down; the next thread that handles it closes it. Only while the table contains it, so that
    /// the descriptor is still its own. Returns false if it was already shut down.
    func breakOff() -> Bool {
        if isCondemned.exchange(true, ordering: .relaxed) { return false }
        shutdown(descriptor, Int32(SHUT_RDWR))
        return true
    }

    // MARK: Events

    /// The socket is ready. Returns the completed requests.
    func ready(_ events: Poller.Events, _ scratch: UnsafeMutableRawBufferPointer) -> [PendingRequest] {
        lock.withLock { _ in
            if isClosed { return [] }
            if events.contains(.failed) || phase == .live && !events.isDisjoint(with: [.peerClosed, .hungUp]) {
                close()
                return []
            }
            if isDraining {
                unsafe drain(scratch)
                return []
            }
            guard establish == nil || shakeHands() else { return [] }
            return unsafe advance(reads: !events.isDisjoint(with: [.readable, .hungUp, .peerClosed]), scratch)
        }
    }

    /// Registers the connection. A plain one is then read at once, and waits for its first bytes after that. False
    /// without memory.
    func begin() -> Bool {
        if case .plain = transport { return home.add(descriptor, []) }
        return home.add(descriptor, .readable)
    }

    /// The connection has a request for a handler: from now on the handler threads handle its events.
    func leaveReception() {
        lock.withLock { _ in
            if !isClosed { moveToHandlers() }
        }
    }

    /// Takes the response of a handler. Returns the requests that were received after it.
    func respond(
        _ response: HTTPServerResponse, to stream: Int32, _ scratch: UnsafeMutableRawBufferPointer
    ) -> [PendingRequest] {
        lock.withLock { _ in
            if isClosed { return [] }
            session.respond(response, to: stream)
            return unsafe advance(reads: transport.hasBuffered, scratch)
        }
    }

    /// The server is overloaded: the client gets this response and no other, whatever else it has sent.
    func turnAway(
        _ response: HTTPServerResponse, from stream: Int32, _ scratch: UnsafeMutableRawBufferPointer
    ) {
        lock.withLock { _ in
            if isClosed { return }
            session.stop()
            session.respond(response, to: stream)
            // Requests that already wait are still served. This call returns none.
            _ = unsafe advance(reads: false, scratch)
        }
    }

    /// A waiting body has data, or the server is stopping.
    func resume(stopping: Bool, _ scratch: UnsafeMutableRawBufferPointer) -> [PendingRequest] {
        lock.withLock { _ in
            if isClosed || isDraining { return [] }
            if stopping, establish != nil {
                close()
                return []
            }
            if stopping { session.stop() }
            return unsafe advance(reads: transport.hasBuffered, scratch)
        }
    }

    // MARK: Under the lock

    /// Continues the handshake. Returns whether it is done.
    private func shakeHands() -> Bool {
        switch transport.handshake() {
        case .bytes:
            guard let session = establish?(transport) else { break }
            self.session = session
            establish = nil
            return true
        case .blocked(let writing):
            arm(writing ? .writable : .readable)
            return false
        case .ended, .failed: server.handshakeFailed()
        }
        close()
        return false
    }

    private func advance(reads: Bool, _ scratch: UnsafeMutableRawBufferPointer) -> [PendingRequest] {
        var requests: [PendingRequest] = []
        var reads = reads
        var turns = 0
        var isBlocked = false
        var readsWhenWritable = false
        while turns < Self.turns {
            if output.isEmpty { session.fill(&output) }
            if !output.isEmpty, !isBlocked {
                turns += 1
                switch transport.write(output) {
                case .bytes(let count):
                    output.sent(count)
                    progress()
                    continue
                case .blocked: isBlocked = true
                case .ended, .failed:
                    close()
                    return []
                }
            }
            if output.isEmpty, session.isFinished {
                finish()
                return requests
            }
            while let request = session.nextRequest() { requests.append(PendingRequest(self, request)) }
            guard reads, session.wantsInput else { break }
            turns += 1
            switch unsafe transport.read(into: scratch) {
            case .bytes(let count):
                progress()
                unsafe session.receive(UnsafeRawBufferPointer(rebasing: scratch[..<count]))
                reads = count == scratch.count || transport.hasBuffered
            case .blocked(let writing):
                reads = false
                readsWhenWritable = writing
            case .ended:
                session.inputEnded()
                reads = false
            case .failed:
                close()
                return []
            }
        }
        while let request = session.nextRequest() { requests.append(PendingRequest(self, request)) }
        guard account() else {
            server.responseDropped()
            close()
            return []
        }
        // After the maximum number of turns the socket is writable, which schedules the connection again after others.
        wait(whenWritable: readsWhenWritable || turns >= Self.turns)
        return requests
    }

    /// Counts the waiting bytes in the server's budget. Returns false if it is used up.
    private func account() -> Bool {
        let count = output.count + session.retainedBytes
        charge = nil
        guard count > Self.uncounted else { return true }
        charge = ByteCharge(count, of: server.responseBudget)
        return charge != nil
    }

    private func wait(whenWritable: Bool) {
        noteUnfinished()
        enter(output.isEmpty ? session.phase : session.phase == .working ? .working : .writing)
        var events: Poller.Events = []
        if !output.isEmpty || whenWritable { events.insert(.writable) }
        if session.wantsInput {
            events.insert(.readable)
        } else if session.phase == .live {
            events.insert(.peerClosed)
        }
        if phase == .idle { output.release() }
        armed = []
        if !events.isEmpty { arm(events) }
        // Bodies and long responses would delay those who have just come.
        if phase == .body || phase == .writing || phase == .live { moveToHandlers() }
        if transport.hasBuffered, session.wantsInput { server.wake(self) }
    }

    private func noteUnfinished() {
        let oldest = session.oldestUnfinished
        guard oldest != unfinished else { return }
        unfinished = oldest
        unfinishedBegan.store(oldest == 0 ? 0 : SystemClock.monotonicNanoseconds(), ordering: .relaxed)
    }

    private func arm(_ events: Poller.Events) {
        armed = events
        home.arm(descriptor, events)
    }

    private func moveToHandlers() {
        guard home != server.poller else { return }
        home.remove(descriptor)
        home = server.poller
        // Only a descriptor that is not its own, or a lack of memory, makes this fail; then it expires.
        _ = home.add(descriptor, armed)
    }

    private func enter(_ next: ConnectionPhase) {
        guard next != phase else { return }
        phaseCode.store(next.rawValue, ordering: .relaxed)
        phaseBegan.store(SystemClock.monotonicNanoseconds(), ordering: .relaxed)
    }

    private func progress() {
        progressed.store(SystemClock.monotonicNanoseconds(), ordering: .relaxed)
    }

    /// The last response was sent.
    private func finish() {
        transport.finishWriting()
        guard session.needsDraining else { return close() }
        isDraining = true
        enter(.draining)
        arm(.readable)
        moveToHandlers()
    }

    private func drain(_ scratch: UnsafeMutableRawBufferPointer) {
        while case .bytes(let count) = unsafe transport.read(into: scratch) {
            drained += count
            if drained > Self.maximumDrained { return close() }
        }
        var byte: UInt8 = 0
        let isOpen = unsafe recv(descriptor, &byte, 1, Int32(MSG_PEEK)) < 0 && errno == EAGAIN
        if isOpen { arm(.readable) } else { close() }
    }

    private func close() {
        isClosed = true
        charge = nil
        output = Output()
        establish = nil
        session.inputEnded()
        server.closed(self)
    }
}

/// Takes the place of the session until the handshake is done.
private final class UnestablishedSession: ProtocolSession {
    let phase = ConnectionPhase.head
    let wantsInput = true
    let isFinished = false
    let needsDraining = false
    let oldestUnfinished: Int32 = 0
    let retainedBytes = 0

    func receive(_ bytes: UnsafeRawBufferPointer) {}
    func inputEnded() {}
    func nextRequest() -> SessionRequest? { nil }
    func respond(_ response: HTTPServerResponse, to stream: Int32) {}
    func fill(_ output: inout Output) {}
    func stop() {}
}

/// A request for a handler, and the stream of its connection for the response.
struct PendingRequest: Sendable {
    let connection: Connection
    let session: SessionRequest

    init(_ connection: Connection, _ session: SessionRequest) {
        self.connection = connection
        self.session = session
    }
}
