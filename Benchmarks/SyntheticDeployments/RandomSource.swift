import Glibc

/// SplitMix64 with the distributions that a synthetic deployment needs. Equal seeds give equal sequences.
struct RandomSource: RandomNumberGenerator {
    private var state: UInt64
    private var spare: Double?

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// In 0..<1.
    mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    mutating func chance(_ probability: Double) -> Bool { uniform() < probability }

    /// Standard normal (Box and Muller, both numbers used).
    mutating func normal() -> Double {
        if let value = spare {
            spare = nil
            return value
        }
        let radius = (-2 * log(1 - uniform())).squareRoot()
        let angle = 2 * Double.pi * uniform()
        spare = radius * sin(angle)
        return radius * cos(angle)
    }

    /// Gamma with `shape` ≥ 1 and mean 1 (Marsaglia and Tsang).
    mutating func gamma(shape: Double) -> Double {
        let d = shape - 1.0 / 3
        let c = 1 / (9 * d).squareRoot()
        while true {
            let x = normal()
            let v = 1 + c * x
            guard v > 0 else { continue }
            let cube = v * v * v
            if log(1 - uniform()) < 0.5 * x * x + d - d * cube + d * log(cube) { return d * cube / shape }
        }
    }

    /// Poisson: by waiting times for small means, else a rounded normal.
    mutating func poisson(_ mean: Double) -> Int {
        if mean > 60 { return max(0, Int((mean + mean.squareRoot() * normal()).rounded())) }
        var count = 0
        var product = 1 - uniform()
        let limit = exp(-mean)
        while product > limit {
            count += 1
            product *= 1 - uniform()
        }
        return count
    }
}
