public import JSON

/// Something that must be provable later: what was measured, decided or done.
public struct LedgerEvent: Equatable, Sendable {
    /// What kind of thing happened.
    public enum Kind: String, Sendable, CaseIterable {
        case violation
        case decision
        case rollbackStep = "rollback_step"
        case alert
        case acknowledgement
        /// Somebody said that people are not to be told of certain alerts, or took it back, or its time was over.
        case silence
        case deployment
        case checkpoint
        case configurationChange = "config_change"
        case login
        case migration
        case retention
        /// One batch of measurements, as one leaf.
        case measurements
    }

    /// When it happened, in milliseconds since the epoch.
    public var milliseconds: Int64
    /// What kind of thing happened.
    public var kind: Kind
    /// What it is about: a rule, a plan, a service, an alert.
    public var subject: String
    /// The particulars; an object.
    public var body: JSON

    /// An event.
    public init(milliseconds: Int64, kind: Kind, subject: String, body: JSON) {
        self.milliseconds = milliseconds
        self.kind = kind
        self.subject = subject
        self.body = body
    }
}
