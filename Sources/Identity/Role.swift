/// A named set of permissions, assigned to identities by configuration files.
public enum Role: String, Sendable, CaseIterable {
    /// Reads.
    case observer
    /// Reads, silences and sends alerts.
    case responder
    /// Also gives orders to rollouts, uses the gates and asks for verdicts.
    case `operator`
    /// Everything.
    case admin
    /// Reads everything, including the identities with access and their use, and changes nothing.
    case auditor
    /// A program that writes samples, sends alerts, uses the gates and asks for verdicts.
    case service

    /// The permissions of this role.
    public var permissions: PermissionSet {
        switch self {
        case .observer: PermissionSet(.probe, .read)
        case .responder: PermissionSet(.probe, .read, .silence, .alert)
        case .operator: PermissionSet(.probe, .read, .silence, .alert, .order, .gate, .verdict)
        case .admin: .all
        case .auditor: PermissionSet(.probe, .read, .audit)
        case .service: PermissionSet(.probe, .write, .alert, .gate, .verdict)
        }
    }

    /// The numeric level of this role on the platform: orchestrator 10, specialist 7, worker 5, observer 3.
    public var level: Int {
        switch self {
        case .admin: 10
        case .operator: 7
        case .responder, .service: 5
        case .observer, .auditor: 3
        }
    }

    /// The roles of an identity whose level is known from the platform. A worker writes samples and reads; a level
    /// below that of an observer has no role.
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
