/// An access event for the ledger. A value.
public enum AccessEvent: Equatable, Sendable {
    /// A request was refused. `permission` is the required one.
    case denied(Principal, Refusal, permission: Permission, method: String, path: String)
    /// A request that changes something was carried out, or failed with an HTTP status of its own.
    case performed(Principal, permission: Permission, method: String, path: String, status: Int)
    /// A token, certificate or password was used for the first time, or again after an hour.
    case used(Principal)
    /// Failed logins locked a client out.
    case lockedOut(name: String, address: String, failures: Int)
    /// A client behaves like an attacker and is blocked; the name is empty where nothing was proved.
    case blocked(name: String, address: String, score: Double)
}
