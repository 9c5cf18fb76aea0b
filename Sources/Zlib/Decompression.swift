internal import CZlib

/// Why compressed bytes are invalid.
public enum DecompressionError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The bytes are neither gzip nor zlib, or damaged, or incomplete.
    case damaged
    /// The content is longer than the limit.
    case tooLarge(limit: Int)
    case outOfMemory

    /// The error, one line.
    public var description: String {
        switch self {
        case .damaged: "damaged compressed data"
        case .tooLarge(let limit): "the decompressed body exceeds the limit of \(limit) bytes"
        case .outOfMemory: "out of memory"
        }
    }
}

/// Decompresses gzip (also several members) or zlib data. May be used from any thread.
///
/// - Parameters:
///   - limit: the maximum length of the content. Not much more memory than that is used, whatever the bytes.
///   - expected: the expected length of the content; a good value avoids copying.
///   - reserve: the spare capacity of the result.
///   - mayGrow: called before the content grows by at most that many bytes. Throws
///     ``DecompressionError/outOfMemory`` if it returns false.
public func decompress(
    _ bytes: [UInt8], limit: Int, expected: Int = 0, reserve: Int = 0, mayGrow: (_ by: Int) -> Bool = { _ in true }
) throws(DecompressionError) -> [UInt8] {
    var stream = unsafe z_stream()
    // Adding 32 to the window size makes zlib detect gzip and zlib by the header.
    guard unsafe inflateInit2_(&stream, 15 + 32, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
        throw .outOfMemory
    }
    defer { unsafe inflateEnd(&stream) }
    guard bytes.count <= UInt32.max else { throw .damaged }
    var content: [UInt8] = []
    content.reserveCapacity(max(min(expected, limit), min(bytes.count * 8, limit)) + reserve)
    try unsafe bytes.withUnsafeBufferPointer { input throws(DecompressionError) in
        unsafe stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
        unsafe stream.avail_in = UInt32(input.count)
        var code = Z_OK
        while true {
            guard mayGrow(roomForStep(content)) else { throw .outOfMemory }
            code = unsafe inflateStep(&stream, into: &content)
            guard content.count <= limit else { throw .tooLarge(limit: limit) }
            if code == Z_STREAM_END, unsafe stream.avail_in == 0 { return }
            if code == Z_STREAM_END { code = unsafe inflateReset(&stream) }
            let isStuck = unsafe stream.avail_in == 0 && stream.avail_out > 0
            guard code == Z_OK || (code == Z_BUF_ERROR && !isStuck), !isStuck else { throw .damaged }
        }
    }
    return content
}

/// The capacity, at least 64 KiB and at most 16 MiB.
private func roomForStep(_ content: [UInt8]) -> Int {
    min(max(content.capacity - content.count, 64 << 10), 1 << 24)
}

/// Inflates as much as fits.
private func inflateStep(_ stream: inout z_stream, into content: inout [UInt8]) -> Int32 {
    let start = content.count
    let room = roomForStep(content)
    content.append(contentsOf: repeatElement(0, count: room))
    var code = Z_OK
    unsafe content.withUnsafeMutableBufferPointer { output in
        unsafe stream.next_out = output.baseAddress.map { unsafe $0 + start }
        unsafe stream.avail_out = UInt32(room)
        code = unsafe inflate(&stream, Z_NO_FLUSH)
    }
    content.removeLast(unsafe Int(stream.avail_out))
    return code
}
