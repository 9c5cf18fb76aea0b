internal import Synchronization

/// Shows that a thread turns over: somebody asks through the queue of its usual work, and the thread answers when it
/// takes the question from there. May be shared between threads.
public final class Pulse: Sendable {
    /// The name of the thread for people.
    public let name: String
    private let waits = Atomic(false)
    /// Until when the thread may do other work, by the monotonic clock; 0 for not now.
    private let allowedUntil = Atomic<Int64>(0)

    /// A pulse that nobody has asked for.
    public init(_ name: String) { self.name = name }

    /// Begins a question. Returns false if the one before has no answer yet, so that there is nothing to send.
    public func ask() -> Bool { !waits.exchange(true, ordering: .acquiringAndReleasing) }

    /// The thread answers. Call it on that thread.
    public func answer() { waits.store(false, ordering: .releasing) }

    /// Does work that may take as long as `milliseconds` without an answer, such as a request with a timeout. Call it
    /// on the thread of the pulse.
    public func allow<Result>(_ milliseconds: Int64, _ work: () -> Result) -> Result {
        let span = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        let end = SystemClock.monotonicNanoseconds().addingReportingOverflow(span.overflow ? .max : span.partialValue)
        allowedUntil.store(end.overflow ? .max : end.partialValue, ordering: .releasing)
        defer { allowedUntil.store(0, ordering: .releasing) }
        return work()
    }

    /// Whether the last question has its answer, or the thread does work that may still take time.
    public var isAnswered: Bool {
        if !waits.load(ordering: .acquiring) { return true }
        let end = allowedUntil.load(ordering: .acquiring)
        return end > 0 && SystemClock.monotonicNanoseconds() < end
    }
}
