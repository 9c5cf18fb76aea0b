internal import Glibc

/// Whole files as text or bytes.
public enum FileText {
    /// Why a file could not be read.
    public struct ReadError: Error, Equatable, Sendable, CustomStringConvertible {
        /// The file.
        public let path: String
        /// The text of the system's error, or the limit that was exceeded.
        public let reason: String

        /// The path and the reason.
        public var description: String { "\(path): \(reason)" }
    }

    /// The bytes of the file at `path`. A file with more than `limit` bytes is an error.
    public static func bytes(_ path: String, limit: Int = 256 << 20) throws(ReadError) -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ReadError(path: path, reason: SystemError.current) }
        defer { close(descriptor) }
        var result: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw ReadError(path: path, reason: SystemError.current) }
            if count == 0 { return result }
            result += chunk[..<count]
            guard result.count <= limit else { throw ReadError(path: path, reason: "larger than \(limit) bytes") }
        }
    }

    /// The text of the file at `path`. Malformed UTF-8 is replaced. `nil` if the file cannot be read.
    public static func read(_ path: String) -> String? {
        guard case .some(let bytes) = try? bytes(path) else { return nil }  // callers only ask whether it is there
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Replaces the content of the file at `path` with `text`. Returns false on failure, with the reason in `errno`.
    ///
    /// - Parameter isPrivate: Whether a file that is created can be read by its user only.
    public static func write(_ text: String, to path: String, isPrivate: Bool = true) -> Bool {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, isPrivate ? 0o600 : 0o644)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return write(text, to: descriptor)
    }

    private static func write(_ text: String, to descriptor: Int32) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            var offset = 0
            while offset < bytes.count, let base = bytes.baseAddress {
                let count = unsafe Glibc.write(descriptor, base + offset, bytes.count - offset)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return false }
                offset += count
            }
            return true
        }
    }
}
