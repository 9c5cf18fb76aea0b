internal import CurlHTTP
internal import Synchronization

/// What other threads want of a scraping thread. May be shared between threads.
final class ScrapeInbox: Sendable {
    /// A timer that a target's loop asked for. One per target at a time, so that the inbox is as bounded as the list of
    /// targets.
    struct Wake: Sendable {
        var target: RunningTarget
        var timer: Int
        /// Monotonic nanoseconds.
        var deadline: Int64
    }

    private struct Content {
        var wakes: [Wake] = []
        var isClosed = false
    }

    private let content = Mutex(Content())
    private let waker: HTTPMultiplexer.Waker

    init(waker: HTTPMultiplexer.Waker) {
        self.waker = waker
    }

    /// Hands over a timer.
    func post(_ wake: Wake) {
        let isFirst = content.withLock { content in
            content.wakes.append(wake)
            return content.wakes.count == 1
        }
        if isFirst { waker.wake() }
    }

    /// Makes the thread end.
    func close() {
        content.withLock { $0.isClosed = true }
        waker.wake()
    }

    /// Empties the inbox; `nil` once it is closed.
    func takeAll() -> [Wake]? {
        content.withLock { content in
            if content.isClosed { return nil }
            defer { if !content.wakes.isEmpty { content.wakes = [] } }
            return content.wakes
        }
    }
}
