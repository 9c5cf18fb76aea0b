internal import Glibc
internal import Synchronization

/// A bounded queue between threads. Any thread may send or receive. Each message is received once.
///
/// Uses a pthread mutex and condition, because a receiver must be able to wait until a deadline.
///
/// `@unchecked`: `storage` is accessed only under `lock`.
@safe public final class Mailbox<Message: Sendable>: @unchecked Sendable {
    /// The result of `receive`.
    public enum Reception: Sendable {
        case message(Message)
        case timedOut
        /// The mailbox is closed and empty.
        case closed
    }

    private let capacity: Int
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private let arrived: UnsafeMutablePointer<pthread_cond_t>
    private var storage: [Message] = []
    private var head = 0
    private var hasClosed = false
    private let droppedCount = Atomic<Int>(0)

    /// A mailbox that holds at most `capacity` messages.
    public init(capacity: Int) {
        self.capacity = capacity
        unsafe lock = .allocate(capacity: 1)
        unsafe arrived = .allocate(capacity: 1)
        unsafe pthread_mutex_init(lock, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(arrived, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(arrived)
        unsafe pthread_mutex_destroy(lock)
        unsafe arrived.deallocate()
        unsafe lock.deallocate()
    }

    /// The number of messages refused because the mailbox was full.
    public var dropped: Int { droppedCount.load(ordering: .relaxed) }

    /// Whether ``close()`` was called.
    public var isClosed: Bool { locked { hasClosed } }

    /// The number of waiting messages.
    public var count: Int { locked { storage.count - head } }

    /// Appends `message`. Returns false, and counts a drop, if the mailbox is full or closed. Never blocks.
    @discardableResult
    public func send(_ message: Message) -> Bool {
        let accepted = locked {
            guard !hasClosed, storage.count - head < capacity else { return false }
            storage.append(message)
            unsafe pthread_cond_signal(arrived)
            return true
        }
        if !accepted { droppedCount.wrappingAdd(1, ordering: .relaxed) }
        return accepted
    }

    /// Removes and returns the first message. Waits until one arrives or the monotonic clock passes `deadline`
    /// (nanoseconds).
    public func receive(deadline: Int64? = nil) -> Reception {
        locked {
            while true {
                if head < storage.count {
                    let message = storage[head]
                    head += 1
                    if head == storage.count {
                        storage.removeAll(keepingCapacity: true)
                        head = 0
                    } else if head > 1024, head * 2 > storage.count {
                        storage.removeFirst(head)
                        head = 0
                    }
                    return .message(message)
                }
                if hasClosed { return .closed }
                guard let deadline else {
                    unsafe pthread_cond_wait(arrived, lock)
                    continue
                }
                var until = timespec(
                    tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
                if unsafe pthread_cond_timedwait(arrived, lock, &until) == ETIMEDOUT, head == storage.count {
                    return hasClosed ? .closed : .timedOut
                }
            }
        }
    }

    /// Refuses new messages. Waiting messages can still be received.
    public func close() {
        locked {
            hasClosed = true
            unsafe pthread_cond_broadcast(arrived)
        }
    }

    private func locked<Result>(_ body: () -> Result) -> Result {
        unsafe pthread_mutex_lock(lock)
        defer { unsafe pthread_mutex_unlock(lock) }
        return body()
    }
}
