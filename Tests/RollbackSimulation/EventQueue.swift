import Rollback

/// An event in a world at a time.
enum Event: Sendable {
    /// The router performs an operation. `reply` is when the response arrives; `nil` for never.
    case effect(RouterOperation, process: Int, reply: Instant?)
    case reply(OperationResult, RouterOperation, process: Int)
    case gates(GateQuestion, process: Int)
    case hook(HookAnswer, HookCall, process: Int)
    case restart(process: Int)
    /// The disk has finished, or refused, the write under way.
    case written(process: Int)
    /// The process writes to a new file after a failure.
    case writeAgain(process: Int)
    /// The lease's table has a record.
    case storedInLease(Entry, process: Int)
    /// A shell with a defect says that a record is stored.
    case reportedStored(UInt64, process: Int)
    case wake(process: Int, at: Instant)
    case measure
    case disturb
    /// The rival releases the lease.
    case leaseReturns
    case historyReturns
    /// The lease's database responds again.
    case leaseDatabaseReturns
}

/// Events in time order; those of the same time in the order in which they were scheduled. A binary heap of small
/// entries; the events themselves do not move.
struct EventQueue: Sendable {
    private struct Entry: Sendable {
        var at: Instant
        var order: Int
        /// The index of the event.
        var slot: Int

        func precedes(_ other: Entry) -> Bool { at == other.at ? order < other.order : at < other.at }
    }

    private var heap: [Entry] = []
    private var events: [Event] = []
    private var free: [Int] = []
    private var order = 0

    /// The time of the next event.
    var next: Instant? { heap.first?.at }

    mutating func schedule(_ event: Event, at instant: Instant) {
        order += 1
        let slot = free.popLast() ?? events.count
        if slot < events.count { events[slot] = event } else { events.append(event) }
        heap.append(Entry(at: instant, order: order, slot: slot))
        var child = heap.count - 1
        while child > 0, heap[child].precedes(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Removes and returns the next event.
    mutating func take() -> (at: Instant, event: Event)? {
        guard !heap.isEmpty else { return nil }
        heap.swapAt(0, heap.count - 1)
        let entry = heap.removeLast()
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].precedes(heap[child]) { child += 1 }
            guard heap[child].precedes(heap[parent]) else { break }
            heap.swapAt(child, parent)
            parent = child
        }
        free.append(entry.slot)
        return (entry.at, events[entry.slot])
    }
}
