internal import CRuntime

/// Decides when free heap memory is returned to the system. A value of one thread.
///
/// The allocator keeps freed memory. After a peak (new series of many targets, a large query) most of it is not needed
/// again soon, but it counts as the process's memory. Returning it requires a walk over the free blocks. It is done
/// only if much memory was freed since the last time and stayed free between two calls.
public struct HeapTrimmer: Equatable, Sendable {
    private let threshold: Int
    /// Free memory after the last trim: parts of pages that are otherwise in use.
    private var base = 0
    private var isDue = false

    /// A trimmer that returns `threshold` bytes or more.
    public init(threshold: Int = 16 << 20) {
        self.threshold = threshold
    }

    /// Whether to return memory, with `idle` bytes free. Called at regular intervals.
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

    /// Returns free memory if that is worthwhile.
    public mutating func step() {
        if isWorthwhile(idle: cruntime_idle_heap()) { cruntime_trim_heap() }
    }
}
