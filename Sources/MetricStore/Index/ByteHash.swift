internal import MetricModel

/// Hashes for tables in memory (with a new seed in every process, so that label values cannot be chosen to collide) and
/// checksums for files (always the same).
@safe package enum ByteHash {
    private static let seed = UInt64.random(in: .min ... .max)

    /// For tables of texts.
    static func of(_ text: String) -> UInt32 {
        var text = text
        return text.withUTF8 { unsafe of(UnsafeRawBufferPointer($0)) }
    }

    /// For tables of bytes.
    package static func of(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        let hash = unsafe fold(bytes, seed)
        return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
    }

    /// For tables of numbers.
    static func of(_ numbers: some Sequence<UInt32>) -> UInt32 {
        var hash = seed
        for number in numbers { hash = mix(hash ^ UInt64(number), 0x9e37_79b9_7f4a_7c15) }
        return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
    }

    /// For tables of pairs of numbers.
    static func of(_ first: UInt32, _ second: UInt32) -> UInt32 {
        let hash = mix(seed ^ UInt64(first) << 32 ^ UInt64(second), 0x9e37_79b9_7f4a_7c15)
        return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
    }

    /// For files.
    static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        unsafe fold(bytes, 0x5472_6962_756e_6531)
    }

    private static func fold(_ bytes: UnsafeRawBufferPointer, _ seed: UInt64) -> UInt64 {
        var hash = seed ^ UInt64(bytes.count)
        var offset = 0
        while offset + 8 <= bytes.count {
            let word = unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            hash = mix(hash ^ word, 0x9e37_79b9_7f4a_7c15)
            offset += 8
        }
        var last: UInt64 = 0
        while offset < bytes.count {
            last = unsafe last << 8 | UInt64(bytes[offset])
            offset += 1
        }
        return mix(hash ^ last, 0xd6e8_feb8_6659_fd93)
    }

    /// Both halves of the 128-bit product, combined.
    @inline(__always)
    private static func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }
}
