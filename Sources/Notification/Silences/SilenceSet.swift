internal import JSON
public import MetricModel

/// All silences: pending, active, and recently expired.
///
/// A machine: requests of users and the passing of time come in, changes come out for the record. Ids and `now` are
/// passed in.
public struct SilenceSet: Equatable, Sendable {
    /// Limits of silences.
    public struct Limits: Equatable, Sendable {
        /// The maximum number, including expired silences that are still kept.
        public var count = 1000
        /// The maximum size of a silence as JSON, in bytes.
        public var bytes = 64 << 10
        /// How long expired silences are kept.
        public var retention = Milliseconds.hours(120)

        /// The limits of the service.
        public init() {}
    }

    /// A change of a silence.
    public enum Change: Equatable, Sendable {
        /// It was created.
        case created(Silence)
        /// It continues with another end, start, author or comment.
        case updated(Silence, before: Silence)
        /// A user ended it early or replaced it.
        case expired(Silence, replacedBy: String?)
        /// It reached its end.
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
        /// Whether its end was already reported as a change.
        var isEndKnown: Bool
    }

    /// The limits.
    public let limits: Limits
    private(set) var entries: [String: Entry] = [:]

    /// No silences.
    public init(limits: Limits = Limits()) { self.limits = limits }

    /// The stored silences.
    init(_ entries: [Entry], limits: Limits) {
        self.limits = limits
        self.entries = Dictionary(entries.map { ($0.silence.id, $0) }) { first, _ in first }
    }

    /// Every silence, in no particular order.
    public var all: [Silence] { entries.values.map(\.silence) }

    /// The silence `id`.
    public subscript(id: String) -> Silence? { entries[id]?.silence }

    /// The silences that are active at `now`, sorted by id.
    public func active(at now: Timestamp) -> [Silence] {
        entries.values.map(\.silence).filter { $0.state(at: now) == .active }.sorted { $0.id < $1.id }
    }

    // MARK: What people do

    /// Adds `wanted`: a new silence, or one with an id that replaces an existing one.
    ///
    /// The period and matchers of past suppressions never change: a change of the matchers, or of a start in the past,
    /// ends the silence and creates a new one with `newID`.
    ///
    /// - Returns: the id of the silence, and the changes.
    public mutating func set(
        _ wanted: Silence, newID: String, at now: Timestamp
    ) throws(SilenceError) -> (id: String, changes: [Change]) {
        try check(wanted, at: now)
        var silence = wanted
        silence.updatedAt = max(now, (entries[wanted.id]?.silence.updatedAt ?? .distantPast) + .milliseconds(1))
        var changes: [Change] = []
        if !wanted.id.isEmpty {
            guard let before = entries[wanted.id]?.silence else {
                throw SilenceError(.notFound, "no silence with id \(wanted.id)")
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

    /// Ends the silence `id`. A silence that has already ended does not change.
    public mutating func expire(_ id: String, at now: Timestamp) throws(SilenceError) -> [Change] {
        guard let silence = entries[id]?.silence else {
            throw SilenceError(.notFound, "no silence with id \(id)")
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
        // Later than the change before, also if that was made on a node whose clock is ahead.
        silence.updatedAt = max(now, before.updatedAt + .milliseconds(1))
        entries[silence.id] = Entry(silence: silence, isEndKnown: true)
        return [.expired(silence, replacedBy: replacedBy)]
    }

    /// Whether `wanted` changes only the future.
    private static func goesOn(_ before: Silence, as wanted: Silence, at now: Timestamp) -> Bool {
        guard before.matchers == wanted.matchers else { return false }
        switch before.state(at: now) {
        // Clients truncate fractions of a second.
        case .active: return before.startsAt.milliseconds / 1000 == wanted.startsAt.milliseconds / 1000
        case .pending: return wanted.startsAt >= now
        case .expired: return false
        }
    }

    private func checkRoom() throws(SilenceError) {
        guard entries.count < limits.count else {
            throw SilenceError(
                .full, "limit of \(entries.count) silences reached, including expired ones")
        }
    }

    /// As in Alertmanager, a matcher with `!=` or `!~` does not count as matching the empty string, whatever its value.
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

    /// Time has passed. Returns the silences that have ended, each once, and removes those whose retention is over.
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

    // MARK: Sharing

    /// Takes over a silence of another node if it was changed later than the one here. A new one needs room.
    mutating func merge(_ entry: Entry) {
        let known = entries[entry.silence.id]
        guard known.map({ $0.silence.updatedAt < entry.silence.updatedAt }) ?? (entries.count < limits.count) else {
            return
        }
        entries[entry.silence.id] = entry
    }

    /// Whether the silence ended so long ago that it is no longer kept.
    func isForgotten(_ entry: Entry, at now: Timestamp) -> Bool {
        entry.silence.endsAt + limits.retention <= now
    }
}
