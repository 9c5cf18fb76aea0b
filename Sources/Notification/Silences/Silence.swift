public import MetricModel

/// Suppresses notifications of matching alerts for a period, on request of a user.
public struct Silence: Equatable, Sendable {
    /// The state of a silence.
    public enum State: String, Sendable, CaseIterable {
        /// It has not started.
        case pending
        /// It suppresses matching alerts.
        case active
        /// It has ended. It is kept for some time, to show what was silenced.
        case expired
    }

    /// Its id; empty for a silence that was not stored yet.
    public var id: String
    /// Matchers that an alert must all satisfy.
    public var matchers: [LabelMatcher]
    /// The start.
    public var startsAt: Timestamp
    /// The end, not included.
    public var endsAt: Timestamp
    /// When it was created or last changed.
    public var updatedAt: Timestamp
    /// The author.
    public var createdBy: String
    /// The reason.
    public var comment: String

    /// A new silence, or one that replaces the silence with `id`.
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

    /// The state at `now`.
    public func state(at now: Timestamp) -> State {
        now < startsAt ? .pending : now < endsAt ? .active : .expired
    }

    /// Whether it matches an alert with `labels`, at any time.
    public func matches(_ labels: Labels) -> Bool { matchers.allSatisfy { $0.matches(labels) } }

    /// The matchers in Alertmanager's notation: `{alertname="Down",service=~"auth|api"}`.
    public var matcherText: String { "{" + matchers.map(\.matcher.description).joined(separator: ",") + "}" }
}

/// Why a silence was rejected.
public struct SilenceError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kind of error.
    public enum Code: Equatable, Sendable {
        /// The request is invalid.
        case invalid
        /// There is no silence with the id.
        case notFound
        /// The limit of silences is reached.
        case full
        /// The file could not be written. Nothing has changed.
        case storage
    }

    /// The kind of error.
    public let code: Code
    /// The message.
    public let reason: String

    /// An error.
    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// The message.
    public var description: String { reason }
}
