public import JSON

/// An event for the history, as evidence.
public struct RollbackEvent: Hashable, Sendable {
    /// The kind of the event; the raw values are those of the history's events.
    public enum Kind: String, Sendable, CaseIterable {
        case violation
        case decision
        case step = "rollback_step"
        case deployment
        /// The weights were stored.
        case checkpoint
        /// A release that another controller moves began or ended, was asked about, or a rule of it tripped or cleared.
        case verdict
    }

    /// The content of some events as values, for receivers that need more than a record.
    public enum Meaning: Hashable, Sendable {
        /// A trip was judged. `committedAt` is when the scrape that proves it was committed; `nil` for a timer.
        case decided(Trip, committedAt: Instant?)
        case stepped(Step)
    }

    /// A step of a rollback.
    public struct Step: Hashable, Sendable {
        /// The name, as in the timeline.
        public var name: String
        /// The service; `nil` for the rollback as a whole.
        public var service: String?
        /// The name of the route; `nil` for the service as a whole.
        public var route: String?
        /// Details.
        public var detail: String
        /// The rollback, with a timeline that ends with this step.
        public var rollback: RollbackRecord

        /// A step.
        public init(name: String, service: String?, route: String?, detail: String, rollback: RollbackRecord) {
            self.name = name
            self.service = service
            self.route = route
            self.detail = detail
            self.rollback = rollback
        }
    }

    /// When.
    public var at: Instant
    /// The kind of the event.
    public var kind: Kind
    /// The name of a rule or a plan.
    public var subject: String
    /// Details; an object.
    public var body: JSON
    /// Joins everything from the first violation to the last step; `nil` for events that belong to no incident.
    public var incident: String?
    /// The content as a value, for decisions on trips and steps.
    public var meaning: Meaning?
    /// Whether every node that evaluates the rules makes it, so that only the one that leads records it.
    public var isOfEveryNode = false

    /// An event.
    public init(
        at: Instant, kind: Kind, subject: String, body: JSON, incident: String? = nil, meaning: Meaning? = nil
    ) {
        self.at = at
        self.kind = kind
        self.subject = subject
        self.body = body
        self.incident = incident
        self.meaning = meaning
    }
}

/// A notification.
public struct RollbackNotice: Hashable, Sendable {
    /// Whether a person must act.
    public enum Kind: String, Sendable {
        /// A person must act now.
        case page
        /// The reason of the page with the same key is over.
        case over
        case rollback
        case validation
    }

    /// The plan.
    public var plan: String
    /// The same for retries of one message.
    public var key: String
    /// Whether a person must act.
    public var kind: Kind
    /// The message.
    public var text: String
    /// Names of receivers, from the plan.
    public var receivers: [String]

    /// `critical`, `high`, `warning` …
    public var severity: String

    /// A message.
    public init(
        plan: String, key: String, kind: Kind, text: String, receivers: [String], severity: String = "critical"
    ) {
        self.plan = plan
        self.key = key
        self.kind = kind
        self.text = text
        self.receivers = receivers
        self.severity = severity
    }
}
