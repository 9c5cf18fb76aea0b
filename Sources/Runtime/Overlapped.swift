internal import Synchronization

/// A value that is computed on its own thread while its owner does something else.
///
/// The owner reads the value once. If the thread cannot be started, the value is computed when it is read.
public struct Overlapped<Value: Sendable>: ~Copyable, Sendable {
    private final class Slot: Sendable {
        let value = Mutex<Value?>(nil)
    }

    private let slot = Slot()
    private let thread: WorkerThread?
    private let work: @Sendable () -> Value

    /// Starts `work` on a thread named `name` (the system shows at most 15 bytes).
    public init(
        _ name: String, stackBytes: Int = WorkerThread.defaultStackBytes, _ work: @escaping @Sendable () -> Value
    ) {
        self.work = work
        do throws(WorkerThread.StartError) {
            thread = try WorkerThread(name, stackBytes: stackBytes) { [slot] in
                let value = work()
                slot.value.withLock { $0 = value }
            }
        } catch {
            thread = nil  // slower: `value()` does the work
        }
    }

    /// Waits for the value.
    public consuming func value() -> Value {
        thread?.join()
        return slot.value.withLock { $0 } ?? work()
    }
}
