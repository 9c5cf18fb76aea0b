public import MetricModel
public import Receivers
public import RuleModel

/// A notification of a receiver about a group of alerts.
public struct Notification: Equatable, Sendable {
    /// Identifies the group in all its notifications.
    public var groupKey: String
    /// The labels that identify the group.
    public var groupLabels: Labels
    /// Name of the receiver.
    public var receiver: String
    /// The alerts, sorted by labels.
    public var alerts: [Alert]
    /// Labels of the route, as templates.
    public var routeLabels: Labels
    /// The change since the previous notification.
    public var reason: Message.Reason

    /// A notification.
    public init(
        groupKey: String, groupLabels: Labels, receiver: String, alerts: [Alert], routeLabels: Labels = .empty,
        reason: Message.Reason = .first
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

    /// The message for the senders.
    public var message: Message {
        Message(
            groupKey: groupKey, groupLabels: groupLabels, receiver: receiver,
            alerts: alerts.map {
                MessageAlert(
                    labels: $0.labels, annotations: $0.annotations, startsAt: $0.startsAt, endsAt: $0.endsAt,
                    isResolved: $0.isResolved, generatorURL: $0.generatorURL)
            }, routeLabels: routeLabels, reason: reason)
    }
}

extension Alert {
    /// The fingerprint by which Prometheus and Alertmanager identify its labels.
    public var fingerprint: String { labels.fingerprint }
}

extension Receiver {
    /// The integrations with names that do not change when one of another kind is added or removed: `slack/0`,
    /// `email/0`, `slack/1`.
    var named: [(name: String, integration: Integration)] {
        var counts: [String: Int] = [:]
        return integrations.map { integration in
            let index = counts[integration.kind, default: 0]
            counts[integration.kind] = index + 1
            return ("\(integration.kind)/\(index)", integration)
        }
    }

    /// The integration named `name`.
    func integration(_ name: String) -> Integration? { named.first { $0.name == name }?.integration }
}
