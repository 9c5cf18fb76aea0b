/// Slots of one lane in an order that many commits share, such as the line order of a target. A value.
///
/// Adjacent slots are kept as one run. Thousands of series are usually a few runs, whose values are appended block by
/// block.
public struct SlotRow: Sendable {
    /// Slots of one block with consecutive columns, or places without a slot.
    struct Run: Sendable {
        var first: RingSlot?
        /// The place of the first one in the row.
        var start: Int
        var count = 1

        /// The slot at `place`, which must be in the run.
        func slot(at place: Int) -> RingSlot? {
            first.map { $0 + (place - start) }
        }

        /// Whether `slot` continues the run.
        func continues(with slot: RingSlot?) -> Bool {
            guard let first, let slot else { return first == nil && slot == nil }
            return first.block == slot.block && first + count == slot
        }
    }

    private(set) var runs: [Run] = []
    /// The number of places.
    public private(set) var count = 0
    /// The number of places with a slot.
    public private(set) var slotCount = 0

    /// The row of `slots`; `nil` for values that are not stored.
    public init(_ slots: some Sequence<RingSlot?> = []) {
        for slot in slots {
            if let last = runs.indices.last, runs[last].continues(with: slot) {
                runs[last].count += 1
            } else {
                runs.append(Run(first: slot, start: count))
            }
            count += 1
            if slot != nil { slotCount += 1 }
        }
    }

    /// The slot at a place.
    ///
    /// - Complexity: O(log *r*) in the number of runs.
    public subscript(place: Int) -> RingSlot? {
        precondition(place >= 0 && place < count)
        var (low, high) = (0, runs.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if runs[middle].start <= place { low = middle } else { high = middle }
        }
        return runs[low].slot(at: place)
    }
}

extension SlotRow: Sequence {
    /// Iterates over the places in order.
    public struct Iterator: IteratorProtocol {
        private let runs: [Run]
        private var run = 0
        private var place = 0

        init(_ row: SlotRow) {
            runs = row.runs
        }

        /// The slot at the next place; the outer `nil` is the end.
        public mutating func next() -> RingSlot?? {
            guard run < runs.count else { return nil }
            let current = runs[run]
            defer {
                place += 1
                if place == current.start + current.count { run += 1 }
            }
            return .some(current.slot(at: place))
        }
    }

    /// An iterator over the places.
    public func makeIterator() -> Iterator { Iterator(self) }
}
