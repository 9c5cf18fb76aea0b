/// The Castagnoli checksum of records on disk.
public enum CRC32C {
    /// Remainders of the reflected polynomial 0x82F63B78, one per byte value.
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
    }

    /// The checksum of `bytes`; of `"123456789"` it is 0xE3069283.
    ///
    /// - Parameter previous: the checksum of the bytes before them, when a checksum is computed in parts.
    public static func checksum(_ bytes: some Sequence<UInt8>, after previous: UInt32 = 0) -> UInt32 {
        // Arrays and slices are read in place. Through the iterator of an unknown type, each byte would cost five
        // calls.
        bytes.withContiguousStorageIfAvailable { unsafe fold($0, previous) } ?? fold(Array(bytes), previous)
    }

    private static func fold(_ bytes: UnsafeBufferPointer<UInt8>, _ previous: UInt32) -> UInt32 {
        var value = ~previous
        unsafe table.withUnsafeBufferPointer { table in
            for index in bytes.indices {
                unsafe value = value >> 8 ^ table[Int(UInt8(truncatingIfNeeded: value) ^ bytes[index])]
            }
        }
        return ~value
    }

    private static func fold(_ bytes: [UInt8], _ previous: UInt32) -> UInt32 {
        unsafe bytes.withUnsafeBufferPointer { unsafe fold($0, previous) }
    }
}
