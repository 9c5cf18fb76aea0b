internal import CRuntime

/// The Castagnoli checksum of records on disk.
public enum CRC32C {
    /// The checksum of `bytes`; of `"123456789"` it is 0xE3069283.
    ///
    /// - Parameter previous: the checksum of the bytes before them, when a checksum is computed in parts.
    public static func checksum(_ bytes: some Sequence<UInt8>, after previous: UInt32 = 0) -> UInt32 {
        // Arrays and slices are read in place. Through the iterator of an unknown type, each byte would cost five
        // calls.
        bytes.withContiguousStorageIfAvailable { unsafe fold($0, previous) } ?? fold(Array(bytes), previous)
    }

    private static func fold(_ bytes: UnsafeBufferPointer<UInt8>, _ previous: UInt32) -> UInt32 {
        unsafe cruntime_crc32c(previous, bytes.baseAddress, bytes.count)
    }

    private static func fold(_ bytes: [UInt8], _ previous: UInt32) -> UInt32 {
        unsafe bytes.withUnsafeBufferPointer { unsafe fold($0, previous) }
    }
}
