/// The exemplars of the last body, so that only changed ones are decoded. A value.
///
/// For each series it keeps a 64-bit hash of the exemplar's bytes. The hash is seeded per target, so that collisions
/// cannot be chosen. A changed exemplar is missed with a probability of 1 in 2⁶⁴. Takes no memory without exemplars.
struct ExemplarMemory: Sendable {
    /// The hash of an empty input.
    static let start: UInt64 = 0

    /// By series number; 0 if there was none.
    private var hashes: [UInt64] = []
    /// The changes made by the body being read.
    private var pending: [(number: Int32, former: UInt64)] = []

    /// Whether the hash of the exemplars of series `number` has changed.
    mutating func isNew(_ hash: UInt64, of number: Int32) -> Bool {
        let index = Int(number)
        while hashes.count <= index { hashes.append(0) }
        // 0 means that there was none.
        let hash = hash | 1
        guard hashes[index] != hash else { return false }
        pending.append((number, hashes[index]))
        hashes[index] = hash
        return true
    }

    /// Keeps the body's state. Numbers in `forgotten` may be reused.
    mutating func commit(forgotten: [Int32]) {
        if !pending.isEmpty { pending.removeAll(keepingCapacity: true) }
        for number in forgotten where number < hashes.count { hashes[Int(number)] = 0 }
    }

    /// Discards the body's state.
    mutating func discard() {
        for (number, former) in pending.reversed() { hashes[Int(number)] = former }
        pending.removeAll(keepingCapacity: true)
    }
}
