internal import Runtime
internal import Synchronization

/// The requests that wait for a handler, and the number of running handlers. May be used from any thread.
final class RequestScheduler: Sendable {
    private struct State {
        var waiting: [PendingRequest] = []
        var head = 0
        var running = 0
        /// Until when fewer handlers run, on the monotonic clock.
        var pressureEnd: Int64 = 0

        var count: Int { waiting.count - head }
    }

    private let limit: Int
    private let limitUnderPressure: Int
    private let capacity: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - limit: the maximum number of running handlers.
    ///   - limitUnderPressure: the same while there are too many clients.
    ///   - capacity: the maximum number of waiting requests.
    init(limit: Int, limitUnderPressure: Int = .max, capacity: Int) {
        self.limit = max(limit, 1)
        self.limitUnderPressure = max(min(limit, limitUnderPressure), 1)
        self.capacity = max(capacity, 1)
    }

    /// Whether no handler is running or waiting.
    var isIdle: Bool { state.withLock { $0.running == 0 && $0.count == 0 } }

    /// Appends a request. Returns false if the queue is full.
    func submit(_ request: PendingRequest) -> Bool {
        state.withLock { state in
            // Those that a handler thread is about to take do not wait.
            guard state.running + state.count < limit + capacity else { return false }
            state.waiting.append(request)
            return true
        }
    }

    /// The next request for the calling thread, which must then call ``finished()``; `nil` if none waits or the limit
    /// of running handlers is reached. `more` is true if another thread could take one too.
    func next() -> (request: PendingRequest, more: Bool)? {
        state.withLock { state in
            var limit = limit
            if state.pressureEnd > 0 {
                if state.pressureEnd > SystemClock.monotonicNanoseconds() {
                    limit = limitUnderPressure
                } else {
                    state.pressureEnd = 0
                }
            }
            guard state.running < limit, state.count > 0 else { return nil }
            let request = state.waiting[state.head]
            state.head += 1
            if state.head == state.waiting.count {
                state.waiting.removeAll(keepingCapacity: true)
                state.head = 0
            } else if state.head > 64, 2 * state.head > state.waiting.count {
                state.waiting.removeFirst(state.head)
                state.head = 0
            }
            state.running += 1
            return (request, state.running < limit && state.count > 0)
        }
    }

    /// There are too many clients until `end`, on the monotonic clock.
    func isUnderPressure(until end: Int64) { state.withLock { $0.pressureEnd = end } }

    func finished() {
        state.withLock { $0.running -= 1 }
    }
}
