import Foundation

/// A generator that gives the same numbers for the same seed.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }
}

/// The seed of this run's random tests, printed so that a failure can be reproduced: `TRIBUNE_SEED=… swift test`.
let testSeed: UInt64 = {
    let given = ProcessInfo.processInfo.environment["TRIBUNE_SEED"].flatMap { UInt64($0) }
    let seed = given ?? UInt64.random(in: 0..<1_000_000)
    print("TRIBUNE_SEED=\(seed)")
    return seed
}()
