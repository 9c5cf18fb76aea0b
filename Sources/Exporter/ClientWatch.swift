internal import Runtime
internal import Synchronization
internal import WebServer

/// Looks every few milliseconds whether the clients of running queries are still there, and tells those that are not.
final class ClientWatch: Sendable {
    struct Ticket: Hashable {
        fileprivate var number: Int
    }

    private struct Watched {
        var request: HTTPServerRequest
        var gone: @Sendable () -> Void
    }

    private struct State {
        var next = 0
        var watched: [Ticket: Watched] = [:]
        var isCancelling = false
        /// Whether the watcher sleeps until somebody wakes it.
        var isIdle = false
    }

    private static let periodNanoseconds: Int64 = 20_000_000
    private let state = Mutex(State())
    private let wake = Mailbox<Void>(capacity: 1)

    /// Calls `gone` once when the client of `request` leaves before `end`.
    func begin(_ request: HTTPServerRequest, gone: @escaping @Sendable () -> Void) -> Ticket {
        let (ticket, isCancelling, isIdle) = state.withLock { state in
            state.next += 1
            let ticket = Ticket(number: state.next)
            state.watched[ticket] = Watched(request: request, gone: gone)
            defer { state.isIdle = false }
            return (ticket, state.isCancelling, state.isIdle)
        }
        if isCancelling { gone() }
        // Waking a thread costs as much as a short query: a watcher that looks every few milliseconds anyway is left
        // alone.
        if isIdle { wake.send(()) }
        return ticket
    }

    /// Tells everybody, now and from now on, that nobody waits for an answer.
    func cancelAll() {
        let watched = state.withLock { state in
            state.isCancelling = true
            return Array(state.watched.values)
        }
        for query in watched { query.gone() }
    }

    func end(_ ticket: Ticket) {
        state.withLock { $0.watched[ticket] = nil }
    }

    /// Watches until `stop`; sleeps while there is nothing to watch.
    func work() {
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
                watched.gone()
            }
        }
    }

    func stop() {
        wake.close()
    }
}
