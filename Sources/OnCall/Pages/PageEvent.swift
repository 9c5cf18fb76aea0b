public import MetricModel

/// Something that happened to a page, for the record. A value.
public struct PageEvent: Equatable, Sendable {
    /// The kind of event.
    public enum Kind: String, Equatable, Sendable {
        case opened
        /// A receiver has taken a call.
        case called
        /// A receiver did not take a call; it is sent again.
        case callFailed = "call_failed"
        /// A call was given up.
        case undelivered
        case acknowledged
        case snoozed
        case reassigned
        case escalated
        case noted
        /// A page of something that the service needs is open, so that nobody is called about this one.
        case held
        /// The page that held it is over.
        case released
        /// The problem comes and goes: its end does not end the page yet.
        case flapping
        /// An acknowledgement or a snooze ended, and people are called again.
        case calledAgain = "called_again"
        /// All rounds are over, and nobody has acknowledged.
        case unanswered
        /// A step fired, and it meant nobody.
        case unreachable
        case resolved
    }

    /// The kind of event.
    public var kind: Kind
    /// The page.
    public var page: String
    /// When.
    public var at: Timestamp
    /// The title of the problem.
    public var title: String
    /// Labels of the problem.
    public var labels: Labels
    /// The rollback that the page is about; `nil` for none.
    public var incident: String?
    /// The call, for events about one.
    public var call: Page.Call?
    /// Who did it; `nil` if it happened by itself.
    public var actor: PageActor?
    /// More, such as the reason of a failure or the text of a note; empty for nothing.
    public var detail = ""
}

/// A page whose people are not reached, which others must hear of. A value.
public struct PageAlarm: Equatable, Sendable {
    /// The problem.
    public enum Reason: String, Equatable, Sendable {
        /// All rounds are over and nobody has acknowledged.
        case unanswered
        /// A step fired and meant nobody.
        case unreachable
        /// A receiver did not take a call.
        case undelivered
    }

    /// The name of its alert.
    public static let alertName = "TribunePageNotAnswered"

    /// The page.
    public var page: String
    /// The problem.
    public var reason: Reason
    /// The title of the problem.
    public var title: String
    /// When it was raised.
    public var since: Timestamp
}
