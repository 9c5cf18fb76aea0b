internal import JSON
internal import TLS

/// A JSON Web Token in its compact form (RFC 7519), not verified yet. A value.
struct JSONWebToken {
    /// Longest token that is looked at, in bytes.
    static let limit = 16 << 10

    /// The algorithm that the header names; compared with that of the key, and nothing else.
    let algorithm: String
    /// The key that the header names; empty for none.
    let keyID: String
    /// The kind of token that the header names, in lower case and without `application/`; empty for none.
    let type: String
    /// The claims.
    let claims: JSON
    /// The signed bytes.
    let signed: [UInt8]
    /// The signature.
    let signature: [UInt8]

    /// Reads `text`; `nil` where it is not such a token, or has extensions that must be understood.
    init?(_ text: String) {
        guard text.utf8.count <= Self.limit else { return nil }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Self.object(parts[0]), let claims = Self.object(parts[1]),
            let signature = Base64URL.bytes(parts[2]), !signature.isEmpty,
            let algorithm = header["alg"]?.text, header["crit"] == nil, header["b64"] == nil
        else { return nil }
        // Keys and addresses of keys in the header (jwk, jku, x5c, x5u) are the sender's word and never looked at.
        self.algorithm = algorithm
        guard let keyID = Self.optionalText(header["kid"]), let type = Self.optionalText(header["typ"]) else {
            return nil
        }
        self.keyID = keyID
        let lower = type.lowercased()
        self.type = lower.hasPrefix("application/") ? String(lower.dropFirst(12)) : lower
        self.claims = claims
        self.signature = signature
        signed = Array("\(parts[0]).\(parts[1])".utf8)
    }

    private static func optionalText(_ value: JSON?) -> String? {
        guard let value else { return "" }
        return value.text
    }

    /// An object in which no name stands twice: parsers differ in which one counts.
    private static func object(_ part: Substring) -> JSON? {
        guard let bytes = Base64URL.bytes(part), case .some(let json) = try? JSON(parsing: bytes),  // not such a token
            let members = json.members, Set(members.map(\.name)).count == members.count
        else { return nil }
        return json
    }

    /// The issuer that the token names, before anything is verified.
    var issuer: String { claims["iss"]?.text ?? "" }
}
