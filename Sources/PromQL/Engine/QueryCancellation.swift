internal import Synchronization

/// A switch that stops evaluations; shared between the thread that evaluates and the ones that may cancel.
public final class QueryCancellation: Sendable {
    private let flag = Atomic<Bool>(false)

    /// A switch that is not yet pulled.
    public init() {}

    /// Whether the query shall stop.
    public var isCancelled: Bool { flag.load(ordering: .relaxed) }

    /// Stops every evaluation that carries this switch at its next check.
    public func cancel() {
        flag.store(true, ordering: .relaxed)
    }
}
