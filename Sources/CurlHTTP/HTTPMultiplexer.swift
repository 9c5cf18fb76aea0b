internal import CCurl
internal import Glibc
public import Runtime
internal import Synchronization

/// Runs many requests at once on its owner's thread, which calls ``run(until:_:)`` in a loop. Belongs to that thread,
/// except for its ``waker``.
///
/// Connections are kept for later requests to the same host. The cost of an event does not depend on the number of
/// waiting requests.
///
/// libcurl connects. A plain `GET` is then sent and received over the socket without it (``PlainConnection``). libcurl
/// handles everything else: TLS, a proxy, a redirect, a request body.
@safe public final class HTTPMultiplexer {
    /// Free bytes after each body, for readers that load whole words.
    public static let padding = 64

    /// Ends the wait of a multiplexer's thread. May be shared between threads.
    ///
    /// `@unchecked`: the loop never changes, and libcurl allows waking from other threads.
    @safe public final class Waker: @unchecked Sendable {
        fileprivate let loop: OpaquePointer

        fileprivate init(_ loop: OpaquePointer) {
            unsafe self.loop = unsafe loop
        }

        deinit {
            unsafe ccurl_loop_free(loop)
        }

        /// Makes the current wait, or the next one, return immediately.
        public func wake() {
            unsafe ccurl_loop_wake(loop)
        }
    }

    /// Idle handles over this limit are freed.
    private enum Limit {
        static let idleTransfers = 64
    }

    /// Ends the wait in ``run(until:_:)``.
    public let waker: Waker
    private let buffers: BodyBuffers
    private let plain: PlainConnections
    /// The transfers of libcurl. `exchange` is set if libcurl only connects.
    private var running: [ObjectIdentifier: (transfer: Transfer, token: Int, exchange: PlainConnections.Exchange?)] =
        [:]
    private var idle: [Transfer] = []
    /// Requests that failed at the start or timed out.
    private var refused: [(token: Int, failure: HTTPFailure)] = []

    /// - Parameters:
    ///   - maximumIdleConnections: the number of connections kept open between requests.
    ///   - idleNanoseconds: how long a plain connection is kept; the same as libcurl's.
    ///   - budget: the memory for all bodies in progress; shared with other multiplexers.
    public init(
        maximumIdleConnections: Int = 4096, idleNanoseconds: Int64 = 118_000_000_000,
        budget: ByteBudget = ByteBudget(limit: .max)
    ) throws(HTTPFailure) {
        guard ccurl_global_init() == CURLE_OK, let loop = unsafe ccurl_loop_make(maximumIdleConnections) else {
            throw HTTPFailure(.other, "cannot initialise libcurl")
        }
        waker = unsafe Waker(loop)
        buffers = BodyBuffers(budget: budget)
        unsafe plain = PlainConnections(
            waker.loop, buffers, maximumIdle: maximumIdleConnections, idleNanoseconds: idleNanoseconds)
    }

    deinit {
        cancelAll { _, _ in }
    }

    /// The number of requests in progress.
    public var count: Int { running.count + plain.count + refused.count }

    /// Starts a request. ``run(until:_:)`` returns its result with `token`.
    public func start(_ request: PreparedRequest, token: Int, expectedBodyBytes: Int = 0) {
        let began = SystemClock.monotonicNanoseconds()
        let timeout = request.request.timeoutMilliseconds
        let exchange = PlainConnections.Exchange(
            request: request, token: token, expectedBodyBytes: expectedBodyBytes, began: began,
            deadline: timeout > 0 ? SystemClock.monotonicNanoseconds(in: timeout) : .max)
        if request.plain != nil, !request.isRedirected.load(ordering: .relaxed) {
            carryOut(plain.begin(exchange))
        } else {
            startTransfer(exchange, .exchange)
        }
    }

    private func carryOut(_ event: PlainConnections.Event?) {
        switch event {
        case .answered, nil: break
        case .failed(let token, let failure): refused.append((token, failure))
        case .connect(let exchange): startTransfer(exchange, .connection)
        case .follow(let exchange):
            exchange.request.isRedirected.store(true, ordering: .relaxed)
            startTransfer(exchange, .exchange)
        }
    }

