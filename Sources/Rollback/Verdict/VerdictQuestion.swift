/// A question of another controller about a release.
public struct VerdictQuestion: Hashable, Sendable {
    /// The sense of a question, and so that of its answer.
    public enum Sense: String, Sendable, CaseIterable {
        /// Flagger, before the candidate is scaled up: may a release begin?
        case confirmRollout = "confirm-rollout"
        /// Flagger, before the candidate gets traffic: may it?
        case preRollout = "pre-rollout"
        /// Flagger, at each check: is the candidate healthy? It counts a refusal as a failed check.
        case rollout
        /// Flagger, before the candidate gets more traffic: is it healthy?
        case confirmTrafficIncrease = "confirm-traffic-increase"
        /// Flagger, before the candidate replaces the stable version: is it healthy?
        case confirmPromotion = "confirm-promotion"
        /// Flagger, at each check: must it go back? The only question to which "yes" takes traffic away.
        case rollback
        /// Flagger, after the release.
        case postRollout = "post-rollout"
        /// Flagger, for each of its events.
        case event
        /// The verdict itself. Asked by Argo Rollouts, which decides by the answer's content.
        case verdict

        /// Whether it may be the first question of a release that has no traffic yet.
        var isBeginning: Bool {
            switch self {
            case .confirmRollout, .preRollout, .verdict: true
            case .rollout, .confirmTrafficIncrease, .confirmPromotion, .rollback, .postRollout, .event: false
            }
        }
    }

    /// The sense of the question.
    public var sense: Sense
    /// The name of the release; `nil` for the one under way, which begins and ends nothing.
    public var release: String?
    /// How the release ended, as the controller says: `Succeeded` or `Failed`; `nil` if it goes on.
    public var outcome: String?
    /// Who asks.
    public var by: String

    /// A question.
    public init(_ sense: Sense, release: String?, outcome: String? = nil, by: String) {
        self.sense = sense
        self.release = release
        self.outcome = outcome
        self.by = by
    }
}

/// The answer to a question.
public struct VerdictReply: Hashable, Sendable {
    /// Whether the controller may do what it asks for: go on, or for `rollback` go back.
    public var isYes: Bool
    /// Why, in one line.
    public var text: String
    /// The verdict with its reasons.
    public var standing: VerdictStanding
}

/// A verdict as it stands. A value for other threads.
public struct VerdictStanding: Hashable, Sendable {
    /// The statement about the release.
    public enum Verdict: String, Sendable, CaseIterable {
        /// Every enforcing rule has measured the release, and none is violated.
        case healthy
        /// A rule has tripped since the release began.
        case violated
        /// Neither is known.
        case unknown
    }

    /// A rule of the verdict.
    public struct Rule: Hashable, Sendable {
        /// The rule's own name.
        public var name: String
        /// The condition of a violation.
        public var condition: String
        /// `enforce` or `shadow`.
        public var mode: String
        /// The last value that counted of the element that is named first; `nil` if there is none.
        public var value: Double?
        /// When the newest sample was taken that counted; `nil` if the last evaluation had none.
        public var measuredAt: Instant?
        /// Whether an element is tripped.
        public var isTripped: Bool
        /// Violations in a row.
        public var streak: Int
        /// Why it does not say that the release is healthy; `nil` if it does.
        public var lack: String?

        /// Whether both are equal.
        public static func == (left: Rule, right: Rule) -> Bool {
            left.name == right.name && left.condition == right.condition && left.mode == right.mode
                && left.value?.bitPattern == right.value?.bitPattern && left.measuredAt == right.measuredAt
                && left.isTripped == right.isTripped && left.streak == right.streak && left.lack == right.lack
        }
    }

    /// The name of the verdict.
    public var name: String
    /// The statement.
    public var verdict: Verdict
    /// Why, one line each; empty only for `healthy`.
    public var reasons: [String]
    /// The rules, by name.
    public var rules: [Rule]
    /// The release; `nil` if none is known.
    public var release: VerdictRelease?
    /// When this was judged.
    public var at: Instant
}
