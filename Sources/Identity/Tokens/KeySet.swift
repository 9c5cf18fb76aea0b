internal import JSON
internal import TLS

/// The public keys of an issuer (RFC 7517). May be shared between threads.
struct KeySet: Sendable {
    /// A key with its id.
    struct Key: Sendable {
        var id: String
        var key: SignatureKey
    }

    /// Keys with which tokens are verified; others are left out.
    let keys: [Key]
    /// Most keys of a set.
    private static let limit = 64

    /// A set of these keys.
    init(_ keys: [Key] = []) {
        self.keys = keys
    }

    /// Reads a JSON Web Key Set. Keys for encryption, symmetric keys and those that cannot be used are left out; `nil`
    /// where it is not such a set.
    init?(parsing bytes: [UInt8]) {
        guard case .some(let json) = try? JSON(parsing: bytes), let list = json["keys"]?.elements else { return nil }
        keys = list.prefix(Self.limit).flatMap { entry -> [Key] in
            guard entry["use"] == nil || entry["use"]?.text == "sig" else { return [] }
            if let operations = entry["key_ops"]?.elements, !operations.contains("verify") { return [] }
            let id = entry["kid"]?.text ?? ""
            return Self.algorithms(of: entry).compactMap { algorithm in
                Self.key(entry, algorithm).map { Key(id: id, key: $0) }
            }
        }
    }

    /// The algorithms of a key: the one it names, else those of its kind. A key that names one is for no other.
    private static func algorithms(of entry: JSON) -> [SignatureKey.Algorithm] {
        let possible: [SignatureKey.Algorithm] =
            switch (entry["kty"]?.text, entry["crv"]?.text) {
            case ("RSA", _): [.rs256, .rs384, .rs512, .ps256]
            case ("EC", "P-256"): [.es256]
            case ("EC", "P-384"): [.es384]
            case ("EC", "P-521"): [.es512]
            case ("OKP", "Ed25519"): [.edDSA]
            // Symmetric keys are not accepted: a verifier could also sign.
            case _: []
            }
        guard let named = entry["alg"]?.text else { return possible }
        return possible.filter { $0.rawValue == named }
    }

    private static func key(_ entry: JSON, _ algorithm: SignatureKey.Algorithm) -> SignatureKey? {
        func bytes(_ name: String) -> [UInt8] { entry[name]?.text.flatMap { Base64URL.bytes($0) } ?? [] }
        do throws(TLSError) {
            switch algorithm {
            case .rs256, .rs384, .rs512, .ps256:
                return try SignatureKey(rsa: bytes("n"), exponent: bytes("e"), algorithm)
            case .es256, .es384, .es512: return try SignatureKey(ecX: bytes("x"), y: bytes("y"), algorithm)
            case .edDSA: return try SignatureKey(ed25519: bytes("x"))
            }
        } catch {
            // A set may hold keys of other purposes; what cannot be used verifies nothing.
            return nil
        }
    }

    /// Whether one of the keys that the token may mean has signed it. `nil` where there is no such key.
    func verifies(_ token: JSONWebToken) -> Bool? {
        let candidates = keys.filter {
            $0.key.algorithm.rawValue == token.algorithm && (token.keyID.isEmpty || $0.id == token.keyID)
        }
        if candidates.isEmpty { return nil }
        return candidates.contains { $0.key.isValid(token.signature, over: token.signed) }
    }
}
