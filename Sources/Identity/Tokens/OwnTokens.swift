internal import JSON
internal import TLS

/// The tokens that a client gets for its proof.
public struct IssuedTokens: Sendable {
    /// A JSON Web Token, for the header `Authorization: Bearer`.
    public var access: String
    /// Seconds until it ends.
    public var accessSeconds: Int64
    /// The token that is exchanged for it, once.
    public var refresh: String
    /// Seconds until that ends.
    public var refreshSeconds: Int64
}

/// Tribune's own short-lived tokens: signed with a key of this process, so that a restart ends them all. May be shared
/// between threads.
struct OwnTokens: Sendable {
    /// The issuer and audience.
    static let name = "tribune"
    static let accessSeconds: Int64 = 15 * 60

    private let key: SigningKey
    private let keyID: String
    private let keys: KeySet

    /// A new key; `nil` where OpenSSL has none.
    init?() {
        guard case .some(let key) = try? SigningKey.generate(),  // without a key there are no own tokens
            case .some(let verifying) = try? SignatureKey(ed25519: key.verificationKey.bytes)  // of the same library
        else { return nil }
        self.key = key
        keyID = Hexadecimal.text(SHA256.hash(key.verificationKey.bytes).prefix(8))
        keys = KeySet([.init(id: keyID, key: verifying)])
    }

    /// A token of `session` for `name`, issued at `now`, in seconds since the epoch.
    func issue(_ name: String, session: String, at now: Int64) -> String? {
        let header: JSON = ["alg": "EdDSA", "kid": .string(keyID), "typ": "at+jwt"]
        let claims: JSON = [
            "iss": .string(Self.name), "aud": .string(Self.name), "sub": .string(name), "sid": .string(session),
            "iat": .integer(now), "exp": .integer(now + Self.accessSeconds),
        ]
        let signed = [header, claims].map { Base64URL.text(Array($0.encoded.utf8)) }.joined(separator: ".")
        guard case .some(let signature) = try? key.sign(Array(signed.utf8)) else { return nil }  // no memory
        return signed + "." + Base64URL.text(signature)
    }

    /// Name, session and end of a token of this process that is valid at `now`.
    func verify(
        _ token: JSONWebToken, at now: Int64
    ) throws(TokenIssuer.Fault) -> (name: String, session: String, expires: Int64) {
        guard token.type == "at+jwt", keys.verifies(token) == true else {
            throw TokenIssuer.Fault("its signature is wrong, or an earlier process has signed it")
        }
        var issuer = TokenIssuer(Self.name)
        issuer.audiences = [Self.name]
        issuer.skewSeconds = 0
        let (grant, expires) = try issuer.grant(of: token, at: now)
        return (grant.name, token.claims["sid"]?.text ?? "", expires)
    }
}
