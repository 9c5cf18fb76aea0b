internal import Runtime
internal import Synchronization

/// An identity of the configuration, as it is shown to auditors. A value.
public struct KnownIdentity: Equatable, Sendable {
    /// The name.
    public var name: String
    /// How it is proved.
    public var method: Principal.Method
    /// The roles, sorted.
    public var roles: [String]
    /// The plans it is limited to; empty for all.
    public var plans: [String]
    /// The services it is limited to; empty for all.
    public var services: [String]
    /// When it ends, in milliseconds since the epoch; `nil` for never.
    public var expires: Int64?
    /// When it was last used since the start, in milliseconds since the epoch.
    public var lastUsed: Int64?
}

extension AccessControl {
    /// Every identity of the policy in force, without secrets.
    public var identities: [KnownIdentity] {
        let policy = policy
        let lastUse = state.withLock { $0.lastUse }
        func known(
            _ grant: AccessPolicy.Grant, _ method: Principal.Method, expires: Int64? = nil
        ) -> KnownIdentity {
            KnownIdentity(
                name: grant.name, method: method, roles: grant.roles.map(\.rawValue).sorted(),
                plans: grant.scope.plans.map(\.description), services: grant.scope.services.map(\.description),
                expires: expires, lastUsed: lastUse[AccessControl.UsedIdentity(name: grant.name, method: method)])
        }
        return policy.tokens.map { known($0.grant, $0.method, expires: $0.expires) }
            + policy.users.map { known($0.grant, .basic) } + policy.certificates.map { known($0, .certificate) }
    }
}
