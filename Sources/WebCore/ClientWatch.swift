internal import Runtime
internal import Synchronization
public import WebServer

/// Checks every few milliseconds whether the clients of running requests are still connected, and cancels the work for
/// those that are not. Any thread may use it; one thread runs ``work()``.
public final class ClientWatch: Sendable {
    /// A request that is watched.
    public struct Ticket: Hashable, Sendable {
        fileprivate var number: Int
    }

    private struct Watched {
        var request: HTTPServerRequest
        var cancel: @Sendable () -> Void
    }

    private struct State {
        var next = 0
        var watched: [Ticket: Watched] = [:]
        var isCancelling = false
        /// Whether the watching thread sleeps until it is woken.
        var isIdle = false
    }

    private static let periodNanoseconds: Int64 = 20_000_000
    private let state = Mutex(State())
    private let wake = Mailbox<Void>(capacity: 1)

    /// A watch without requests.
    public init() {}

    /// The thread that this watch needs.
    public var background: WebRunner.Background {
        WebRunner.Background("http-clients", work: { [self] in work() }, stop: { [self] in stop() })
    }

    /// Calls `cancel` once when the client of `request` leaves before ``end(_:)``.
    public func begin(_ request: HTTPServerRequest, cancel: @escaping @Sendable () -> Void) -> Ticket {
        let (ticket, isCancelling, isIdle) = state.withLock { state in
            state.next += 1
            let ticket = Ticket(number: state.next)
            state.watched[ticket] = Watched(request: request, cancel: cancel)
            defer { state.isIdle = false }
            return (ticket, state.isCancelling, state.isIdle)
        }
        if isCancelling { cancel() }
        // Waking a thread costs as much as a short query, so it is woken only if it is not polling already.
        if isIdle { wake.send(()) }
        return ticket
    }

    /// Stops watching a request.
    public func end(_ ticket: Ticket) {
        state.withLock { $0.watched[ticket] = nil }
    }

    /// Cancels the work for every request, now and from now on.
    public func cancelAll() {
        let watched = state.withLock { state in
            state.isCancelling = true
            return Array(state.watched.values)
        }
        for request in watched { request.cancel() }
    }

    /// Watches until ``stop()``; sleeps while there is nothing to watch.
    public func work() {
        while true {
            let isIdle = state.withLock { state in
                state.isIdle = state.watched.isEmpty
                return state.isIdle
            }
            if isIdle {
                if case .closed = wake.receive() { return }
            }
            if case .closed = wake.receive(deadline: SystemClock.monotonicNanoseconds() + Self.periodNanoseconds) {
                return
            }
            for (ticket, watched) in state.withLock({ $0.watched }) where watched.request.isClientGone {
                end(ticket)
                watched.cancel()
            }
        }
    }

    /// Ends ``work()``.
    public func stop() {
        wake.close()
    }
}
