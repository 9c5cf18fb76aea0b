internal import MetricStore

/// A count per slot of a lane: four bytes each, where a dictionary needs about twenty-five.
struct SlotCounts {
    private var counts: [UInt32] = []

    /// The count of `slot`.
    subscript(slot: RingSlot) -> Int {
        slot.ordinal < counts.count ? Int(counts[slot.ordinal]) : 0
    }

    /// Increments the count.
    mutating func add(_ slot: RingSlot) {
        let place = slot.ordinal
        if place >= counts.count { counts.append(contentsOf: repeatElement(0, count: place + 1 - counts.count)) }
        counts[place] += 1
    }

    /// Decrements the count. Returns whether it was the last one; also true if the count was 0.
    mutating func remove(_ slot: RingSlot) -> Bool {
        guard self[slot] > 0 else { return true }
        counts[slot.ordinal] -= 1
        return counts[slot.ordinal] == 0
    }
}
