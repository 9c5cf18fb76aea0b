public import JSON

/// An event for the ledger, as evidence.
public struct LedgerEvent: Equatable, Sendable {
    /// The kind of the event.
    public enum Kind: String, Sendable, CaseIterable {
        case violation
        case decision
        case rollbackStep = "rollback_step"
        case alert
        /// A person was called about a problem, or the problem was resolved.
        case page
        case acknowledgement
        /// An override of a schedule was planned, changed or removed.
        case schedule
        /// A silence was created, changed or removed, or expired.
        case silence
        case deployment
        case checkpoint
        /// Questions of other controllers about their releases, and the answers.
        case verdict
        case configurationChange = "config_change"
        /// A request that changes something was carried out.
        case order
        case login
        /// An order or a request that was refused.
        case denied
        /// An access token was used.
        case tokenUse = "token_use"
        case migration
        case retention
        /// One batch of measurements, as one leaf.
        case measurements
        /// A key that signs checkpoints of this ledger was added.
        case nodeKey = "node_key"
        /// Texts about a person were erased.
        case erasure
        /// A part of the record was lost, and a person decided to continue without it.
        case gap
        /// Records of the spool were damaged and stored separately.
        case damage
    }

    /// When it happened, in milliseconds since the epoch.
    public var milliseconds: Int64
    /// The kind of the event.
    public var kind: Kind
    /// The affected rule, plan, service or alert. Never the name of a person: it cannot be erased.
    public var subject: String
    /// Details; an object. Texts about persons are wrapped by ``personal(_:)``.
    public var body: JSON
    /// The actor, if a person or a client caused it.
    public var actor: LedgerActor?
    /// The incident: common to its events from the violation to the notifications.
    public var incident: String?
    /// The affected service.
    public var service: String?
    /// Contents stored outside of the leaf, referenced in the body by their SHA-256.
    public var blobs: [[UInt8]]

    /// An event.
    public init(
        milliseconds: Int64, kind: Kind, subject: String, body: JSON, actor: LedgerActor? = nil,
        incident: String? = nil, service: String? = nil, blobs: [[UInt8]] = []
    ) {
        self.milliseconds = milliseconds
        self.kind = kind
        self.subject = subject
        self.body = body
        self.actor = actor
        self.incident = incident
        self.service = service
        self.blobs = blobs
    }

    /// Marks a text about a person. The ledger stores a salted commitment instead, and the text separately, where it
    /// can be erased.
    public static func personal(_ text: String) -> JSON {
        .object([.init(PersonalText.mark, .string(text))])
    }
}

/// The cause of an event: proved and claimed identities.
///
/// All texts but the method are stored as commitments, so that they can be erased.
public struct LedgerActor: Equatable, Sendable {
    /// The authenticated identity; `nil` if none was proved.
    public var identity: String?
    /// How the identity was proved: `basic`, `token`, `certificate`, `oidc`, `link`, `none`, ….
    public var method: String
    /// The address of the peer.
    public var peer: String?
    /// The name given by the caller.
    public var claimed: String?

    /// An actor.
    public init(identity: String? = nil, method: String, peer: String? = nil, claimed: String? = nil) {
        self.identity = identity
        self.method = method
        self.peer = peer
        self.claimed = claimed
    }

    var json: JSON {
        var members: [JSON.Member] = [.init("method", .string(method))]
        for (name, text) in [("identity", identity), ("peer", peer), ("claimed", claimed)] {
            if let text { members.append(.init(name, LedgerEvent.personal(text))) }
        }
        return .object(members)
    }
}
