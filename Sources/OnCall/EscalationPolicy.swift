public import MetricModel

/// Who is called about a page, and who next while nobody acknowledges it. A value.
public struct EscalationPolicy: Equatable, Sendable {
    /// Who is called.
    public enum Target: Hashable, Sendable {
        /// A person.
        case person(String)
        /// Everybody of a team.
        case team(String)
        /// The person on call by a schedule.
        case schedule(String)
        /// A receiver of the notification configuration.
        case receiver(String)
        /// The next digest of this name; nobody is called.
        case digest(String)
    }

    /// Calls that are made together.
    public struct Step: Equatable, Sendable {
        /// How long after the beginning of the round; not before the step before.
        public let delay: Milliseconds
        /// Who is called; at least one.
        public let targets: [Target]

        /// A step.
        public init(delay: Milliseconds, targets: [Target]) {
            self.delay = delay
            self.targets = targets
        }
    }

    /// The name by which pages choose it.
    public let name: String
    /// The steps of a round by their delays; at least one.
    public let steps: [Step]
    /// How many rounds follow the first one while nobody acknowledges.
    public let repeats: Int
    /// The time from the beginning of a round to that of the next; longer than the delay of the last step.
    public let roundLength: Milliseconds
    /// How long an acknowledgement counts; a new escalation begins afterwards. `nil`: until the page is resolved.
    public let acknowledgementTimeout: Milliseconds?
    /// Whether a page that nobody answers is an alarm.
    public let expectsAnswer: Bool

    /// A policy.
    public init(
        name: String, steps: [Step], repeats: Int, roundLength: Milliseconds,
        acknowledgementTimeout: Milliseconds? = nil, expectsAnswer: Bool = true
    ) {
        self.name = name
        self.steps = steps
        self.repeats = repeats
        self.roundLength = roundLength
        self.acknowledgementTimeout = acknowledgementTimeout
        self.expectsAnswer = expectsAnswer
    }

    /// The digests that its pages are in.
    var digests: Set<String> {
        Set(steps.flatMap(\.targets).compactMap { if case .digest(let name) = $0 { name } else { nil } })
    }
}

extension EscalationPolicy {
    private static let personPrefix = "person:"

    /// The policy that calls one person, three times, for a page that was given to them.
    public static func ofPerson(_ name: String) -> EscalationPolicy {
        EscalationPolicy(
            name: personPrefix + name, steps: [Step(delay: .zero, targets: [.person(name)])], repeats: 2,
            roundLength: .minutes(15))
    }

    /// The person whom a policy of ``ofPerson(_:)`` calls; `nil` for the name of another policy.
    public static func person(ofPolicy name: String) -> String? {
        name.hasPrefix(personPrefix) ? String(name.dropFirst(personPrefix.count)) : nil
    }
}
