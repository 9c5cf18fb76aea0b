internal import CurlHTTP
internal import Runtime
internal import Synchronization

/// Timers that other threads post to a scraping thread. May be shared between threads.
final class ScrapeInbox: Sendable {
    /// A timer of a target's loop. Each target has at most one, so the number of targets bounds the inbox.
    struct Wake: Sendable {
        var target: RunningTarget
        var timer: Int
        /// In nanoseconds of the monotonic clock.
        var deadline: Int64
    }

    private struct Content {
        var wakes: [Wake] = []
        var isClosed = false
    }

    private let content = Mutex(Content())
    private let waker: HTTPMultiplexer.Waker
    /// Answered by the thread at each turn.
    let pulse = Pulse("scraping")

    init(waker: HTTPMultiplexer.Waker) {
        self.waker = waker
    }

    /// Posts a timer.
    func post(_ wake: Wake) {
        let isFirst = content.withLock { content in
            content.wakes.append(wake)
            return content.wakes.count == 1
        }
        if isFirst { waker.wake() }
    }

    /// Asks the thread whether it turns over.
    func probe() { if pulse.ask() { waker.wake() } }

    /// Stops the thread.
    func close() {
        content.withLock { $0.isClosed = true }
        waker.wake()
    }

    /// Removes and returns all timers; `nil` if the inbox is closed.
    func takeAll() -> [Wake]? {
        content.withLock { content in
            if content.isClosed { return nil }
            defer { if !content.wakes.isEmpty { content.wakes = [] } }
            return content.wakes
        }
    }
}
