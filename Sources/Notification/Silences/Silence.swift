public import MetricModel

/// For a time, nobody is told of certain alerts, because somebody said so.
public struct Silence: Equatable, Sendable {
    /// Where a silence stands at a moment.
    public enum State: String, Sendable, CaseIterable {
        /// Its time has not come.
        case pending
        /// Alerts that meet its matchers are silenced.
        case active
        /// Its time is over. It is kept for a while, so that people can see what was silenced.
        case expired
    }

    /// Names it; empty for one that has not been taken yet.
    public var id: String
    /// Conditions that an alert must all meet.
    public var matchers: [LabelMatcher]
    /// Since when it silences.
    public var startsAt: Timestamp
    /// The moment from which on it does not any more.
    public var endsAt: Timestamp
    /// When it was made or last changed.
    public var updatedAt: Timestamp
    /// Who answers for it.
    public var createdBy: String
    /// Why it is there.
    public var comment: String

    /// A silence that has not been taken yet, or takes the place of the one with `id`.
    public init(
        id: String = "", matchers: [LabelMatcher], startsAt: Timestamp, endsAt: Timestamp, createdBy: String,
        comment: String
    ) {
        self.id = id
        self.matchers = matchers
        self.startsAt = startsAt
        self.endsAt = endsAt
        updatedAt = startsAt
        self.createdBy = createdBy
        self.comment = comment
    }

    /// Where it stands at `now`.
    public func state(at now: Timestamp) -> State {
        now < startsAt ? .pending : now < endsAt ? .active : .expired
    }

    /// Whether it is about an alert with `labels`, at whatever time.
    public func matches(_ labels: Labels) -> Bool { matchers.allSatisfy { $0.matches(labels) } }

    /// The matchers as Alertmanager writes them: `{alertname="Down",service=~"auth|api"}`.
    public var matcherText: String { "{" + matchers.map(\.matcher.description).joined(separator: ",") + "}" }
}

/// Why a silence was not taken.
public struct SilenceError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Whose fault it is.
    public enum Code: Equatable, Sendable {
        /// What was asked makes no sense.
        case invalid
        /// No silence has the id.
        case notFound
        /// There are as many as there may be.
        case full
        /// The file could not be written; nothing has changed.
        case storage
    }

    /// Whose fault it is.
    public let code: Code
    /// What is wrong.
    public let reason: String

    /// A refusal.
    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// What is wrong.
    public var description: String { reason }
}
