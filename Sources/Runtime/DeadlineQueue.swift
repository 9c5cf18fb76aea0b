/// Elements by deadline, the earliest first: a binary heap. A value.
///
/// The heap holds places of elements, so that moving in it touches no reference count. Each operation but ``next``
/// takes O(log n).
public struct DeadlineQueue<Element> {
    @usableFromInline var heap: [(deadline: Int64, place: Int)] = []
    /// `nil` where the place is free.
    @usableFromInline var elements: [Element?] = []
    @usableFromInline var freePlaces: [Int] = []

    /// A queue without elements.
    @inlinable public init() {}

    /// The earliest deadline.
    @inlinable public var next: Int64? { heap.first?.deadline }

    /// Adds an element; one with the same deadline as another may come before or after it.
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

    /// Takes the first element if its deadline is not after `now`.
    @inlinable public mutating func popFirst(notAfter now: Int64) -> Element? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        return removeFirst()
    }

    /// The earliest deadline of an element that is still `wanted`. Those before it are removed.
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
