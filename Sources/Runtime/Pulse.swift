internal import Synchronization

/// Shows that a thread turns over: somebody asks through the queue of its usual work, and the thread answers when it
/// takes the question from there. May be shared between threads.
public final class Pulse: Sendable {
    /// The name of the thread for people.
    public let name: String
    private let waits = Atomic(false)

    /// A pulse that nobody has asked for.
    public init(_ name: String) { self.name = name }

    /// Begins a question. Returns false if the one before has no answer yet, so that there is nothing to send.
    public func ask() -> Bool { !waits.exchange(true, ordering: .acquiringAndReleasing) }

    /// The thread answers. Call it on that thread.
    public func answer() { waits.store(false, ordering: .releasing) }

    /// Whether the last question has its answer.
    public var isAnswered: Bool { !waits.load(ordering: .acquiring) }
}
