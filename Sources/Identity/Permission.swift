/// The permission required by an endpoint.
public enum Permission: String, Sendable, CaseIterable {
    /// Check whether the process works. Every client may.
    case probe
    /// Read samples, rules, alerts, rollouts and the ledger.
    case read
    /// Write samples.
    case write
    /// Send alerts.
    case alert
    /// Silence alerts.
    case silence
    /// Give orders to rollouts.
    case order
    /// Use the deployment gates.
    case gate
    /// Ask for verdicts, as the controller of a release.
    case verdict
    /// See the identities with access, and their use.
    case audit
    /// Reload the configuration, or stop the process.
    case administer
    /// Exchange the proof of an identity for short-lived tokens. Every identity may.
    case session

    /// Whether endpoints with this permission change state, so pages of other sites must not call them.
    public var changesState: Bool {
        switch self {
        case .probe, .read, .audit: false
        // The results of gates are useful to an attacker.
        case .write, .alert, .silence, .order, .gate, .verdict, .administer, .session: true
        }
    }
}

extension Permission {
    /// Whether each use is put into the record: people and pipelines have it, not streams of samples and alerts.
    public var isRecorded: Bool {
        switch self {
        // A verdict has records of its own, of each answer that differs from the last.
        case .probe, .read, .write, .alert, .verdict, .audit: false
        case .session, .silence, .order, .gate, .administer: true
        }
    }
}

/// A set of permissions, in one word.
public struct PermissionSet: OptionSet, Hashable, Sendable {
    /// A bit per permission.
    public let rawValue: UInt16

    /// The set with these bits.
    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// The set of `permissions`.
    public init(_ permissions: Permission...) {
        self.init(rawValue: permissions.reduce(0) { $0 | Self.bit($1) })
    }

    /// Every permission.
    public static let all = PermissionSet(rawValue: Permission.allCases.reduce(0) { $0 | bit($1) })

    /// Whether `permission` is in the set.
    public func contains(_ permission: Permission) -> Bool { rawValue & Self.bit(permission) != 0 }

    private static func bit(_ permission: Permission) -> UInt16 {
        switch permission {
        case .probe: 1
        case .read: 1 << 1
        case .write: 1 << 2
        case .alert: 1 << 3
        case .silence: 1 << 4
        case .order: 1 << 5
        case .gate: 1 << 6
        case .audit: 1 << 7
        case .administer: 1 << 8
        case .session: 1 << 9
        case .verdict: 1 << 10
        }
    }
}
