internal import TLS

/// Who may do what: identities with their proofs, and what clients without one may do. A value.
public struct AccessPolicy: Equatable, Sendable {
    /// What an identity is given.
    public struct Grant: Equatable, Sendable {
        /// The name in records.
        public var name: String
        /// The roles.
        public var roles: Set<Role>
        /// Permissions beside those of the roles.
        public var permissions: PermissionSet
        /// To what all that is limited.
        public var scope: Scope

        /// What `name` is given.
        public init(
            _ name: String, roles: Set<Role> = [], permissions: PermissionSet = [], scope: Scope = Scope()
        ) {
            self.name = name
            self.roles = roles
            self.permissions = permissions
            self.scope = scope
        }
    }

    /// A secret that proves an identity as long as it lasts.
    public struct Token: Equatable, Sendable {
        /// Who shows it.
        public var grant: Grant
        /// SHA-256 of the token.
        public var hash: [UInt8]
        /// When it ends, in milliseconds since the epoch; `nil` for never.
        public var expires: Int64?
        /// How it is called in records.
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
        /// Who it is.
        public var grant: Grant
        /// bcrypt hash of the password; `nil` where the web configuration has it.
        public var passwordHash: String?

        /// A user.
        public init(_ grant: Grant, passwordHash: String?) {
            self.grant = grant
            self.passwordHash = passwordHash
        }
    }

    /// What programs of this machine may do without credentials.
    public var thisMachine = PermissionSet(.probe, .read, .write, .alert, .silence)
    /// What everybody else may do without credentials.
    public var everybody = PermissionSet(.probe, .read)
    /// What users of the web configuration may do who are not listed here; `nil` for the same as programs of this
    /// machine.
    public var passwordUsers: PermissionSet?
    /// The names of this server in the header `Host`.
    public var hosts = HostNames()
    /// The origin of the URL under which users reach the server; empty for none.
    public var externalOrigin = ""
    /// Proxies whose word on their clients counts.
    public var trustedProxies: [NetworkPrefix] = []
    /// How many requests a client may send. Programs of this machine are not limited.
    public var limits: [RequestClass: TokenBuckets.Rate] = [:]
    /// When failed logins lock a client out.
    public var lockout = Lockouts.Rule.standard
    /// Long-lived tokens.
    public var tokens: [Token] = []
    /// Users with passwords.
    public var users: [User] = []
    /// Identities of client certificates: the name is an alternative name or the subject.
    public var certificates: [Grant] = []

    /// The defaults: this machine reads, silences, sends alerts and samples; everybody reads.
    public init() {
        for requests in RequestClass.allCases { limits[requests] = .standard }
    }

    /// A policy under which programs of this machine may do everything, for tests and tools.
    public static var open: AccessPolicy {
        var policy = AccessPolicy()
        policy.thisMachine = .all
        return policy
    }
}
