internal import Synchronization

/// Bytes that several may hold at once, but not more than so many in total. May be shared between threads.
public final class ByteBudget: Sendable {
    /// How many bytes may be held at once.
    public let limit: Int
    private let taken = Atomic<Int>(0)
    private let refusalCount = Atomic<Int>(0)

    /// A budget of which nothing is taken.
    public init(limit: Int) {
        self.limit = limit
    }

    /// How many bytes are held.
    public var used: Int { taken.load(ordering: .relaxed) }

    /// How often bytes were refused.
    public var refusals: Int { refusalCount.load(ordering: .relaxed) }

    /// Takes `bytes`, all or nothing. Returns false, and counts it, where they would exceed the limit.
    public func take(_ bytes: Int) -> Bool {
        if taken.wrappingAdd(bytes, ordering: .relaxed).newValue <= limit { return true }
        taken.wrappingSubtract(bytes, ordering: .relaxed)
        refusalCount.wrappingAdd(1, ordering: .relaxed)
        return false
    }

    /// Gives back bytes that were taken.
    public func give(_ bytes: Int) {
        taken.wrappingSubtract(bytes, ordering: .relaxed)
    }
}
