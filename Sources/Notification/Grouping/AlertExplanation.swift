public import MetricModel

/// The routes of an alert at a time, and its suppressions. A value.
public struct AlertExplanation: Equatable, Sendable {
    /// One route of the alert.
    public struct Path: Equatable, Sendable {
        /// The matchers of the route and of those above it.
        public var route: String
        /// Name of the receiver.
        public var receiver: String
        /// Names of the receiver's integrations, such as `slack/0`.
        public var integrations: [String]
        /// The labels that identify the group.
        public var groupLabels: Labels
        /// Identifies the group in all its notifications.
        public var groupKey: String
        /// How long a new group waits for more alerts.
        public var groupWait: Milliseconds
        /// Time between two notifications about changes of a group.
        public var groupInterval: Milliseconds
        /// Time after which an unchanged group is sent again.
        public var repeatInterval: Milliseconds
        /// Names of the time intervals that mute the route.
        public var mutedBy: [String]
        /// Whether the alert is in the group now.
        public var isHeld: Bool
        /// When the group is checked next; `nil` if there is no group now.
        public var dueAt: Timestamp?
        /// Integrations whose last accepted message lists the alert as firing.
        public var sentTo: [String]
    }

    /// The labels of the alert.
    public var labels: Labels
    /// The silences that match it.
    public var silencedBy: [Silence]
    /// Labels of the alerts that inhibit it.
    public var inhibitedBy: [Labels]
    /// Its routes, in order.
    public var paths: [Path]
}

extension NotificationQueue {
    /// The explanation of an alert with `labels` at `now`, with the configuration in force.
    ///
    /// - Parameters:
    ///   - firing: labels of the alerts that fire at `now`.
    ///   - silences: those that are active at `now`.
    public func explanation(
        of labels: Labels, firing: [Labels], silences: [Silence], at now: Timestamp
    ) -> AlertExplanation {
        AlertExplanation(
            labels: labels, silencedBy: silences.filter { $0.matches(labels) },
            inhibitedBy: configuration.inhibitRules.compactMap { $0.inhibitor(of: labels, firing: firing) },
            paths: configuration.matching(labels).map { route in
                let id = Self.group(of: labels, on: route)
                let group = groups[id]
                return AlertExplanation.Path(
                    route: route.key, receiver: route.receiver,
                    integrations: (configuration.receivers[route.receiver]?.named ?? []).map(\.name),
                    groupLabels: id.labels, groupKey: AlertGroup.key(of: route, id.labels),
                    groupWait: route.groupWait, groupInterval: route.groupInterval,
                    repeatInterval: route.repeatInterval,
                    mutedBy: configuration.mutingIntervals(of: route, at: now),
                    isHeld: group?.holds(labels) == true, dueAt: group?.dueAt,
                    sentTo: (group?.sent ?? [:]).filter { $0.value.firing.contains(labels) }.keys.sorted())
            })
    }
}
