internal import COpenSSL

/// The hash SHA-256 (FIPS 180-4).
public enum SHA256 {
    /// Length of a hash in bytes.
    public static let byteCount = 32

    /// Fetched once: looking up the algorithm costs as much as hashing a short text.
    ///
    /// `nonisolated(unsafe)`: OpenSSL's algorithm objects are immutable once fetched.
    private nonisolated(unsafe) static let algorithm: OpaquePointer? = unsafe EVP_MD_fetch(nil, "SHA256", nil)

    /// The 32 bytes of the hash of `bytes`.
    public static func hash(_ bytes: [UInt8]) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { digest, count in
            let code = unsafe bytes.withUnsafeBytes {
                unsafe EVP_Digest($0.baseAddress, $0.count, digest.baseAddress, nil, algorithm, nil)
            }
            // Fails only without SHA-256 in OpenSSL or without memory. A wrong hash would be worse than a crash.
            precondition(code == 1, "OpenSSL cannot compute SHA-256")
            count = byteCount
        }
    }

    /// The hash of the UTF-8 form of `text`.
    public static func hash(_ text: String) -> [UInt8] { hash(Array(text.utf8)) }

    /// The hash of `text` in 64 lower-case hexadecimal digits.
    public static func hex(_ text: String) -> String { Hexadecimal.text(hash(text)) }
}

/// The keyed hash HMAC-SHA256 (RFC 2104).
public enum HMACSHA256 {
    /// The 32 bytes that prove knowledge of `key` over `bytes`.
    public static func code(for bytes: [UInt8], key: [UInt8]) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: SHA256.byteCount) { digest, count in
            let result = unsafe bytes.withUnsafeBufferPointer { bytes in
                unsafe key.withUnsafeBytes { key in
                    // A null key would mean "the key of the last call".
                    var nothing: UInt8 = 0
                    return unsafe withUnsafePointer(to: &nothing) { empty in
                        unsafe HMAC(
                            EVP_sha256(), key.baseAddress ?? UnsafeRawPointer(empty), Int32(clamping: key.count),
                            bytes.baseAddress ?? empty, bytes.count, digest.baseAddress, nil)
                    }
                }
            }
            unsafe precondition(result != nil, "OpenSSL cannot compute HMAC-SHA256")
            count = SHA256.byteCount
        }
    }
}

/// A comparison whose duration does not depend on the position of a difference.
public enum ConstantTime {
    /// Whether both have the same bytes. Their lengths are not secret.
    public static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count, !left.isEmpty else { return left.count == right.count }
        return unsafe left.withUnsafeBytes { left in
            unsafe right.withUnsafeBytes { unsafe CRYPTO_memcmp(left.baseAddress, $0.baseAddress, left.count) == 0 }
        }
    }
}
