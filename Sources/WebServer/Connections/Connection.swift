internal import CWebServer
internal import Glibc
internal import Runtime
internal import Synchronization

/// One connection: the socket, the protocol spoken on it, and the bytes that wait to be sent.
///
/// `@unchecked`: `session`, `output`, `charge` and the flags below them are touched with `lock` held; the rest is
/// constant or atomic. Handlers run without the lock.
@safe final class Connection: @unchecked Sendable {
    let descriptor: Int32
    private unowned let server: ServerCore
    private let transport: Transport
    private let lock = Mutex(())

    private var session: any ProtocolSession
    /// Makes the session once the handshake has decided on a protocol.
    private var establish: ((Transport) -> (any ProtocolSession)?)?
    private var output = Output()
    /// What the bytes that wait hold of the budget.
    private var charge: ByteCharge?
    private var isClosed = false
    private var isDraining = false
    private var drained = 0

    private let phaseCode = Atomic<UInt8>(ConnectionPhase.head.rawValue)
    private let phaseBegan: Atomic<Int64>
    private let progressed: Atomic<Int64>
    private let isCondemned = Atomic<Bool>(false)

    /// Bytes dropped after a response that ended the connection, at most.
    private static let maximumDrained = 1 << 20
    /// Reads and writes before other connections have their turn.
    private static let turns = 16
    /// Fewer bytes than this are not counted: they are as many as the connection's own memory.
    private static let uncounted = 64 << 10

    /// - Parameter establish: Makes the session when the handshake, if there is one, is done; `nil` closes the
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
        let now = SystemClock.monotonicNanoseconds()
        phaseBegan = Atomic(now)
        progressed = Atomic(now)
    }

    // MARK: What any thread may ask

    var phase: ConnectionPhase { ConnectionPhase(rawValue: phaseCode.load(ordering: .relaxed)) ?? .head }
    /// When the phase began, on the monotonic clock.
    var phaseBegin: Int64 { phaseBegan.load(ordering: .relaxed) }
    /// When bytes were last received or sent.
    var lastProgress: Int64 { progressed.load(ordering: .relaxed) }
    /// Connections of a lower class are closed first for new ones.
    var evictionClass: Int { phase == .live ? 1 : 0 }
    /// Whether it was chosen to be closed.
    var isDoomed: Bool { isCondemned.load(ordering: .relaxed) }

    /// Breaks the connection off: the thread that sees it next closes it. Only while the table holds it, so that the
    /// descriptor is still its own. Returns false where it was done before.
    func breakOff() -> Bool {
        if isCondemned.exchange(true, ordering: .relaxed) { return false }
        shutdown(descriptor, Int32(SHUT_RDWR))
        return true
    }

    // MARK: Events

    /// The socket is ready. Returns the requests that are complete.
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

    /// A response of a handler. Returns the requests that were received behind it.
    func respond(
        _ response: HTTPServerResponse, to stream: Int32, _ scratch: UnsafeMutableRawBufferPointer
    ) -> [PendingRequest] {
        lock.withLock { _ in
            if isClosed { return [] }
            session.respond(response, to: stream)
            return unsafe advance(reads: transport.hasBuffered, scratch)
        }
    }

    /// The server is overloaded: the client gets this response and no further one, whatever else it has sent.
    func turnAway(
        _ response: HTTPServerResponse, from stream: Int32, _ scratch: UnsafeMutableRawBufferPointer
    ) {
        lock.withLock { _ in
            if isClosed { return }
            session.stop()
            session.respond(response, to: stream)
            // Requests that wait already are still answered; none comes out of this.
            _ = unsafe advance(reads: false, scratch)
        }
    }

    /// A body that waited has bytes, or the server stops.
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

    // MARK: With the lock held

    /// Goes on with the handshake. Whether it is done.
    private func shakeHands() -> Bool {
        switch transport.handshake() {
        case .bytes:
            guard let session = establish?(transport) else { break }
            self.session = session
            establish = nil
            return true
        case .blocked(let writing):
            server.poller.arm(descriptor, writing ? .writable : .readable)
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
        // Where the turns are used up, the socket is writable and brings the connection back behind the others.
        wait(whenWritable: readsWhenWritable || turns >= Self.turns)
        return requests
    }

    /// Counts the bytes that wait in the server's budget. False where it has no room.
    private func account() -> Bool {
        let count = output.count + session.retainedBytes
        charge = nil
        guard count > Self.uncounted else { return true }
        charge = ByteCharge(count, of: server.responseBudget)
        return charge != nil
    }

    private func wait(whenWritable: Bool) {
        enter(output.isEmpty ? session.phase : session.phase == .working ? .working : .writing)
        var events: Poller.Events = []
        if !output.isEmpty || whenWritable { events.insert(.writable) }
        if session.wantsInput {
            events.insert(.readable)
        } else if session.phase == .live {
            events.insert(.peerClosed)
        }
        if phase == .idle { output.release() }
        if !events.isEmpty { server.poller.arm(descriptor, events) }
        if transport.hasBuffered, session.wantsInput { server.wake(self) }
    }

    private func enter(_ next: ConnectionPhase) {
        guard next != phase else { return }
        phaseCode.store(next.rawValue, ordering: .relaxed)
        phaseBegan.store(SystemClock.monotonicNanoseconds(), ordering: .relaxed)
    }

    private func progress() {
        progressed.store(SystemClock.monotonicNanoseconds(), ordering: .relaxed)
    }

    /// The last response is sent.
    private func finish() {
        transport.finishWriting()
        guard session.needsDraining else { return close() }
        isDraining = true
        enter(.draining)
        server.poller.arm(descriptor, .readable)
    }

    private func drain(_ scratch: UnsafeMutableRawBufferPointer) {
        while case .bytes(let count) = unsafe transport.read(into: scratch) {
            drained += count
            if drained > Self.maximumDrained { return close() }
        }
        var byte: UInt8 = 0
        let isOpen = unsafe recv(descriptor, &byte, 1, Int32(MSG_PEEK)) < 0 && errno == EAGAIN
        if isOpen { server.poller.arm(descriptor, .readable) } else { close() }
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

/// Stands for the session until the handshake is done.
private final class UnestablishedSession: ProtocolSession {
    let phase = ConnectionPhase.head
    let wantsInput = true
    let isFinished = false
    let needsDraining = false
    let retainedBytes = 0

    func receive(_ bytes: UnsafeRawBufferPointer) {}
    func inputEnded() {}
    func nextRequest() -> SessionRequest? { nil }
    func respond(_ response: HTTPServerResponse, to stream: Int32) {}
    func fill(_ output: inout Output) {}
    func stop() {}
}

/// A request on its way to a handler, and the stream of its connection that gets the response.
struct PendingRequest: Sendable {
    let connection: Connection
    let session: SessionRequest

    init(_ connection: Connection, _ session: SessionRequest) {
        self.connection = connection
        self.session = session
    }
}
