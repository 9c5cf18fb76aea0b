/// The states that were seen, each with the one before it and the choice that led to it: 32 bytes for a state.
///
/// Open addressing with linear probing over the numbers of states. Not shared between threads while it changes.
struct FingerprintTable {
    private var slots: [UInt32]
    private(set) var fingerprints: [Fingerprint] = []
    private var parents: [UInt32] = []
    private var choices: [UInt32] = []
    private var mask: Int

    init() {
        slots = Array(repeating: .max, count: 1 << 12)
        mask = (1 << 12) - 1
    }

    /// States.
    var count: Int { fingerprints.count }

    func contains(_ fingerprint: Fingerprint) -> Bool {
        slots[slot(of: fingerprint)] != .max
    }

    /// Adds a state; returns its number, or `nil` if it is there already.
    mutating func insert(_ fingerprint: Fingerprint, parent: UInt32, choice: UInt32) -> UInt32? {
        if count * 2 >= slots.count { grow() }
        let slot = slot(of: fingerprint)
        guard slots[slot] == .max else { return nil }
        let number = UInt32(count)
        slots[slot] = number
        fingerprints.append(fingerprint)
        parents.append(parent)
        choices.append(choice)
        return number
    }

    /// The choices from the first state to this one.
    func path(to number: UInt32) -> [Choice] {
        var path: [Choice] = []
        var place = number
        while place != 0 {
            path.append(Choice(code: choices[Int(place)]))
            place = parents[Int(place)]
        }
        return path.reversed()
    }

    private func slot(of fingerprint: Fingerprint) -> Int {
        var slot = Int(truncatingIfNeeded: fingerprint.low) & mask
        while slots[slot] != .max, fingerprints[Int(slots[slot])] != fingerprint { slot = (slot + 1) & mask }
        return slot
    }

    private mutating func grow() {
        mask = slots.count * 2 - 1
        slots = Array(repeating: .max, count: mask + 1)
        for (number, fingerprint) in fingerprints.enumerated() { slots[slot(of: fingerprint)] = UInt32(number) }
    }
}
