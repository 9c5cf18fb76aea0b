internal import COpenSSL

/// A private key on the curve P-256, for ECDSA with SHA-256 (`ES256`) and ECDH. May be shared between threads.
///
/// `@unchecked`: the key is never written after `init`, and OpenSSL signs and derives concurrently with one key.
@safe public final class P256Key: @unchecked Sendable {
    /// Length of a point in its uncompressed form.
    public static let pointByteCount = Int(COPENSSL_P256_POINT)
    /// Length of a secret number and of a shared secret.
    public static let numberByteCount = Int(COPENSSL_P256_NUMBER)

    private let key: OpaquePointer
    /// The public point, uncompressed: 4, then the two coordinates.
    public let point: [UInt8]

    /// A new random key.
    public static func generate() throws(TLSError) -> P256Key {
        try unsafe P256Key(owning: copenssl_p256_generate())
    }

    /// The key of a secret number of 32 bytes, big-endian.
    public convenience init(number: [UInt8]) throws(TLSError) {
        guard number.count == Self.numberByteCount else {
            throw TLSError(code: .badKey, message: "a number of P-256 has 32 bytes, not \(number.count)")
        }
        try unsafe self.init(owning: copenssl_p256_private(number))
    }

    /// Reads the text of a PEM file, as written by `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`.
    public convenience init(pem: String) throws(TLSError) {
        try unsafe self.init(owning: PrivateKeyPEM.read(pem))
    }

    private init(owning key: OpaquePointer?) throws(TLSError) {
        guard let key = unsafe key else { throw .last(.badKey, "cannot read the P-256 key") }
        var point = [UInt8](repeating: 0, count: Self.pointByteCount)
        guard unsafe copenssl_p256_point(key, &point), unsafe copenssl_p256_is_private(key) else {
            unsafe EVP_PKEY_free(key)
            ERR_clear_error()
            throw TLSError(code: .badKey, message: "the key is not a private key on the curve P-256")
        }
        unsafe self.key = unsafe key
        self.point = point
    }

    deinit {
        unsafe EVP_PKEY_free(key)
    }

    /// The key as an unencrypted PEM text, for a file that only its owner may read.
    public func pem() throws(TLSError) -> String {
        try unsafe PrivateKeyPEM.text(of: key)
    }

    /// The signature over `message` in the form of JSON Web Signatures: two numbers of 32 bytes.
    public func sign(_ message: [UInt8]) throws(TLSError) -> [UInt8] {
        var signature = [UInt8](repeating: 0, count: 2 * Self.numberByteCount)
        guard unsafe copenssl_p256_sign(key, message, message.count, &signature) else {
            throw .last(.operationFailed, "cannot sign")
        }
        return signature
    }

    /// The 32 bytes that only the owners of this key and of the key with the point `peer` can compute.
    ///
    /// - Throws: ``TLSError`` for a text that is not a point of the curve.
    public func sharedSecret(with peer: [UInt8]) throws(TLSError) -> [UInt8] {
        var secret = [UInt8](repeating: 0, count: Self.numberByteCount)
        guard peer.count == Self.pointByteCount, peer[0] == 4,
            unsafe copenssl_p256_shared(key, peer, &secret)
        else {
            ERR_clear_error()
            throw TLSError(code: .badKey, message: "the point is not on the curve P-256")
        }
        return secret
    }
}

/// Keys derived from a secret (RFC 5869) with SHA-256.
public enum HKDFSHA256 {
    /// `count` bytes, at most 32: extract with `salt`, then expand with `info`.
    public static func key(from secret: [UInt8], salt: [UInt8], info: [UInt8], count: Int) -> [UInt8] {
        assert((0...SHA256.byteCount).contains(count), "one block is enough")
        let pseudorandom = HMACSHA256.code(for: secret, key: salt)
        return Array(HMACSHA256.code(for: info + [1], key: pseudorandom).prefix(count))
    }
}

/// Encryption with AES-128 in Galois/counter mode (NIST SP 800-38D), with a nonce of 12 bytes and a tag of 16.
public enum AES128GCM {
    /// Length of a key.
    public static let keyByteCount = 16
    /// Length of a nonce.
    public static let nonceByteCount = 12
    /// By how much the sealed bytes are longer.
    public static let tagByteCount = Int(COPENSSL_GCM_TAG)

    /// The encrypted bytes with their tag. A nonce must never be used twice with one key.
    public static func seal(_ bytes: [UInt8], key: [UInt8], nonce: [UInt8]) throws(TLSError) -> [UInt8] {
        precondition(key.count == keyByteCount && nonce.count == nonceByteCount, "AES-128-GCM takes 16 and 12 bytes")
        var sealed = [UInt8](repeating: 0, count: bytes.count + tagByteCount)
        guard unsafe copenssl_aes128gcm_seal(key, nonce, bytes, bytes.count, &sealed) else {
            throw .last(.operationFailed, "cannot encrypt")
        }
        return sealed
    }
}
