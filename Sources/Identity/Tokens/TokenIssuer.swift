internal import JSON

/// An issuer of JSON Web Tokens that the configuration trusts, and what its claims mean. A value.
public struct TokenIssuer: Equatable, Sendable {
    /// The issuer's name, which is the address of its documents: `https://idp.example`.
    public var issuer: String
    /// Audiences of which a token must name one.
    public var audiences: [String] = []
    /// The claim that holds the name of the identity.
    public var nameClaim = "sub"
    /// The claim that holds groups, a text or a list of texts; empty for none.
    public var rolesClaim = ""
    /// The claim that holds the numeric level of the platform; empty for none.
    public var levelClaim = ""
    /// Roles by group.
    public var roles: [String: Set<Role>] = [:]
    /// Roles of everybody with a token.
    public var defaultRoles: Set<Role> = []
    /// How much clocks may differ, in seconds.
    public var skewSeconds: Int64 = 60
    /// A file with the keys; `nil` fetches them by discovery.
    public var keyFile: String?
    /// A file with the authorities that sign the issuer's certificate; `nil` for those of the system.
    public var authorityFile: String?
    /// The client of this server at the issuer, for logins in a browser; `nil` for none.
    public var client: Client?

    /// The API server of Kubernetes that is asked about each token too; `nil` for none.
    var review: TokenReview.Server?

    /// A client of an issuer.
    public struct Client: Equatable, Sendable {
        /// The id.
        public var id: String
        /// The secret; empty for a public client.
        public var secret: String
        /// Scopes in addition to `openid`.
        public var scopes: [String]
    }

    /// An issuer without audiences, whose tokens are refused.
    public init(_ issuer: String) {
        self.issuer = issuer
    }

    /// Why a token is refused. Holds nothing of the token.
    struct Fault: Error, Equatable {
        var reason: String
        init(_ reason: String) { self.reason = reason }
    }

    /// Kinds of tokens that prove an identity (RFC 8725 §3.11); others, such as logout tokens, do not.
    private static let types: Set<String> = ["", "jwt", "at+jwt", "id+jwt"]
    /// Longest time between issue and end that is believed, in seconds.
    private static let longestLife: Int64 = 24 * 3600 + 600

    /// The claims of a token with a valid signature at `now`, in seconds since the epoch.
    ///
    /// - Parameter audiences: In place of the configured ones.
    func grant(
        of token: JSONWebToken, at now: Int64, audiences: [String]? = nil
    ) throws(Fault) -> (grant: AccessPolicy.Grant, expires: Int64) {
        let claims = token.claims
        guard Self.types.contains(token.type) else { throw Fault("it is a token of another kind") }
        guard token.issuer == issuer else { throw Fault("its issuer is another one") }
        guard Self.texts(claims["aud"]).contains(where: (audiences ?? self.audiences).contains) else {
            throw Fault("its audience is another one")
        }
        guard let expires = Self.seconds(claims["exp"]) else { throw Fault("it has no end") }
        guard expires + skewSeconds > now else { throw Fault("it has expired") }
        if claims["nbf"] != nil {
            guard let begin = Self.seconds(claims["nbf"]), begin - skewSeconds <= now else {
                throw Fault("it is not valid yet")
            }
        }
        if claims["iat"] != nil {
            guard let issued = Self.seconds(claims["iat"]), issued - skewSeconds <= now,
                expires - issued <= Self.longestLife
            else { throw Fault("it was issued in the future, or for longer than a day") }
        }
        guard let name = claims[nameClaim]?.text, (1...200).contains(name.utf8.count),
            name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f })
        else { throw Fault("it has no name in the claim \"\(nameClaim)\"") }
        var grant = AccessPolicy.Grant(name, roles: defaultRoles)
        if !rolesClaim.isEmpty {
            for group in Self.texts(claims[rolesClaim]) { grant.roles.formUnion(roles[group] ?? []) }
        }
        if !levelClaim.isEmpty, let level = claims[levelClaim]?.integer {
            grant.roles.formUnion(Role.roles(ofLevel: Int(clamping: level)))
        }
        return (grant, expires)
    }

    /// The grant of an account that an API server has confirmed.
    func grant(of account: TokenReview.Account) -> AccessPolicy.Grant {
        var grant = AccessPolicy.Grant(account.name, roles: defaultRoles)
        for group in account.groups { grant.roles.formUnion(roles[group] ?? []) }
        return grant
    }

    private static func texts(_ value: JSON?) -> [String] {
        value?.text.map { [$0] } ?? value?.elements?.compactMap(\.text) ?? []
    }

    /// Seconds since the epoch in a range in which sums do not overflow.
    private static func seconds(_ value: JSON?) -> Int64? {
        guard let number = value?.number, number.magnitude < 1e15 else { return nil }
        return Int64(number)
    }
}
