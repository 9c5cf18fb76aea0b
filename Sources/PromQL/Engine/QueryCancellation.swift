internal import Synchronization

/// A flag that stops evaluations. Shared between the evaluating thread and the threads that may cancel.
public final class QueryCancellation: Sendable {
    private let flag = Atomic<Bool>(false)

    /// A flag that is not set.
    public init() {}

    /// Whether the query must stop.
    public var isCancelled: Bool { flag.load(ordering: .relaxed) }

    /// Stops every evaluation with this flag at its next check.
    public func cancel() {
        flag.store(true, ordering: .relaxed)
    }
}
