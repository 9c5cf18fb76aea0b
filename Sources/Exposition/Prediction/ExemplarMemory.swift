/// Which exemplars of a body were there the last time, so that only changed ones are decoded. A value.
///
/// Per series it keeps a 64-bit hash of the exemplar's bytes. The hash is seeded per target, so nobody can choose two
/// exemplars that share one; that a changed exemplar is taken for the last one has odds of 1 in 2⁶⁴. Takes no memory
/// where there are no exemplars.
struct ExemplarMemory: Sendable {
    /// The hash of nothing.
    static let start: UInt64 = 0

    /// By number of the series; 0 where none was seen.
    private var hashes: [UInt64] = []
    /// The changes by the body that is being read.
    private var pending: [(number: Int32, former: UInt64)] = []

    /// Whether the exemplars of series `number` hash to something else than the last time.
    mutating func isNew(_ hash: UInt64, of number: Int32) -> Bool {
        let index = Int(number)
        while hashes.count <= index { hashes.append(0) }
        // 0 says that there was none.
        let hash = hash | 1
        guard hashes[index] != hash else { return false }
        pending.append((number, hashes[index]))
        hashes[index] = hash
        return true
    }

    /// Keeps what the body said; `forgotten` numbers may be given to other series.
    mutating func commit(forgotten: [Int32]) {
        if !pending.isEmpty { pending.removeAll(keepingCapacity: true) }
        for number in forgotten where number < hashes.count { hashes[Int(number)] = 0 }
    }

    /// Forgets what the body said.
    mutating func discard() {
        for (number, former) in pending.reversed() { hashes[Int(number)] = former }
        pending.removeAll(keepingCapacity: true)
    }
}
