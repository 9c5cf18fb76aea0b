internal import JSON
public import MetricModel

/// The silences there are: pending, active, and those that ended not long ago.
///
/// A value machine: what people and time do to it comes in, what changed comes out for the record; ids and `now` are
/// passed in.
public struct SilenceSet: Equatable, Sendable {
    /// How much is kept, and for how long.
    public struct Limits: Equatable, Sendable {
        /// Most silences at a time, expired ones that are still kept included.
        public var count = 1000
        /// Most bytes of one as JSON text.
        public var bytes = 64 << 10
        /// How long an expired one is kept.
        public var retention = Milliseconds.hours(120)

        /// The limits of the service.
        public init() {}
    }

    /// Something that happened to a silence.
    public enum Change: Equatable, Sendable {
        /// It is new.
        case created(Silence)
        /// It goes on with another end, start, author or comment.
        case updated(Silence, before: Silence)
        /// Somebody ended it before its time, or put another in its place.
        case expired(Silence, replacedBy: String?)
        /// Its time is over.
        case ended(Silence)

        /// The silence after the change.
        public var silence: Silence {
            switch self {
            case .created(let silence), .updated(let silence, _), .expired(let silence, _), .ended(let silence): silence
            }
        }
    }

    struct Entry: Equatable, Sendable {
        var silence: Silence
        /// Whether its end has been given out as a change.
        var isEndKnown: Bool
    }

    /// How much is kept.
    public let limits: Limits
    private(set) var entries: [String: Entry] = [:]

    /// No silences.
    public init(limits: Limits = Limits()) { self.limits = limits }

    /// The silences that were kept.
    init(_ entries: [Entry], limits: Limits) {
        self.limits = limits
        self.entries = Dictionary(entries.map { ($0.silence.id, $0) }) { first, _ in first }
    }

    /// Every silence, in no order.
    public var all: [Silence] { entries.values.map(\.silence) }

    /// The silence `id`.
    public subscript(id: String) -> Silence? { entries[id]?.silence }

    /// Those that silence at `now`, ordered by id.
    public func active(at now: Timestamp) -> [Silence] {
        entries.values.map(\.silence).filter { $0.state(at: now) == .active }.sorted { $0.id < $1.id }
    }

    // MARK: What people do

    /// Somebody wants `wanted`: a new silence, or one with an id in place of what is there.
    ///
    /// What was silenced when, and by which matchers, is never rewritten: a change of the matchers, or of a start that
    /// lies in the past, ends the silence and makes a new one with `newID`.
    ///
    /// - Returns: The id of the silence, and what changed.
    public mutating func set(
        _ wanted: Silence, newID: String, at now: Timestamp
    ) throws(SilenceError) -> (id: String, changes: [Change]) {
        try check(wanted, at: now)
        var silence = wanted
        silence.updatedAt = now
        var changes: [Change] = []
        if !wanted.id.isEmpty {
            guard let before = entries[wanted.id]?.silence else {
                throw SilenceError(.notFound, "no silence has the id \(wanted.id)")
            }
            if Self.goesOn(before, as: wanted, at: now) {
                if before.state(at: now) == .active { silence.startsAt = before.startsAt }
                entries[silence.id]?.silence = silence
                return (silence.id, [.updated(silence, before: before)])
            }
            try checkRoom()
            changes += expire(before, replacedBy: newID, at: now)
        } else {
            try checkRoom()
        }
        silence.id = newID
        silence.startsAt = max(silence.startsAt, now)
        entries[newID] = Entry(silence: silence, isEndKnown: false)
        return (newID, changes + [.created(silence)])
    }

    /// Somebody ends the silence `id`. One that has ended already stays as it is.
    public mutating func expire(_ id: String, at now: Timestamp) throws(SilenceError) -> [Change] {
        guard let silence = entries[id]?.silence else {
            throw SilenceError(.notFound, "no silence has the id \(id)")
        }
        return expire(silence, replacedBy: nil, at: now)
    }

    private mutating func expire(_ before: Silence, replacedBy: String?, at now: Timestamp) -> [Change] {
        var silence = before
        switch before.state(at: now) {
        case .expired: return []
        case .active: break
        case .pending: silence.startsAt = now
        }
        silence.endsAt = now
        silence.updatedAt = now
        entries[silence.id] = Entry(silence: silence, isEndKnown: true)
        return [.expired(silence, replacedBy: replacedBy)]
    }

    /// Whether `wanted` only changes what has not happened yet.
    private static func goesOn(_ before: Silence, as wanted: Silence, at now: Timestamp) -> Bool {
        guard before.matchers == wanted.matchers else { return false }
        switch before.state(at: now) {
        // Clients cut fractions of a second off.
        case .active: return before.startsAt.milliseconds / 1000 == wanted.startsAt.milliseconds / 1000
        case .pending: return wanted.startsAt >= now
        case .expired: return false
        }
    }

    private func checkRoom() throws(SilenceError) {
        guard entries.count < limits.count else {
            throw SilenceError(
                .full, "there are \(entries.count) silences already, expired ones included; that is the limit")
        }
    }

    /// As with Alertmanager, a matcher with `!=` or `!~` counts as one that says something, whatever it is compared
    /// with.
    private func check(_ wanted: Silence, at now: Timestamp) throws(SilenceError) {
        guard !wanted.matchers.isEmpty else { throw SilenceError(.invalid, "a silence needs at least one matcher") }
        let saysNothing = wanted.matchers.allSatisfy { matcher in
            (matcher.matcher.operation == .equal || matcher.matcher.operation == .regex) && matcher.matches(.empty)
        }
        guard !saysNothing else {
            throw SilenceError(.invalid, "at least one matcher must not match the empty string")
        }
        guard wanted.startsAt < wanted.endsAt else { throw SilenceError(.invalid, "the start must be before the end") }
        guard wanted.endsAt > now else { throw SilenceError(.invalid, "the end must not be in the past") }
        let size = wanted.stored.encoded.utf8.count
        guard size <= limits.bytes else {
            throw SilenceError(.invalid, "the silence has \(size) bytes, more than \(limits.bytes)")
        }
    }

    // MARK: What time does

    /// Time has passed. Returns the silences whose time is over, each once, and drops those that have been over for
    /// long enough.
    public mutating func advanced(to now: Timestamp) -> [Change] {
        var changes: [Change] = []
        for (id, entry) in entries where entry.silence.endsAt <= now {
            if !entry.isEndKnown {
                entries[id]?.isEndKnown = true
                changes.append(.ended(entry.silence))
            } else if entry.silence.endsAt + limits.retention <= now {
                entries[id] = nil
            }
        }
        return changes.sorted { $0.silence.id < $1.silence.id }
    }
}
