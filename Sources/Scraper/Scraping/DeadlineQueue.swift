/// Elements by deadline, the earliest first: a binary heap. A value.
///
/// The heap holds places of elements, so that moving in it touches no reference count.
struct DeadlineQueue<Element> {
    private var heap: [(deadline: Int64, place: Int)] = []
    /// `nil` where the place is free.
    private var elements: [Element?] = []
    private var freePlaces: [Int] = []

    /// The earliest deadline.
    var next: Int64? { heap.first?.deadline }

    mutating func insert(_ element: Element, at deadline: Int64) {
        let place: Int
        if let free = freePlaces.popLast() {
            place = free
            elements[free] = element
        } else {
            place = elements.count
            elements.append(element)
        }
        heap.append((deadline, place))
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
            if least == parent { break }
            heap.swapAt(parent, least)
            parent = least
        }
        freePlaces.append(first.place)
        return elements[first.place].take()
    }
}
