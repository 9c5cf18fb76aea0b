internal import Synchronization

/// A shared limit on the number of bytes in use. May be shared between threads.
public final class ByteBudget: Sendable {
    /// The limit in bytes.
    public let limit: Int
    private let taken = Atomic<Int>(0)
    private let refusalCount = Atomic<Int>(0)

    /// A budget with no bytes in use.
    public init(limit: Int) {
        self.limit = limit
    }

    /// The number of bytes in use.
    public var used: Int { taken.load(ordering: .relaxed) }

    /// The number of refused requests.
    public var refusals: Int { refusalCount.load(ordering: .relaxed) }

    /// Takes `bytes`, all or nothing. Returns false, and counts a refusal, if they would exceed the limit.
    public func take(_ bytes: Int) -> Bool {
        if taken.wrappingAdd(bytes, ordering: .relaxed).newValue <= limit { return true }
        taken.wrappingSubtract(bytes, ordering: .relaxed)
        refusalCount.wrappingAdd(1, ordering: .relaxed)
        return false
    }

    /// Returns bytes that were taken.
    public func give(_ bytes: Int) {
        taken.wrappingSubtract(bytes, ordering: .relaxed)
    }
}
