public import MetricModel

/// People, teams, schedules and policies of `oncall.yml`. A value.
public struct Roster: Equatable, Sendable {
    /// A person and the ways to reach them.
    public struct Person: Equatable, Sendable {
        /// A way to reach a person.
        public struct Contact: Equatable, Sendable {
            /// The receiver of the notification configuration that delivers to the person, or their browsers.
            public let receiver: String
            /// How long after the call this way is used.
            public let delay: Milliseconds

            /// A contact.
            public init(receiver: String, delay: Milliseconds) {
                self.receiver = receiver
                self.delay = delay
            }

            /// The browsers of a person.
            public static func push(to person: String, delay: Milliseconds) -> Contact {
                Contact(receiver: pushPrefix + person, delay: delay)
            }

            private static let pushPrefix = "push:"
            /// Whether it is the browsers of a person.
            public var isPush: Bool { Self.person(ofReceiver: receiver) != nil }

            /// The person whose browsers `receiver` means; `nil` for a receiver of the notification configuration.
            public static func person(ofReceiver receiver: String) -> String? {
                receiver.hasPrefix(pushPrefix) ? String(receiver.dropFirst(pushPrefix.count)) : nil
            }
        }

        /// The name that schedules, teams and policies use.
        public let name: String
        /// The ways to reach the person, the one that is used first at the front; at least one.
        public let contacts: [Contact]
        /// More names of the person in calendars, such as a full name or a mail address.
        public let aliases: [String]
        /// The ids of the person at chat services, whose buttons are pressed in their name.
        public let chat: [ChatAction.Service: String]

        /// A person.
        public init(
            name: String, contacts: [Contact], aliases: [String] = [], chat: [ChatAction.Service: String] = [:]
        ) {
            self.name = name
            self.contacts = contacts
            self.aliases = aliases
            self.chat = chat
        }
    }

    /// One message that a page sends.
    struct Call: Equatable, Sendable {
        /// Whom it is for; `nil` for a receiver that the policy names.
        var person: String?
        var receiver: String
        /// How long after the step it is sent.
        var delay: Milliseconds
    }

    /// A program that reports from time to time; without a report in time it is a problem.
    public struct Heartbeat: Equatable, Sendable {
        /// The name in pages and in the record.
        public let name: String
        /// The key that its program sends.
        public let key: InboundIntegration.Key
        /// The time after a report at which the next one is missing.
        public let timeout: Milliseconds
        /// The severity of its page.
        public let severity: String
        /// The policy of its page.
        public let policy: String

        /// A heartbeat.
        public init(
            name: String, key: InboundIntegration.Key, timeout: Milliseconds, severity: String = "critical",
            policy: String
        ) {
            self.name = name
            self.key = key
            self.timeout = timeout
            self.severity = severity
            self.policy = policy
        }

        /// The key of its problem.
        var problemKey: String { "heartbeat \(name)" }
    }

    /// People by name.
    public var people: [String: Person] = [:]
    /// The people of each team.
    public var teams: [String: [String]] = [:]
    /// Schedules by name.
    public var schedules: [String: Schedule] = [:]
    /// Policies by name.
    public var policies: [String: EscalationPolicy] = [:]
    /// Digests by name.
    public var digests: [String: Digest] = [:]
    /// The services that each service needs directly. Without cycles.
    public var dependencies: [String: Set<String>] = [:]
    /// When a problem flaps; `nil` for never.
    public var flapping: Flapping?
    /// The programs that report, by name.
    public var heartbeats: [String: Heartbeat] = [:]

    /// A problem flaps if it has had so many pages within so much time. A value.
    public struct Flapping: Equatable, Sendable {
        /// The number of pages, at least 2, the new one included.
        public let pages: Int
        /// The time.
        public let window: Milliseconds
        /// How long the problem must be away until the page of a flapping problem ends.
        public let quiet: Milliseconds

        /// A rule of flapping.
        public init(pages: Int, window: Milliseconds, quiet: Milliseconds) {
            self.pages = pages
            self.window = window
            self.quiet = quiet
        }
    }

    /// Nobody.
    public init() {}

    /// Whether `service` needs `other`, directly or by others.
    func needs(_ service: String, _ other: String) -> Bool {
        var (seen, open) = (Set<String>(), [service])
        while let next = open.popLast() {
            for needed in dependencies[next] ?? [] where seen.insert(needed).inserted {
                if needed == other { return true }
                open.append(needed)
            }
        }
        return false
    }

    /// The names of the people that `target` means at `moment`; none for a receiver, or if nobody is on call.
    public func people(of target: EscalationPolicy.Target, at moment: Timestamp) -> [String] {
        switch target {
        case .person(let name): [name]
        case .team(let name): teams[name] ?? []
        case .schedule(let name): schedules[name]?.person(at: moment).map { [$0] } ?? []
        case .receiver, .digest: []
        }
    }

    /// The policy called `name`; ``EscalationPolicy/ofPerson(_:)`` for the name of one.
    public func policy(_ name: String) -> EscalationPolicy? {
        if let policy = policies[name] { return policy }
        guard let person = EscalationPolicy.person(ofPolicy: name), people[person] != nil else { return nil }
        return .ofPerson(person)
    }

    /// The messages of a step at `moment`, each way to a person once.
    func calls(of step: EscalationPolicy.Step, at moment: Timestamp) -> [Call] {
        var calls: [Call] = []
        for target in step.targets {
            if case .receiver(let name) = target { calls.append(Call(person: nil, receiver: name, delay: .zero)) }
            for name in people(of: target, at: moment) {
                for contact in people[name]?.contacts ?? [] {
                    calls.append(Call(person: name, receiver: contact.receiver, delay: contact.delay))
                }
            }
        }
        var seen: [Call] = []
        for call in calls where !seen.contains(call) { seen.append(call) }
        return seen
    }
}
