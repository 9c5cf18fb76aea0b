/// The sender of a request: proved and claimed identity, and permissions. A value.
public struct Principal: Equatable, Sendable {
    /// The method of the proof.
    public enum Method: String, Sendable {
        /// No proof.
        case none
        /// The peer process of a Unix socket, as reported by the system.
        case socket
        /// The token that the service wrote to a file at its start.
        case localToken = "local_token"
        /// A long-lived token of the configuration.
        case token
        /// A password.
        case basic
        /// A client certificate signed by a configured authority.
        case certificate
        /// A signed token of Tribune or of a configured issuer.
        case jwt
        /// A session that began with a login in a browser.
        case session
    }

    /// The proved name; `nil` without a proof.
    public var name: String?
    /// The method of the proof.
    public var method: Method
    /// The configured roles.
    public var roles: Set<Role>
    /// Its permissions.
    public var permissions: PermissionSet
    /// The plans and services to which they are limited.
    public var scope: Scope
    /// The client's numeric address; empty for a Unix socket.
    public var address: String
    /// The name given by the client.
    public var claimed: String?
    /// Whether several people may have the proof: that of the service's own user, or of a token of a flag.
    public var isShared = false
    /// The proved name, if it is that of one person or program.
    public var personalName: String? { isShared ? nil : name }
    /// Whether the sender is on this machine: loopback or a Unix socket, without a proxy in between.
    public var isThisMachine = false
    /// The proof that a session of the sender rests on.
    var proof = Sessions.Proof.name

    /// An identity with `roles` and further `permissions`.
    public init(
        name: String? = nil, method: Method = .none, roles: Set<Role> = [], permissions: PermissionSet = [],
        scope: Scope = Scope(), address: String = "", claimed: String? = nil
    ) {
        self.name = name
        self.method = method
        self.roles = roles
        self.permissions = roles.reduce(permissions) { $0.union($1.permissions) }
        if name != nil { self.permissions.formUnion(PermissionSet(.session)) }
        self.scope = scope
        self.address = address
        self.claimed = claimed
    }

    /// The numeric level of the platform; 0 for no role.
    public var level: Int { roles.map(\.level).max() ?? 0 }

    /// The name for messages and records: the proved name, else the claimed one, else the address.
    public var displayName: String { name ?? claimed ?? (address.isEmpty ? "unix socket" : address) }
}
