internal import CCurl
public import Runtime

/// Runs many requests at once on the thread of its owner, who calls ``run(until:_:)`` in a loop. Belongs to that thread, except
/// for its ``waker``.
///
/// Connections are kept for later requests to the same host. An event costs the same however many requests wait for theirs.
@safe public final class HTTPMultiplexer {
    /// Room that is left behind each body, for readers that load whole words.
    public static let padding = 64

    /// Ends the wait of a multiplexer's thread. May be shared between threads.
    ///
    /// `@unchecked`: the loop never changes, and waking is what libcurl's thread allows others to do.
    @safe public final class Waker: @unchecked Sendable {
        fileprivate let loop: OpaquePointer

        fileprivate init(_ loop: OpaquePointer) {
            unsafe self.loop = unsafe loop
        }

        deinit {
            unsafe ccurl_loop_free(loop)
        }

        /// Makes the wait that is under way, or the next one, return at once.
        public func wake() {
            unsafe ccurl_loop_wake(loop)
        }
    }

    /// Idle handles beyond these are let go.
    private enum Limit {
        static let idleTransfers = 64
    }

    /// Ends the wait in ``run(until:_:)``.
    public let waker: Waker
    private let buffers: BodyBuffers
    private var running: [ObjectIdentifier: (transfer: Transfer, token: Int)] = [:]
    private var idle: [Transfer] = []
    /// Requests that could not be begun.
    private var refused: [(token: Int, failure: HTTPFailure)] = []

    /// - Parameters:
    ///   - maximumIdleConnections: How many connections are kept open between requests.
    ///   - budget: What the bodies that are under way may take up in total; shared with other multiplexers.
    public init(
        maximumIdleConnections: Int = 4096, budget: ByteBudget = ByteBudget(limit: .max)
    ) throws(HTTPFailure) {
        guard ccurl_global_init() == CURLE_OK, let loop = unsafe ccurl_loop_make(maximumIdleConnections) else {
            throw HTTPFailure(.other, "libcurl cannot be set up")
        }
        waker = unsafe Waker(loop)
        buffers = BodyBuffers(budget: budget)
    }

    deinit {
        cancelAll { _, _ in }
    }

    /// Requests whose outcome is still to come.
    public var count: Int { running.count + refused.count }

    /// Begins a request. Its outcome is handed over under `token` by ``run(until:_:)``.
    public func start(_ request: PreparedRequest, token: Int, expectedBodyBytes: Int = 0) {
        guard let transfer = idle.popLast() ?? Transfer(buffers) else {
            refused.append((token, HTTPFailure(.other, "out of memory")))
            return
        }
        do throws(HTTPFailure) {
            try transfer.prepare(request, expectedBodyBytes: expectedBodyBytes)
        } catch {
            refused.append((token, error))
            return
        }
        guard unsafe ccurl_loop_add(waker.loop, transfer.handle) == CURLM_OK else {
            refused.append((token, HTTPFailure(.other, "libcurl refuses the request")))
            return
        }
        running[ObjectIdentifier(transfer)] = (transfer, token)
    }

    /// Moves bytes, and hands over what came of requests, each exactly once.
    ///
    /// Returns when the monotonic clock passes `deadline` (nanoseconds), when it is woken, or when something has happened; the
    /// caller calls it again. `finished` becomes the only owner of the body, and may begin further requests.
    public func run(
        until deadline: Int64, _ finished: (_ token: Int, consuming Result<HTTPResponse, HTTPFailure>) -> Void
    ) {
        let wait = refused.isEmpty ? deadline &- SystemClock.monotonicNanoseconds() : 0
        unsafe ccurl_loop_step(waker.loop, wait)
        var handle: UnsafeMutableRawPointer?
        var code = CURLE_OK
        while unsafe ccurl_loop_next_done(waker.loop, &handle, &code) {
            guard let done = unsafe handle, let context = unsafe ccurl_private(done) else { continue }
            let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
            unsafe ccurl_loop_remove(waker.loop, done)
            guard let (_, token) = running.removeValue(forKey: ObjectIdentifier(transfer)) else { continue }
            if idle.count < Limit.idleTransfers { idle.append(transfer) }
            finished(token, transfer.outcome(code))
        }
        let refused = refused
        self.refused = []
        for (token, failure) in refused { finished(token, .failure(failure)) }
    }

    /// Takes the buffer of a body that is not needed any more, for the next one.
    public func recycle(_ buffer: consuming [UInt8]) {
        buffers.putBack(buffer)
    }

    /// Ends the running requests with ``HTTPFailure/Code/cancelled``.
    public func cancelAll(_ finished: (_ token: Int, Result<HTTPResponse, HTTPFailure>) -> Void) {
        let cancelled = running
        running = [:]
        for (transfer, token) in cancelled.values {
            unsafe ccurl_loop_remove(waker.loop, transfer.handle)
            transfer.abandon()
            finished(token, .failure(HTTPFailure(.cancelled, "the client is stopped")))
        }
    }
}
