public import MetricModel
public import RuleEngine

/// The alerts of one group of one route: decides when somebody must be told what.
///
/// A value machine: events in, decisions out, `now` passed in.
public struct AlertGroup: Equatable, Sendable {
    /// What was last told successfully, per integration.
    private struct Told: Equatable, Sendable {
        var at: Timestamp
        var firing: Set<Labels>
        var resolved: Set<Labels>
    }

    /// An alert with the time when it was last heard of.
    struct Held: Equatable, Sendable {
        var alert: Alert
        var updatedAt: Timestamp
    }

    /// The route's path and the group's labels: `{}/{severity="critical"}:{alertname="Down"}`.
    public let key: String
    /// The labels that all alerts of the group share.
    public let labels: Labels
    /// Name of the receiver.
    public let receiver: String
    private let groupInterval: Milliseconds
    private let repeatInterval: Milliseconds
    private var alerts: [Labels: Held] = [:]
    private var told: [Int: Told] = [:]
    /// When the group wants to be looked at next.
    public private(set) var dueAt: Timestamp

    /// A group that begins with `alert`.
    ///
    /// - Parameter urgent: Tell at once instead of waiting for more alerts.
    public init(route: Route, labels: Labels, alert: Alert, urgent: Bool, at now: Timestamp) {
        key =
            "\(route.key):{\(labels.pairs.map { "\($0.name)=\(MetricText.quoted($0.value))" }.joined(separator: ", "))}"
        self.labels = labels
        receiver = route.receiver
        groupInterval = route.groupInterval
        repeatInterval = route.repeatInterval
        // An alert that has been firing longer than the wait has waited elsewhere already.
        let waited = alert.startsAt + route.groupWait < now
        dueAt = urgent || waited ? now : now + route.groupWait
        alerts[alert.labels] = Held(alert: alert, updatedAt: now)
    }

    /// Whether nothing is left to tell.
    public var isEmpty: Bool { alerts.isEmpty }

    /// How many alerts it has, resolved ones that somebody has yet to be told of included.
    var count: Int { alerts.count }

    /// The alerts that fire at `now`, in no order.
    func held(at now: Timestamp) -> [Held] { alerts.values.filter { !Self.isResolved($0.alert, at: now) } }

    /// The labels of the alerts that fire at `now`.
    public func firing(at now: Timestamp) -> [Labels] { held(at: now).map(\.alert.labels) }

    /// Whether an alert with `labels` is in the group.
    func holds(_ labels: Labels) -> Bool { alerts[labels] != nil }

    /// An alert of this group was heard of.
    public mutating func received(_ alert: Alert, urgent: Bool, at now: Timestamp) {
        var alert = alert
        // One that was resolved and told may return: its old end must not linger.
        if let known = alerts[alert.labels]?.alert, !Self.isResolved(known, at: now), !alert.isResolved {
            alert.startsAt = min(known.startsAt, alert.startsAt)
        }
        alerts[alert.labels] = Held(alert: alert, updatedAt: now)
        if urgent { dueAt = min(dueAt, now) }
    }

    /// Something has to be looked at again now.
    mutating func becameDue(at now: Timestamp) { dueAt = min(dueAt, now) }

    /// What is to be done when a group's time has come.
    public struct Due: Equatable, Sendable {
        /// What each integration must be told now.
        public struct Entry: Equatable, Sendable {
            /// Index of the integration in the receiver.
            public var integration: Int
            /// What it is told.
            public var notification: Notification
        }

        /// What each integration must be told now.
        public var entries: [Entry] = []
        /// How many alerts nobody is told of, by reason.
        public var suppressed: [Suppression: Int] = [:]
    }

    /// The group's time has come.
    ///
    /// - Parameters:
    ///   - integrations: For each integration whether it wants to hear of resolved alerts.
    ///   - suppression: Why nobody is told of an alert; `nil` where people are.
    public mutating func cameDue(
        at now: Timestamp, integrations: [Bool], suppression: (Labels) -> Suppression?
    ) -> Due {
        dueAt = now + groupInterval
        var due = Due()
        var audible: [Alert] = []
        for alert in alerts.values.map(\.alert) {
            if let reason = suppression(alert.labels) {
                due.suppressed[reason, default: 0] += 1
            } else {
                audible.append(alert)
            }
        }
        audible.sort { $0.labels < $1.labels }
        for (integration, sendsResolved) in integrations.enumerated() {
            let told = audible.filter { sendsResolved || !Self.isResolved($0, at: now) }
            guard needsTelling(told, integration: integration, sendsResolved: sendsResolved, at: now), !told.isEmpty
            else { continue }
            due.entries.append(.init(integration: integration, notification: notification(of: told, at: now)))
        }
        if due.entries.isEmpty { forgetResolved(at: now) }
        return due
    }

    /// An integration has been told `notification`.
    public mutating func delivered(_ notification: Notification, integration: Int, at now: Timestamp) {
        told[integration] = Told(
            at: now, firing: Set(notification.alerts.filter { !$0.isResolved }.map(\.labels)),
            resolved: Set(notification.alerts.filter(\.isResolved).map(\.labels)))
        forgetResolved(at: now)
    }

    /// Resolved alerts go once every integration that was told of them firing has been told of their end.
    private mutating func forgetResolved(at now: Timestamp) {
        for (labels, held) in alerts where Self.isResolved(held.alert, at: now) {
            if told.values.allSatisfy({ !$0.firing.contains(labels) }) { alerts[labels] = nil }
        }
    }

    private func needsTelling(_ alerts: [Alert], integration: Int, sendsResolved: Bool, at now: Timestamp) -> Bool {
        let firing = Set(alerts.filter { !Self.isResolved($0, at: now) }.map(\.labels))
        let resolved = Set(alerts.filter { Self.isResolved($0, at: now) }.map(\.labels))
        guard let last = told[integration] else { return !firing.isEmpty }
        if !firing.isSubset(of: last.firing) { return true }
        if firing.isEmpty { return !last.firing.isEmpty && sendsResolved }
        if sendsResolved && !resolved.isSubset(of: last.resolved) { return true }
        return now - last.at >= repeatInterval
    }

    private func notification(of alerts: [Alert], at now: Timestamp) -> Notification {
        Notification(
            groupKey: key, groupLabels: labels, receiver: receiver,
            alerts: alerts.map { alert in
                var alert = alert
                alert.isResolved = Self.isResolved(alert, at: now)
                return alert
            })
    }

    private static func isResolved(_ alert: Alert, at now: Timestamp) -> Bool {
        alert.isResolved || alert.endsAt <= now
    }
}
