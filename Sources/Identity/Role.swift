/// A set of permissions with a name, which configuration files give to identities.
public enum Role: String, Sendable, CaseIterable {
    /// Reads.
    case observer
    /// Reads, silences and sends alerts.
    case responder
    /// Gives orders to rollouts and asks the gates as well.
    case `operator`
    /// Everything.
    case admin
    /// Reads everything, also who has access and who used it, and changes nothing.
    case auditor
    /// A program that writes samples, sends alerts and asks the gates.
    case service

    /// What identities with this role may do.
    public var permissions: PermissionSet {
        switch self {
        case .observer: PermissionSet(.probe, .read)
        case .responder: PermissionSet(.probe, .read, .silence, .alert)
        case .operator: PermissionSet(.probe, .read, .silence, .alert, .order, .gate)
        case .admin: .all
        case .auditor: PermissionSet(.probe, .read, .audit)
        case .service: PermissionSet(.probe, .write, .alert, .gate)
        }
    }

    /// The numeric level that the platform gives to this role: orchestrator 10, specialist 7, worker 5, observer 3.
    public var level: Int {
        switch self {
        case .admin: 10
        case .operator: 7
        case .responder, .service: 5
        case .observer, .auditor: 3
        }
    }

    /// The roles of an identity that the platform knows by its level. A worker writes samples and reads; a level below
    /// that of an observer gives nothing.
    public static func roles(ofLevel level: Int) -> Set<Role> {
        switch level {
        case 10...: [.admin]
        case 7...: [.operator]
        case 5...: [.service, .observer]
        case 3...: [.observer]
        default: []
        }
    }
}
