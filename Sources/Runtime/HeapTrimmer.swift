internal import CRuntime

/// Decides when idle heap is given back to the system. A value of one thread.
///
/// The allocator keeps what is freed. After a burst (every series of a fleet learnt, a large query) that is memory
/// which nobody needs again soon, and it counts as the process's. Giving it back costs a walk over the free blocks, so
/// it is done only when much has come together since the last time, and has stayed idle over two calls.
public struct HeapTrimmer: Equatable, Sendable {
    private let threshold: Int
    /// What was idle after the last trim: pieces of pages that are otherwise in use.
    private var base = 0
    private var isDue = false

    /// A trimmer for idle heap of `threshold` bytes and more.
    public init(threshold: Int = 16 << 20) {
        self.threshold = threshold
    }

    /// Whether it is worthwhile with `idle` bytes unused; asked at regular intervals.
    public mutating func isWorthwhile(idle: Int) -> Bool {
        base = min(base, idle)
        guard idle - base >= threshold else {
            isDue = false
            return false
        }
        defer { isDue.toggle() }
        if isDue { base = idle }
        return isDue
    }

    /// Gives idle heap back if that is worthwhile.
    public mutating func step() {
        if isWorthwhile(idle: cruntime_idle_heap()) { cruntime_trim_heap() }
    }
}
