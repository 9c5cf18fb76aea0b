internal import CZlib

/// A container format for deflated bytes.
public enum CompressedFormat: Sendable {
    /// RFC 1952, what HTTP calls `gzip`.
    case gzip
    /// RFC 1950, what HTTP calls `deflate`.
    case zlib
    /// RFC 1951, without a header.
    case raw
}

/// Compresses `bytes` at once. May be used from any thread.
///
/// - Parameter level: 1 (fast) to 9 (small).
/// - Returns: `nil` without memory.
public func compress(_ bytes: [UInt8], as format: CompressedFormat, level: Int32 = 1) -> [UInt8]? {
    guard let deflater = Deflater(as: format, level: level) else { return nil }
    var result: [UInt8] = []
    deflater.append(bytes, isLast: true, to: &result)
    return result
}

/// Compresses bytes that arrive in pieces. Owned by one thread at a time.
@safe public final class Deflater {
    private let stream: UnsafeMutablePointer<z_stream>

    /// - Parameter level: 1 (fast) to 9 (small).
    /// - Returns: `nil` without memory.
    public init?(as format: CompressedFormat, level: Int32 = 1) {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        // Adding 16 to the window size requests a gzip header, a negative size none.
        let windowBits: Int32 =
            switch format {
            case .gzip: 15 + 16
            case .zlib: 15
            case .raw: -15
            }
        let code = unsafe deflateInit2_(
            stream, level, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        if code != Z_OK {
            unsafe stream.deallocate()
            return nil
        }
    }

    deinit {
        unsafe deflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Compresses `bytes` and appends finished output to `output`. If `isLast`, appends all output; nothing may follow.
    public func append(_ bytes: [UInt8], isLast: Bool, to output: inout [UInt8]) {
        // zlib counts in 32 bits.
        let longest = 1 << 30
        var start = 0
        repeat {
            let count = min(longest, bytes.count - start)
            let isEnd = isLast && start + count == bytes.count
            unsafe bytes.withUnsafeBufferPointer { input in
                unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress).map {
                    unsafe $0 + start
                }
                unsafe stream.pointee.avail_in = UInt32(count)
                drain(isEnd ? Z_FINISH : Z_NO_FLUSH, to: &output)
            }
            start += count
        } while start < bytes.count
    }

    /// Deflates until zlib has no more output. Cannot fail with a valid stream and room to write.
    private func drain(_ flush: Int32, to output: inout [UInt8]) {
        var room = unsafe flush == Z_FINISH ? Int(deflateBound(stream, UInt(stream.pointee.avail_in))) : 1 << 15
        room = min(max(room, 64), 1 << 20)
        var isFull = true
        while isFull {
            let start = output.count
            output.append(contentsOf: repeatElement(0, count: room))
            unsafe output.withUnsafeMutableBufferPointer { buffer in
                unsafe stream.pointee.next_out = buffer.baseAddress.map { unsafe $0 + start }
                unsafe stream.pointee.avail_out = UInt32(room)
                unsafe deflate(stream, flush)
            }
            let rest = unsafe Int(stream.pointee.avail_out)
            output.removeLast(rest)
            isFull = rest == 0
        }
    }
}
