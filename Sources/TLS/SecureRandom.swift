internal import COpenSSL

/// Cryptographically secure random bytes.
public enum SecureRandom {
    /// `count` random bytes.
    public static func bytes(_ count: Int) throws(TLSError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        guard unsafe RAND_bytes(&bytes, Int32(clamping: count)) == 1 else {
            throw .last(.operationFailed, "cannot get random bytes")
        }
        return bytes
    }
}
