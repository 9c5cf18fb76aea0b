public import Runtime
internal import TLS

/// The access policy: identities with their proofs, and the permissions of clients without one. A value.
public struct AccessPolicy: Equatable, Sendable {
    /// The permissions of an identity.
    public struct Grant: Equatable, Sendable {
        /// The name in records.
        public var name: String
        /// The roles.
        public var roles: Set<Role>
        /// Permissions in addition to those of the roles.
        public var permissions: PermissionSet
        /// The plans and services to which the permissions are limited.
        public var scope: Scope
        /// Whether the proof belongs to the service and not to one person or program, as the token of its start.
        public var isShared = false

        /// The grant of `name`.
        public init(
            _ name: String, roles: Set<Role> = [], permissions: PermissionSet = [], scope: Scope = Scope()
        ) {
            self.name = name
            self.roles = roles
            self.permissions = permissions
            self.scope = scope
        }
    }

    /// A secret that proves an identity until it expires.
    public struct Token: Equatable, Sendable {
        /// The grant of its owner.
        public var grant: Grant
        /// SHA-256 of the token.
        public var hash: [UInt8]
        /// The expiry, in milliseconds since the epoch; `nil` for never.
        public var expires: Int64?
        /// The method in records.
        public var method: Principal.Method

        /// A token with this hash.
        public init(
            _ grant: Grant, hash: [UInt8], expires: Int64? = nil, method: Principal.Method = .token
        ) {
            self.grant = grant
            self.hash = hash
            self.expires = expires
            self.method = method
        }

        /// The token `text`.
        public init(_ grant: Grant, text: String, method: Principal.Method = .token) {
            self.init(grant, hash: SHA256.hash(text), method: method)
        }
    }

    /// A user with a password.
    public struct User: Equatable, Sendable {
        /// The grant of the user.
        public var grant: Grant
        /// bcrypt hash of the password; `nil` if the web configuration has it.
        public var passwordHash: String?

        /// A user.
        public init(_ grant: Grant, passwordHash: String?) {
            self.grant = grant
            self.passwordHash = passwordHash
        }
    }

    /// The permissions of programs on this machine without credentials.
    public var thisMachine = PermissionSet(.probe, .read, .write, .alert, .silence)
    /// The permissions of all other clients without credentials.
    public var everybody = PermissionSet(.probe, .read)
    /// The permissions of users in the web configuration that are not listed here; `nil` for those of programs on this
    /// machine.
    public var passwordUsers: PermissionSet?
    /// The names of this server in the header `Host`.
    public var hosts = HostNames()
    /// The origin of the server's URL for users; empty for none.
    public var externalOrigin = ""
    /// Proxies that are trusted to report their clients.
    public var trustedProxies: [NetworkPrefix] = []
    /// The request limits of clients. Programs on this machine are not limited.
    public var limits: [RequestClass: TokenBuckets.Rate] = [:]
    /// The rule for lockouts after failed logins.
    public var lockout = Lockouts.Rule.standard
    /// When a client that behaves like an attacker is blocked.
    public var anomaly = AnomalyScores.Rule.standard
    /// Addresses that are never blocked, such as those of scrapes.
    public var neverBlocked: [NetworkPrefix] = []
    /// Long-lived tokens.
    public var tokens: [Token] = []
    /// Users with passwords.
    public var users: [User] = []
    /// Identities of client certificates: the name is an alternative name or the subject.
    public var certificates: [Grant] = []
    /// Issuers of JSON Web Tokens.
    public var issuers: [TokenIssuer] = []

    /// Whether people have identities of their own, so that the local socket is for emergencies.
    public var hasIdentities: Bool { !users.isEmpty || !certificates.isEmpty || !issuers.isEmpty }

    /// The defaults: this machine reads, silences, sends alerts and samples; all others read.
    public init() {
        for requests in RequestClass.allCases { limits[requests] = .standard }
    }

    /// A policy that permits everything to programs on this machine, for tests and tools.
    public static var open: AccessPolicy {
        var policy = AccessPolicy()
        policy.thisMachine = .all
        return policy
    }
}
