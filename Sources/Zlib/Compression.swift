internal import CZlib

/// A container for deflated bytes.
public enum CompressedFormat: Sendable {
    /// RFC 1952, what HTTP calls `gzip`.
    case gzip
    /// RFC 1950, what HTTP calls `deflate`.
    case zlib
}

/// Compresses `bytes` in one go. Any thread may call it.
///
/// - Parameter level: 1 (fast) to 9 (small).
/// - Returns: `nil` when zlib has no memory to work with.
public func compress(_ bytes: [UInt8], as format: CompressedFormat, level: Int32 = 1) -> [UInt8]? {
    var stream = unsafe z_stream()
    // Adding 16 to the window size is zlib's way of asking for a gzip header.
    let windowBits: Int32 = format == .gzip ? 15 + 16 : 15
    let code = unsafe deflateInit2_(
        &stream, level, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
        Int32(MemoryLayout<z_stream>.size))
    guard code == Z_OK else { return nil }
    defer { unsafe deflateEnd(&stream) }
    let bound = unsafe Int(deflateBound(&stream, UInt(bytes.count)))
    guard bytes.count <= UInt32.max, bound <= UInt32.max else { return nil }
    var isWhole = false
    let result = unsafe [UInt8](unsafeUninitializedCapacity: bound) { output, count in
        unsafe bytes.withUnsafeBufferPointer { input in
            unsafe stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
            unsafe stream.avail_in = UInt32(input.count)
            unsafe stream.next_out = output.baseAddress
            unsafe stream.avail_out = UInt32(output.count)
            isWhole = unsafe deflate(&stream, Z_FINISH) == Z_STREAM_END
        }
        count = unsafe output.count - Int(stream.avail_out)
    }
    return isWhole ? result : nil
}
