internal import Synchronization

/// Requests that wait for a handler, and how many handlers run. Any thread may call it.
final class RequestScheduler: Sendable {
    private struct State {
        var waiting: [PendingRequest] = []
        var head = 0
        var running = 0

        var count: Int { waiting.count - head }
    }

    private let limit: Int
    private let capacity: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - limit: Handlers that run at once.
    ///   - capacity: Requests that wait at most.
    init(limit: Int, capacity: Int) {
        self.limit = max(limit, 1)
        self.capacity = max(capacity, 1)
    }

    /// Whether no handler runs and none has to.
    var isIdle: Bool { state.withLock { $0.running == 0 && $0.count == 0 } }

    /// Puts a request at the end. False where too many wait.
    func submit(_ request: PendingRequest) -> Bool {
        state.withLock { state in
            guard state.count < capacity else { return false }
            state.waiting.append(request)
            return true
        }
    }

    /// The next request for the calling thread, which then has to call ``finished()``; `nil` where none waits or as
    /// many run as may. `more` says whether another thread could take one too.
    func next() -> (request: PendingRequest, more: Bool)? {
        state.withLock { state in
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

    func finished() {
        state.withLock { $0.running -= 1 }
    }
}
