/// Who sends a request: what was proved, what was only claimed, and what follows from it. A value.
public struct Principal: Equatable, Sendable {
    /// How an identity was proved.
    public enum Method: String, Sendable {
        /// It was not.
        case none
        /// The process at the other end of a Unix socket, as the system reports it.
        case socket
        /// The token that the start of the service wrote to a file.
        case localToken = "local_token"
        /// A long-lived token of the configuration.
        case token
        /// A password.
        case basic
        /// A client certificate that a configured authority has signed.
        case certificate
        /// A signed token of Tribune or of a configured issuer.
        case jwt
        /// A session that began with a login in a browser.
        case session
    }

    /// The proved name; `nil` where nothing was proved.
    public var name: String?
    /// How it was proved.
    public var method: Method
    /// The roles that configuration gives to it.
    public var roles: Set<Role>
    /// What it may do.
    public var permissions: PermissionSet
    /// To what that is limited.
    public var scope: Scope
    /// The client's numeric address; empty for a Unix socket.
    public var address: String
    /// The name that the client gave for itself.
    public var claimed: String?
    /// Whether it is this machine itself: loopback or a Unix socket, without a proxy between.
    public var isThisMachine = false

    /// An identity with `roles` and further `permissions`.
    public init(
        name: String? = nil, method: Method = .none, roles: Set<Role> = [], permissions: PermissionSet = [],
        scope: Scope = Scope(), address: String = "", claimed: String? = nil
    ) {
        self.name = name
        self.method = method
        self.roles = roles
        self.permissions = roles.reduce(permissions) { $0.union($1.permissions) }
        self.scope = scope
        self.address = address
        self.claimed = claimed
    }

    /// The numeric level of the platform; 0 for no role.
    public var level: Int { roles.map(\.level).max() ?? 0 }

    /// The name for messages and records: what was proved, else what was claimed, else the address.
    public var displayName: String { name ?? claimed ?? (address.isEmpty ? "unix socket" : address) }
}
