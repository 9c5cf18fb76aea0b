/// Elements sorted by deadline: a binary heap. A value.
///
/// The heap contains places of elements, so that moves in it change no reference counts. Each operation except ``next``
/// takes O(log n).
public struct DeadlineQueue<Element> {
    @usableFromInline var heap: [(deadline: Int64, place: Int)] = []
    /// `nil` if the place is free.
    @usableFromInline var elements: [Element?] = []
    @usableFromInline var freePlaces: [Int] = []

    /// A queue without elements.
    @inlinable public init() {}

    /// The earliest deadline.
    @inlinable public var next: Int64? { heap.first?.deadline }

    /// Adds an element. The order of elements with equal deadlines is undefined.
    @inlinable public mutating func insert(_ element: Element, at deadline: Int64) {
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

    /// Removes and returns the first element if its deadline is not after `now`.
    @inlinable public mutating func popFirst(notAfter now: Int64) -> Element? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        return removeFirst()
    }

    /// The earliest deadline of a `wanted` element. Earlier elements are removed.
    @inlinable public mutating func next(wanted: (Element) -> Bool) -> Int64? {
        while let first = heap.first {
            if let element = elements[first.place], wanted(element) { return first.deadline }
            _ = removeFirst()
        }
        return nil
    }

    @inlinable mutating func removeFirst() -> Element? {
        let place = heap[0].place
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
        freePlaces.append(place)
        return elements[place].take()
    }
}
