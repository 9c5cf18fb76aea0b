internal import COpenSSL

/// A public key that verifies signatures of JSON Web Tokens (RFC 7518, RFC 8037). May be shared between threads.
///
/// The key knows its one algorithm: what a token says of its algorithm is compared with it and never decides.
///
/// `@unchecked`: the key is never written after `init`, and OpenSSL verifies concurrently with one key.
@safe public final class SignatureKey: @unchecked Sendable {
    /// The algorithms that are known.
    public enum Algorithm: String, Sendable, CaseIterable {
        case rs256 = "RS256"
        case rs384 = "RS384"
        case rs512 = "RS512"
        case ps256 = "PS256"
        case es256 = "ES256"
        case es384 = "ES384"
        case es512 = "ES512"
        case edDSA = "EdDSA"

        /// Bytes of a coordinate, for the curves of ECDSA; 0 for others.
        var coordinateBytes: Int {
            switch self {
            case .es256: 32
            case .es384: 48
            case .es512: 66
            case .rs256, .rs384, .rs512, .ps256, .edDSA: 0
            }
        }

        fileprivate var digest: String? {
            switch self {
            case .rs256, .ps256, .es256: "SHA256"
            case .rs384, .es384: "SHA384"
            case .rs512, .es512: "SHA512"
            case .edDSA: nil
            }
        }

        fileprivate var group: String {
            switch self {
            case .es256: "P-256"
            case .es384: "P-384"
            case .es512: "P-521"
            case .rs256, .rs384, .rs512, .ps256, .edDSA: ""
            }
        }
    }

    /// The algorithm.
    public let algorithm: Algorithm
    private let key: OpaquePointer

    /// An RSA key of modulus and exponent, big-endian. Fewer than 2048 bits are refused.
    public init(rsa modulus: [UInt8], exponent: [UInt8], _ algorithm: Algorithm) throws(TLSError) {
        let bits = modulus.drop { $0 == 0 }.count * 8
        guard algorithm.coordinateBytes == 0, algorithm != .edDSA, (2048...16384).contains(bits), exponent.count <= 8
        else {
            throw TLSError(code: .badKey, message: "an RSA key needs 2048 to 16384 bits")
        }
        guard
            let key = unsafe copenssl_rsa_key(modulus, modulus.count, exponent, exponent.count)
        else { throw .last(.badKey, "the RSA key cannot be used") }
        unsafe self.key = unsafe key
        self.algorithm = algorithm
    }

    /// A key on the curve of `algorithm`, by its coordinates, big-endian.
    public init(ecX x: [UInt8], y: [UInt8], _ algorithm: Algorithm) throws(TLSError) {
        guard algorithm.coordinateBytes > 0, x.count == algorithm.coordinateBytes, y.count == x.count else {
            throw TLSError(code: .badKey, message: "the coordinates do not have the length of the curve")
        }
        let point = [4] + x + y
        guard let key = unsafe copenssl_ec_key(algorithm.group, point, point.count) else {
            throw .last(.badKey, "the point is not on the curve")
        }
        unsafe self.key = unsafe key
        self.algorithm = algorithm
    }

    /// An Ed25519 key.
    public init(ed25519 bytes: [UInt8]) throws(TLSError) {
        guard bytes.count == 32,
            let key = unsafe EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count)
        else { throw .last(.badKey, "an Ed25519 key has 32 bytes") }
        unsafe self.key = unsafe key
        algorithm = .edDSA
    }

    deinit {
        unsafe EVP_PKEY_free(key)
    }

    /// Whether `signature`, in the form of JSON Web Signatures, was made over `message` with the private half.
    public func isValid(_ signature: [UInt8], over message: [UInt8]) -> Bool {
        defer { ERR_clear_error() }
        let code = unsafe copenssl_verify(
            key, algorithm.digest, algorithm == .ps256, Int32(algorithm.coordinateBytes), signature, signature.count,
            message, message.count)
        return code == 1
    }
}
