internal import MetricStore

/// How many there are of each slot of a lane: four bytes a slot where a dictionary would take some twenty-five.
struct SlotCounts {
    private var counts: [UInt32] = []

    /// How many there are of `slot`.
    subscript(slot: RingSlot) -> Int {
        slot.ordinal < counts.count ? Int(counts[slot.ordinal]) : 0
    }

    /// Counts one more.
    mutating func add(_ slot: RingSlot) {
        let place = slot.ordinal
        if place >= counts.count { counts.append(contentsOf: repeatElement(0, count: place + 1 - counts.count)) }
        counts[place] += 1
    }

    /// Counts one less. Whether it was the last; one that was not counted is.
    mutating func remove(_ slot: RingSlot) -> Bool {
        guard self[slot] > 0 else { return true }
        counts[slot.ordinal] -= 1
        return counts[slot.ordinal] == 0
    }
}
