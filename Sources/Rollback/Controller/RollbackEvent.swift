public import JSON

/// Something that must be provable later. Goes to the history.
public struct RollbackEvent: Equatable, Sendable {
    /// What kind of thing happened; the raw values are those of the history's events.
    public enum Kind: String, Sendable, CaseIterable {
        case violation
        case decision
        case step = "rollback_step"
        case deployment
        /// How traffic was divided was written down.
        case checkpoint
    }

    /// When.
    public var at: Instant
    /// What kind of thing happened.
    public var kind: Kind
    /// A rule or a plan.
    public var subject: String
    /// The particulars; an object.
    public var body: JSON

    /// An event.
    public init(at: Instant, kind: Kind, subject: String, body: JSON) {
        self.at = at
        self.kind = kind
        self.subject = subject
        self.body = body
    }
}

/// A message to people.
public struct RollbackNotice: Equatable, Sendable {
    /// Whether somebody has to act.
    public enum Kind: String, Sendable {
        /// Somebody must act now.
        case page
        /// What the page of the same key was about is over; nobody has to act on it any more.
        case over
        case rollback
        case validation
    }

    /// The plan.
    public var plan: String
    /// Equal for repetitions of one message.
    public var key: String
    /// Whether somebody has to act.
    public var kind: Kind
    /// The message.
    public var text: String
    /// Names of receivers, from the plan.
    public var receivers: [String]
}