    private func startTransfer(_ exchange: PlainConnections.Exchange, _ purpose: Transfer.Purpose) {
        do throws(HTTPFailure) {
            guard let transfer = idle.popLast() ?? Transfer(buffers) else { throw HTTPFailure(.other, "out of memory") }
            try transfer.prepare(
                exchange.request, purpose, expectedBodyBytes: exchange.expectedBodyBytes,
                timeoutMilliseconds: exchange.millisecondsLeft)
            guard unsafe ccurl_loop_add(waker.loop, transfer.handle) == CURLM_OK else {
                throw HTTPFailure(.other, "libcurl rejected the request")
            }
            running[ObjectIdentifier(transfer)] = (transfer, exchange.token, purpose == .connection ? exchange : nil)
        } catch {
            refused.append((exchange.token, error))
        }
    }

    /// Sends and receives, and passes on each result exactly once.
    ///
    /// Returns when the monotonic clock passes `deadline` (nanoseconds), when it is woken, or after an event. The
    /// caller calls it again. `finished` becomes the only owner of the body, and may start further requests.
    public func run(
        until deadline: Int64, _ finished: (_ token: Int, consuming Result<HTTPResponse, HTTPFailure>) -> Void
    ) {
        let next = min(deadline, plain.nextDeadline() ?? .max)
        unsafe ccurl_loop_step(waker.loop, refused.isEmpty ? next &- SystemClock.monotonicNanoseconds() : 0)
        while let event = plain.nextReady() {
            if case .answered(let token) = event {
                finished(token, .success(plain.takeAnswer()))
            } else {
                carryOut(event)
            }
        }
        if let next = plain.nextDeadline(), next <= SystemClock.monotonicNanoseconds() {
            while let event = plain.nextExpired(now: SystemClock.monotonicNanoseconds()) { carryOut(event) }
        }
        takeDone(finished)
        let refused = refused
        self.refused = []
        for (token, failure) in refused { finished(token, .failure(failure)) }
    }

    /// Handles the transfers that libcurl has finished.
    private func takeDone(_ finished: (_ token: Int, consuming Result<HTTPResponse, HTTPFailure>) -> Void) {
        var handle: UnsafeMutableRawPointer?
        var code = CURLE_OK
        while unsafe ccurl_loop_next_done(waker.loop, &handle, &code) {
            guard let done = unsafe handle, let context = unsafe ccurl_private(done) else { continue }
            let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
            let entry = running.removeValue(forKey: ObjectIdentifier(transfer))
            let isConnected = code == CURLE_OK && entry?.exchange != nil
            let socket = unsafe isConnected ? ccurl_loop_take_socket(waker.loop, done) : -1
            let systemError = errno
            unsafe ccurl_loop_remove(waker.loop, done)
            guard let (_, token, exchange) = entry else { continue }
            defer {
                if transfer.isReusable, idle.count < Limit.idleTransfers { idle.append(transfer) }
            }
            if let exchange, isConnected {
                carryOut(
                    socket < 0
                        ? .failed(token: token, .system(systemError)) : plain.begin(exchange, socket: socket))
            } else {
                finished(token, transfer.outcome(code))
            }
        }
    }

    /// Takes the buffer of a body that is no longer needed, for the next one.
    public func recycle(_ buffer: consuming [UInt8]) {
        buffers.putBack(buffer)
    }

    /// Ends the running requests with ``HTTPFailure/Code/cancelled``.
    public func cancelAll(_ finished: (_ token: Int, Result<HTTPResponse, HTTPFailure>) -> Void) {
        let cancelled = running
        running = [:]
        let failure = HTTPFailure(.cancelled, "the client is stopped")
        for (transfer, token, _) in cancelled.values {
            unsafe ccurl_loop_remove(waker.loop, transfer.handle)
            transfer.abandon()
            finished(token, .failure(failure))
        }
        for token in plain.cancelAll() { finished(token, .failure(failure)) }
    }
}
