internal import COpenSSL

/// A private Ed25519 key (RFC 8032). May be shared between threads.
///
/// `@unchecked`: the key is never written after `init`, and OpenSSL signs concurrently with one key.
@safe public final class SigningKey: @unchecked Sendable {
    private let key: OpaquePointer
    /// The key that verifies this key's signatures.
    public let verificationKey: VerificationKey

    /// A new random key.
    public static func generate() throws(TLSError) -> SigningKey {
        try SigningKey(seed: try SecureRandom.bytes(32))
    }

    /// The key that RFC 8032 derives from 32 secret bytes.
    public convenience init(seed: [UInt8]) throws(TLSError) {
        let key = unsafe seed.withUnsafeBufferPointer {
            unsafe EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, $0.baseAddress, $0.count)
        }
        unsafe try self.init(owning: key)
    }

    /// Reads the text of a PEM file (`-----BEGIN PRIVATE KEY-----`), as written by `openssl genpkey -algorithm
    /// ed25519`.
    public convenience init(pem: String) throws(TLSError) {
        unsafe try self.init(owning: PrivateKeyPEM.read(pem))
    }

    private init(owning key: OpaquePointer?) throws(TLSError) {
        guard let key = unsafe key else { throw .last(.badKey, "cannot read the Ed25519 key") }
        var bytes = [UInt8](repeating: 0, count: VerificationKey.byteCount)
        var count = bytes.count
        guard unsafe EVP_PKEY_get_id(key) == EVP_PKEY_ED25519,
            unsafe EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1,
            count == bytes.count
        else {
            unsafe EVP_PKEY_free(key)
            throw TLSError(code: .badKey, message: "the key is not an Ed25519 key")
        }
        unsafe self.key = unsafe key
        self.verificationKey = VerificationKey(trusted: bytes)
    }

    deinit {
        unsafe EVP_PKEY_free(key)
    }

    /// The key as an unencrypted PEM text, for a file that only its owner may read.
    public func pem() throws(TLSError) -> String {
        try unsafe PrivateKeyPEM.text(of: key)
    }

    /// The 64 bytes of the signature over `message`.
    public func sign(_ message: [UInt8]) throws(TLSError) -> [UInt8] {
        guard let context = unsafe EVP_MD_CTX_new() else { throw .last(.operationFailed, "cannot sign") }
        defer { unsafe EVP_MD_CTX_free(context) }
        var signature = [UInt8](repeating: 0, count: VerificationKey.signatureByteCount)
        var count = signature.count
        let code = unsafe message.withUnsafeBufferPointer { message in
            unsafe EVP_DigestSignInit(context, nil, nil, nil, key) == 1
                ? EVP_DigestSign(context, &signature, &count, message.baseAddress, message.count) : 0
        }
        guard code == 1, count == signature.count else { throw .last(.operationFailed, "cannot sign") }
        return signature
    }
}

/// A public Ed25519 key.
public struct VerificationKey: Hashable, Sendable {
    /// Length of a key.
    public static let byteCount = 32
    /// Length of a signature.
    public static let signatureByteCount = 64

    /// The key in the encoding of RFC 8032.
    public let bytes: [UInt8]

    /// The key with the given 32 bytes.
    public init(bytes: [UInt8]) throws(TLSError) {
        guard bytes.count == Self.byteCount else {
            throw TLSError(code: .badKey, message: "an Ed25519 key has 32 bytes, not \(bytes.count)")
        }
        self.bytes = bytes
    }

    init(trusted bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Whether `signature` was made over `message` by the private half of this key.
    public func isValid(_ signature: [UInt8], over message: [UInt8]) -> Bool {
        guard signature.count == Self.signatureByteCount,
            let key = unsafe EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count)
        else { return false }
        defer { unsafe EVP_PKEY_free(key) }
        guard let context = unsafe EVP_MD_CTX_new() else { return false }
        defer { unsafe EVP_MD_CTX_free(context) }
        let code = unsafe message.withUnsafeBufferPointer { message in
            unsafe EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1
                ? EVP_DigestVerify(context, signature, signature.count, message.baseAddress, message.count) : 0
        }
        // An invalid signature leaves an error in the queue, which must not be reported for the next operation.
        ERR_clear_error()
        return code == 1
    }
}
