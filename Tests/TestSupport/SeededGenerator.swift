import Glibc

/// SplitMix64: random numbers that a printed seed brings back. `TRIBUNE_SEED` sets the seed.
public struct SeededGenerator: RandomNumberGenerator {
    /// The seed, to be named when a test fails.
    public let seed: UInt64
    private var state: UInt64

    /// A generator with `seed`, or with `TRIBUNE_SEED`, or with a fresh one.
    public init(seed: UInt64? = nil) {
        let wanted = seed ?? getenv("TRIBUNE_SEED").flatMap { UInt64(String(cString: $0)) }
        self.seed = wanted ?? UInt64.random(in: 0...UInt64.max)
        state = self.seed
    }

    /// The next number of the sequence.
    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
