/// Memory as the C++ model allows it to look, for exhaustive exploration.
///
/// Every location keeps the messages that were stored there, oldest first. A thread has a view: for each location the
/// oldest message it may still load. A load takes any message from there on, so that threads may see relaxed stores
/// late and in different orders; what release and acquire, as stores, loads or fences, order is carried from view to
/// view. This is the view machine of Kang et al. 2017 ("A promising semantics for relaxed-memory concurrency"), without
/// promises: a thread's own steps happen in its program's order, which holds for the argument's programs since no store
/// of a reader and no load of the writer takes part in them.
struct WeakMemory: Hashable {
    typealias Location = Int

    enum Order: Hashable {
        case relaxed
        /// Acquire for a load, release for a store.
        case synchronizing
    }

    struct View: Hashable {
        private var oldest: [Int]

        init(locations: Int) {
            oldest = Array(repeating: 0, count: locations)
        }

        subscript(location: Location) -> Int {
            get { oldest[location] }
            set { oldest[location] = newValue }
        }

        mutating func join(_ other: View) {
            for location in oldest.indices { oldest[location] = max(oldest[location], other.oldest[location]) }
        }
    }

    struct Message: Hashable {
        var value: Int
        /// The view that a thread gets by synchronizing with this message.
        var view: View
    }

    /// The views of a thread.
    struct ThreadState: Hashable {
        var current: View
        /// The view that an acquire fence would add.
        var acquirable: View
        /// The view that a relaxed store carries: the one at the last release fence.
        var released: View

        init(locations: Int) {
            current = View(locations: locations)
            acquirable = current
            released = current
        }
    }

    private var messages: [[Message]]

    /// Every location holds 0.
    init(locations: Int) {
        let view = View(locations: locations)
        messages = Array(repeating: [Message(value: 0, view: view)], count: locations)
    }

    /// Stores `value`. One thread stores to a location, so that its stores are ordered.
    mutating func store(_ value: Int, to location: Location, _ order: Order, by thread: inout ThreadState) {
        thread.current[location] = messages[location].count
        thread.acquirable[location] = messages[location].count
        var view = order == .relaxed ? thread.released : thread.current
        view[location] = messages[location].count
        messages[location].append(Message(value: value, view: view))
    }

    /// Every outcome of a load: the value, and the thread's state after it.
    func loads(of location: Location, _ order: Order, by thread: ThreadState) -> [(value: Int, thread: ThreadState)] {
        (thread.current[location]..<messages[location].count).map { number in
            let message = messages[location][number]
            var next = thread
            next.current[location] = number
            next.acquirable[location] = max(next.acquirable[location], number)
            next.acquirable.join(message.view)
            if order == .synchronizing { next.current.join(message.view) }
            return (message.value, next)
        }
    }

    static func acquireFence(_ thread: inout ThreadState) {
        thread.current.join(thread.acquirable)
    }

    static func releaseFence(_ thread: inout ThreadState) {
        thread.released = thread.current
    }
}
