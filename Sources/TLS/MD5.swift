internal import COpenSSL

/// The hash MD5 (RFC 1321), for formats that require it. Not secure.
public enum MD5 {
    /// Length of a hash in bytes.
    public static let byteCount = 16

    /// The 16 bytes of the hash of `bytes`.
    public static func hash(_ bytes: [UInt8]) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { digest, count in
            let code = unsafe bytes.withUnsafeBytes {
                unsafe EVP_Digest($0.baseAddress, $0.count, digest.baseAddress, nil, EVP_md5(), nil)
            }
            // Fails only if OpenSSL was built or configured without MD5. Another hash would be a wrong result.
            precondition(code == 1, "OpenSSL cannot compute MD5")
            count = byteCount
        }
    }
}
