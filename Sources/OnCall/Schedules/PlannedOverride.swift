public import JSON
public import MetricModel

/// An override that somebody planned while the service runs, beside those of the file. A value.
public struct PlannedOverride: Equatable, Sendable {
    /// Its name, unique for ever.
    public internal(set) var id: String
    /// The schedule.
    public internal(set) var schedule: String
    /// Who is on call.
    public internal(set) var person: String
    /// When.
    public internal(set) var times: Range<Timestamp>
    /// Why, in the words of who planned it; empty for nothing.
    public internal(set) var reason: String
    /// Who planned or changed it last.
    public internal(set) var by: String
    /// When it was planned or changed last. Of several overrides at one time the latest counts.
    public internal(set) var at: Timestamp
    /// Grows with each change, so that of two copies the newer one is known.
    public internal(set) var revision: Int64 = 0

    // MARK: Storage

    /// The override as it is stored.
    public var stored: JSON {
        [
            "override": .string(id), "schedule": .string(schedule), "person": .string(person),
            "from": times.lowerBound.stored, "until": times.upperBound.stored, "reason": .string(reason),
            "by": .string(by), "at": at.stored, "revision": .integer(revision),
        ]
    }

    /// Reads a stored override; `nil` if it is malformed.
    public init?(stored json: JSON) {
        guard let id = json["override"]?.text, let schedule = json["schedule"]?.text,
            let person = json["person"]?.text, let from = Timestamp(stored: json["from"]),
            let until = Timestamp(stored: json["until"]), from < until, let reason = json["reason"]?.text,
            let by = json["by"]?.text, let at = Timestamp(stored: json["at"]), let revision = json["revision"]?.integer
        else { return nil }
        self.init(
            id: id, schedule: schedule, person: person, times: from..<until, reason: reason, by: by, at: at,
            revision: revision)
    }

    init(
        id: String, schedule: String, person: String, times: Range<Timestamp>, reason: String, by: String,
        at: Timestamp, revision: Int64 = 0
    ) {
        self.id = id
        self.schedule = schedule
        self.person = person
        self.times = times
        self.reason = reason
        self.by = by
        self.at = at
        self.revision = revision
    }
}

/// An order of a person about a schedule. A value.
public struct ScheduleOrder: Equatable, Sendable {
    /// The order.
    public enum Verb: Equatable, Sendable {
        /// The person is on call at these times, whatever the schedule says.
        case plan(schedule: String, person: String, Range<Timestamp>)
        /// A planned override gets another person, beginning or end; `nil` keeps what there is.
        case change(String, person: String?, from: Timestamp?, until: Timestamp?)
        /// A planned override is taken back.
        case remove(String)
        /// The person takes the shift at this time; of a shift that has begun, the rest.
        case take(schedule: String, person: String, at: Timestamp)
        /// The people of the shifts at these two times take each other's.
        case swap(schedule: String, Timestamp, Timestamp)
    }

    /// The order.
    public var verb: Verb
    /// Why, in the words of who gives it; empty for nothing.
    public var reason: String
    /// Who gives it.
    public var actor: PageActor

    /// An order.
    public init(_ verb: Verb, reason: String = "", by actor: PageActor) {
        self.verb = verb
        self.reason = reason
        self.actor = actor
    }

    /// The longest reason, in bytes.
    public static let reasonLimit = 500
    /// The longest override.
    static let longest = Milliseconds.hours(24 * 366)
    /// How far from its time a shift is looked for.
    static let reach = Milliseconds.hours(24 * 31)
}

/// The answer to an order about a schedule.
public enum ScheduleOutcome: Equatable, Sendable {
    /// The overrides that were planned, changed or removed.
    case done([PlannedOverride])
    /// The order makes no sense; says why.
    case refused(String)
    /// There is no such schedule or override; says which.
    case unknown(String)
}

/// Something that happened to a schedule, for the record. A value.
public struct ScheduleEvent: Equatable, Sendable {
    /// The kind of event.
    public enum Kind: String, Equatable, Sendable {
        case planned
        case changed
        case removed
    }

    /// The kind of event.
    public var kind: Kind
    /// The override as it is, or as it was before it was removed.
    public var override: PlannedOverride
    /// When.
    public var at: Timestamp
    /// Who did it.
    public var actor: PageActor
}
