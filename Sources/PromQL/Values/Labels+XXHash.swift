internal import MetricModel

extension Labels {
    /// The 64-bit xxHash of the labels in Prometheus's memory layout: each text after its length.
    ///
    /// `limit_ratio` selects by it, so that both select the same series.
    var xxHash: UInt64 {
        var bytes: [UInt8] = []
        for pair in pairs {
            Self.append(pair.name, to: &bytes)
            Self.append(pair.value, to: &bytes)
        }
        return XXHash64.hash(bytes)
    }

    private static func append(_ text: String, to bytes: inout [UInt8]) {
        let count = text.utf8.count
        if count < 255 {
            bytes.append(UInt8(count))
        } else {
            bytes += [255, UInt8(count & 255), UInt8(count >> 8 & 255), UInt8(count >> 16 & 255)]
        }
        bytes += text.utf8
    }
}

/// The 64-bit xxHash with seed 0.
///
/// - Note: Source: the xxHash specification, Yann Collet, version 0.1.1.
enum XXHash64 {
    private static let primes: [UInt64] = [
        0x9e37_79b1_85eb_ca87, 0xc2b2_ae3d_27d4_eb4f, 0x1656_67b1_9e37_79f9, 0x85eb_ca77_c2b2_ae63,
        0x27d4_eb2f_1656_67c5,
    ]

    static func hash(_ bytes: [UInt8]) -> UInt64 {
        var offset = 0
        var hash: UInt64
        if bytes.count >= 32 {
            var lanes: [UInt64] = [primes[0] &+ primes[1], primes[1], 0, 0 &- primes[0]]
            while offset + 32 <= bytes.count {
                for lane in 0..<4 { lanes[lane] = round(lanes[lane], word(bytes, offset + 8 * lane, 8)) }
                offset += 32
            }
            hash = rotate(lanes[0], 1) &+ rotate(lanes[1], 7) &+ rotate(lanes[2], 12) &+ rotate(lanes[3], 18)
            for lane in lanes { hash = (hash ^ round(0, lane)) &* primes[0] &+ primes[3] }
        } else {
            hash = primes[4]
        }
        hash &+= UInt64(bytes.count)
        while offset + 8 <= bytes.count {
            hash = rotate(hash ^ round(0, word(bytes, offset, 8)), 27) &* primes[0] &+ primes[3]
            offset += 8
        }
        if offset + 4 <= bytes.count {
            hash = rotate(hash ^ (word(bytes, offset, 4) &* primes[0]), 23) &* primes[1] &+ primes[2]
            offset += 4
        }
        for byte in bytes[offset...] { hash = rotate(hash ^ (UInt64(byte) &* primes[4]), 11) &* primes[0] }
        hash = (hash ^ (hash >> 33)) &* primes[1]
        hash = (hash ^ (hash >> 29)) &* primes[2]
        return hash ^ (hash >> 32)
    }

    private static func round(_ lane: UInt64, _ input: UInt64) -> UInt64 {
        rotate(lane &+ input &* primes[1], 31) &* primes[0]
    }

    private static func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 {
        value << count | value >> (64 - count)
    }

    private static func word(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> UInt64 {
        (0..<count).reduce(0) { $0 | UInt64(bytes[offset + $1]) << (8 * UInt64($1)) }
    }
}
