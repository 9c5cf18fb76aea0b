internal import Synchronization

/// Something worked out on a thread of its own while its owner does something else.
///
/// Whoever makes one asks for the value once. Where the system has no thread to give, the work is done when it is asked for.
public struct Overlapped<Value: Sendable>: ~Copyable, Sendable {
    private final class Slot: Sendable {
        let value = Mutex<Value?>(nil)
    }

    private let slot = Slot()
    private let thread: WorkerThread
    private let work: @Sendable () -> Value

    /// Starts `work` on a thread called `name` (at most 15 bytes are shown by the system).
    public init(_ name: String, _ work: @escaping @Sendable () -> Value) {
        self.work = work
        thread = WorkerThread(name) { [slot] in
            let value = work()
            slot.value.withLock { $0 = value }
        }
    }

    /// Waits for the value.
    public consuming func value() -> Value {
        thread.join()
        return slot.value.withLock { $0 } ?? work()
    }
}
