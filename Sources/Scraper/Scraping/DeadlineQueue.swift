/// Elements by deadline, the earliest first: a binary heap. A value.
struct DeadlineQueue<Element> {
    private var heap: [(deadline: Int64, element: Element)] = []

    /// The earliest deadline.
    var next: Int64? { heap.first?.deadline }

    mutating func insert(_ element: Element, at deadline: Int64) {
        heap.append((deadline, element))
        var child = heap.count - 1
        while child > 0, heap[child].deadline < heap[(child - 1) / 2].deadline {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Takes the first element if its deadline is not after `now`.
    mutating func popFirst(notAfter now: Int64) -> Element? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in 2 * parent + 1..<2 * parent + 3 {
                if child < heap.count, heap[child].deadline < heap[least].deadline { least = child }
            }
            if least == parent { return first.element }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
