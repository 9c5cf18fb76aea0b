public import MetricModel

/// An order of a person, or of a program for a person, to a page. A value.
public struct PageOrder: Equatable, Sendable {
    /// The order.
    public enum Verb: Equatable, Sendable {
        case acknowledge
        case resolve
        /// Nobody is called before this time.
        case snooze(until: Timestamp)
        /// Another policy or another person.
        case reassign(Target)
        /// The next step fires now.
        case escalate
        /// A remark for those who look later.
        case note(String)

        /// The word for it in paths, commands and the record.
        public var name: String {
            switch self {
            case .acknowledge: "acknowledge"
            case .resolve: "resolve"
            case .snooze: "snooze"
            case .reassign: "reassign"
            case .escalate: "escalate"
            case .note: "note"
            }
        }
    }

    /// Whose page it becomes.
    public enum Target: Equatable, Sendable {
        case policy(String)
        case person(String)
    }

    /// The order.
    public var verb: Verb
    /// Who gives it.
    public var actor: PageActor
    /// Identifies the signed link that it came by, which works once; `nil` for other ways.
    public var link: String?

    /// An order.
    public init(_ verb: Verb, by actor: PageActor, link: String? = nil) {
        self.verb = verb
        self.actor = actor
        self.link = link
    }

    /// The longest note, in bytes.
    public static let noteLimit = 4000
    /// The most notes of a page.
    public static let notesLimit = 200
    /// The longest snooze: a later end is a mistake, such as milliseconds in the place of seconds.
    static let longestSnooze = Milliseconds.hours(24 * 366)
}

/// Who acted: what was proved apart from what was said. A value.
public struct PageActor: Equatable, Sendable {
    /// The proved identity; `nil` if nothing was proved.
    public var identity: String?
    /// How it was proved: `token`, `certificate`, `link`, …; `source` for the source of the problem.
    public var method: String
    /// The address of the client; `nil` if there is none.
    public var peer: String?
    /// The name that the client gave.
    public var claimed: String?

    /// An actor.
    public init(identity: String? = nil, method: String, peer: String? = nil, claimed: String? = nil) {
        self.identity = identity
        self.method = method
        self.peer = peer
        self.claimed = claimed
    }

    /// The name to show.
    public var name: String { identity ?? claimed ?? peer ?? method }

    /// The source of a problem, such as an integration.
    public static func source(_ name: String) -> PageActor { PageActor(method: "source", claimed: name) }
}

/// The answer to an order.
public enum PageOutcome: Equatable, Sendable {
    case done
    /// Nothing was to be done; says why.
    case unchanged(String)
    /// The order makes no sense; says why.
    case refused(String)
    /// There is no such page, or it has been resolved for long.
    case unknownPage
    /// The signed link was used before.
    case linkIsUsed
}
