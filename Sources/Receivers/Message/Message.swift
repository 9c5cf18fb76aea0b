public import MetricModel

/// A message to a receiver about a group of alerts. A value.
public struct Message: Equatable, Sendable {
    /// Identifies the group in all its messages.
    public var groupKey: String
    /// The labels that identify the group.
    public var groupLabels: Labels
    /// Name of the receiver.
    public var receiver: String
    /// Labels of the route, as templates.
    public var routeLabels: Labels
    /// The alerts, sorted by labels.
    public var alerts: [MessageAlert]
    /// The change since the previous message.
    public var reason: Reason
    /// Buttons that answer the message, for chats.
    public var buttons: [Button] = []

    /// A button of a chat message. A value.
    public struct Button: Equatable, Sendable {
        /// The name of the order, unique in the message.
        public var name: String
        /// The word on it.
        public var title: String
        /// A page in the browser that does the same; `nil` for none.
        public var link: String?
        /// The value that Slack sends back when it is pressed; `nil` where Slack has only links.
        public var slackValue: String?
        /// The address and the token that Mattermost sends when it is pressed; `nil` where Mattermost has only links.
        public var mattermost: (url: String, token: String)?

        /// A button.
        public init(name: String, title: String, link: String? = nil) {
            self.name = name
            self.title = title
            self.link = link
        }

        /// Whether both are the same.
        public static func == (left: Button, right: Button) -> Bool {
            left.name == right.name && left.title == right.title && left.link == right.link
                && left.slackValue == right.slackValue && left.mattermost?.url == right.mattermost?.url
                && left.mattermost?.token == right.mattermost?.token
        }
    }

    /// Why a message is sent.
    public enum Reason: String, Equatable, Sendable {
        /// The first message about this group.
        case first
        case newAlerts
        case someResolved
        case allResolved
        /// Nothing changed during the repeat interval.
        case repeated
        /// Somebody acts on the problem. Only for integrations that can say so.
        case acknowledged
    }

    /// A message.
    public init(
        groupKey: String, groupLabels: Labels, receiver: String, alerts: [MessageAlert], routeLabels: Labels = .empty,
        reason: Reason = .first
    ) {
        self.groupKey = groupKey
        self.groupLabels = groupLabels
        self.receiver = receiver
        self.alerts = alerts
        self.routeLabels = routeLabels
        self.reason = reason
    }

    /// Whether every alert has been resolved.
    public var isResolved: Bool { alerts.allSatisfy(\.isResolved) }
    /// `firing` or `resolved`.
    public var status: String { isResolved ? "resolved" : "firing" }
    /// Labels with the same value in every alert.
    public var commonLabels: Labels { Self.common(alerts.map(\.labels)) }
    /// Annotations with the same text in every alert.
    public var commonAnnotations: Labels { Self.common(alerts.map(\.annotations)) }

    private static func common(_ sets: [Labels]) -> Labels {
        guard let first = sets.first else { return .empty }
        var common = first.pairs
        // Few are left after the second set, mostly.
        for set in sets.dropFirst() where !common.isEmpty {
            common.removeAll { pair in !(set[pair.name].map { ByteOrder.equal($0, pair.value) } ?? false) }
        }
        return Labels(sorted: common)
    }

    /// The receiver's name with the special characters of regular expressions escaped, as Alertmanager shows it.
    var quotedReceiver: String {
        receiver.reduce(into: "") { result, character in
            if "\\.+*?()|[]{}^$".contains(character) { result.append("\\") }
            result.append(character)
        }
    }
}

/// An alert in a message. A value.
public struct MessageAlert: Equatable, Sendable {
    /// The labels that identify the alert.
    public var labels: Labels
    /// Texts that describe the alert.
    public var annotations: Labels
    /// When it began to fire.
    public var startsAt: Timestamp
    /// When it was resolved; not shown while it fires.
    public var endsAt: Timestamp
    /// Whether it has been resolved.
    public var isResolved: Bool
    /// The URL of its expression.
    public var generatorURL: String

    /// An alert.
    public init(
        labels: Labels, annotations: Labels, startsAt: Timestamp, endsAt: Timestamp, isResolved: Bool,
        generatorURL: String
    ) {
        self.labels = labels
        self.annotations = annotations
        self.startsAt = startsAt
        self.endsAt = endsAt
        self.isResolved = isResolved
        self.generatorURL = generatorURL
    }

    /// `firing` or `resolved`.
    var status: String { isResolved ? "resolved" : "firing" }
}
