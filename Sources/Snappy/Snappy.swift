internal import CSnappy

/// Google's Snappy in its block format, for remote write.
public enum Snappy {
    /// Why a block cannot be read.
    public enum Fault: Error, Equatable, Sendable, CustomStringConvertible {
        /// The bytes are not a Snappy block.
        case corrupt
        /// The content would exceed the limit.
        case tooLong

        /// The reason.
        public var description: String {
            switch self {
            case .corrupt: "snappy: corrupt input"
            case .tooLong: "snappy: decoded block is too large"
            }
        }
    }

    /// The content of `block`, which may be at most `limit` bytes long.
    public static func uncompress(_ block: [UInt8], limit: Int) throws(Fault) -> [UInt8] {
        var length = 0
        let code = unsafe withChars(block) { unsafe snappy_uncompressed_length($0.baseAddress, $0.count, &length) }
        guard code == SNAPPY_OK else { throw .corrupt }
        // The block begins with its length, which is not trusted for an allocation.
        guard length <= limit else { throw .tooLong }
        var isWhole = false
        let content = unsafe [UInt8](unsafeUninitializedCapacity: length) { output, count in
            unsafe output.withMemoryRebound(to: CChar.self) { output in
                isWhole = unsafe withChars(block) {
                    unsafe snappy_uncompress($0.baseAddress, $0.count, output.baseAddress, &length) == SNAPPY_OK
                }
            }
            count = isWhole ? length : 0
        }
        guard isWhole else { throw .corrupt }
        return content
    }

    /// `content` as a block.
    public static func compress(_ content: [UInt8]) -> [UInt8] {
        var length = snappy_max_compressed_length(content.count)
        return unsafe [UInt8](unsafeUninitializedCapacity: length) { output, count in
            unsafe output.withMemoryRebound(to: CChar.self) { output in
                unsafe withChars(content) {
                    // Cannot fail: the buffer is as long as the library asks for.
                    _ = unsafe snappy_compress($0.baseAddress, $0.count, output.baseAddress, &length)
                }
            }
            count = length
        }
    }

    private static func withChars<Result>(
        _ bytes: [UInt8], _ body: (UnsafeBufferPointer<CChar>) -> Result
    ) -> Result {
        unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe bytes.withMemoryRebound(to: CChar.self) { unsafe body($0) }
        }
    }
}
