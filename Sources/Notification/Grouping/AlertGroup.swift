public import MetricModel
internal import Receivers
public import RuleModel

/// The source of an alert.
public enum AlertOrigin: String, Equatable, Sendable {
    /// The rules of this process, which send every firing alert repeatedly.
    case rules
    /// An incident of this process, such as a rollback: sent once when it starts and once when it ends.
    case incidents
    /// Another process, through the API.
    case api
}

/// The alerts of one group of one route. Decides which receiver must be notified when, and of what.
///
/// A machine: events in, decisions out, `now` passed in.
public struct AlertGroup: Equatable, Sendable {
    /// The last notification that an integration accepted.
    struct Sent: Equatable, Sendable {
        var at: Timestamp
        var firing: Set<Labels>
        var resolved: Set<Labels>
        /// The integration's state for the group.
        var memory: [String: String]
        /// Alerts of which it may have been sent a resolution that the log does not have: this was read from a log.
        var unsure: Set<Labels> = []
    }

    /// An alert with the time at which it was last received.
    struct Held: Equatable, Sendable {
        var alert: Alert
        var updatedAt: Timestamp
        var origin: AlertOrigin
        /// Whether it was read from the log and not received since.
        var isRestored = false
    }

    /// The route's path and the group's labels: `{}/{severity="critical"}:{alertname="Down"}`.
    public let key: String
    /// The labels that all alerts of the group share.
    public let labels: Labels
    /// Name of the receiver.
    public let receiver: String
    private(set) var routeLabels: Labels
    private var groupWait: Milliseconds
    private var groupInterval: Milliseconds
    private var repeatInterval: Milliseconds
    private(set) var alerts: [Labels: Held] = [:]
    /// By the name of the integration in the receiver, such as `slack/0`.
    private(set) var sent: [String: Sent] = [:]
    /// Integrations with `send_resolved: false`.
    private var unresolving: Set<String> = []
    /// When the group must be checked next.
    public private(set) var dueAt: Timestamp
    /// Whether it was due before. New alerts then wait for `group_interval` and not for `group_wait`.
    private var hasComeDue = false
    /// Whether the next notification bypasses other messages of the receiver.
    private(set) var isUrgent = false

    /// A group that starts with `alert`.
    ///
    /// - Parameter urgent: notify immediately instead of waiting for more alerts.
    public init(
        route: NotificationRoute, labels: Labels, alert: Alert, origin: AlertOrigin = .rules, urgent: Bool,
        at now: Timestamp
    ) {
        self.init(route: route, labels: labels, at: now)
        dueAt = now + groupWait
        received(alert, origin: origin, urgent: urgent, at: now)
    }

    /// A group read from the log. It is checked as soon as an event occurs.
    init(route: NotificationRoute, labels: Labels, alerts: [Held], sent: [String: Sent], at now: Timestamp) {
        self.init(route: route, labels: labels, at: now)
        for held in alerts { self.alerts[held.alert.labels] = held }
        self.sent = sent
        let latest = sent.values.map(\.at).max() ?? now
        dueAt = max(now, latest + groupInterval)
        hasComeDue = true
    }

    private init(route: NotificationRoute, labels: Labels, at now: Timestamp) {
        key = Self.key(of: route, labels)
        self.labels = labels
        receiver = route.receiver
        routeLabels = route.labels
        groupWait = route.groupWait
        groupInterval = route.groupInterval
        repeatInterval = route.repeatInterval
        dueAt = now
    }

    /// The key of the group that `labels` name on `route`.
    static func key(of route: NotificationRoute, _ labels: Labels) -> String {
        let pairs = labels.pairs.map { "\($0.name)=\(MetricText.quoted($0.value))" }.joined(separator: ", ")
        return "\(route.key):{\(pairs)}"
    }

    /// Whether no alert is left.
    public var isEmpty: Bool { alerts.isEmpty }

    /// The number of alerts, including resolved ones of which an integration must still be notified.
    var count: Int { alerts.count }

    /// The alerts that fire at `now`, in no particular order.
    func held(at now: Timestamp) -> [Held] { alerts.values.filter { !Self.isResolved($0.alert, at: now) } }

    /// The labels of the alerts that fire at `now`.
    public func firing(at now: Timestamp) -> [Labels] { held(at: now).map(\.alert.labels) }

    /// Whether an alert with `labels` is in the group.
    func holds(_ labels: Labels) -> Bool { alerts[labels] != nil }

    /// An alert of this group was received.
    public mutating func received(_ alert: Alert, origin: AlertOrigin = .rules, urgent: Bool, at now: Timestamp) {
        var alert = alert
        // An alert that was resolved and notified may fire again: its old end must not be kept.
        let isNew = !alert.isResolved && forgetUnsure(alert, origin, at: now)
        if !isNew, let known = alerts[alert.labels]?.alert, !Self.isResolved(known, at: now) {
            alert.startsAt = min(known.startsAt, alert.startsAt)
        }
        alerts[alert.labels] = Held(alert: alert, updatedAt: now, origin: origin)
        // An alert that has been firing longer than the wait has already waited elsewhere.
        if !hasComeDue, alert.startsAt + groupWait < now { dueAt = min(dueAt, now) }
        if urgent {
            dueAt = min(dueAt, now)
            isUrgent = true
        }
    }

    /// `alert` fires. If the log may lack its resolution and it fires again, integrations count as not notified of it.
    /// Returns whether one does.
    ///
    /// Own rules without `for` start their alerts again after a restart, so that their start says nothing.
    private mutating func forgetUnsure(_ alert: Alert, _ origin: AlertOrigin, at now: Timestamp) -> Bool {
        let hasEnded = alerts[alert.labels].map { Self.isResolved($0.alert, at: now) } ?? true
        var isNew = false
        for (name, last) in sent where last.unsure.contains(alert.labels) {
            guard hasEnded || origin == .api && alert.startsAt > last.at else { continue }
            sent[name]?.unsure.remove(alert.labels)
            sent[name]?.firing.remove(alert.labels)
            isNew = true
        }
        return isNew
    }

    /// The rules have been evaluated since the start. Alerts that they have not sent again have ended.
    mutating func restorationEnded(at now: Timestamp) {
        for (labels, held) in alerts
        where held.isRestored && held.origin == .rules && !Self.isResolved(held.alert, at: now) {
            alerts[labels]?.alert.isResolved = true
            alerts[labels]?.alert.endsAt = now
            dueAt = min(dueAt, now)
        }
    }

    /// The route was reloaded. Its intervals apply; alerts and integrations that are no longer in it are removed.
    ///
    /// - Returns: whether alerts or integrations were removed.
    mutating func rerouted(_ route: NotificationRoute, integrations: Set<String>, keeps: (Labels) -> Bool) -> Bool {
        routeLabels = route.labels
        (groupWait, groupInterval, repeatInterval) = (route.groupWait, route.groupInterval, route.repeatInterval)
        let count = (alerts.count, sent.count)
        alerts = alerts.filter { keeps($0.key) }
        sent = sent.filter { integrations.contains($0.key) }
        return count != (alerts.count, sent.count)
    }

    /// Takes over what another node has sent, with the alerts that this node does not have.
    mutating func adopt(_ alerts: [Held], sent: [String: Sent], at now: Timestamp) {
        self.sent = sent
        for held in alerts where self.alerts[held.alert.labels] == nil { self.alerts[held.alert.labels] = held }
    }

    /// Removes alerts that ended before `time`.
    mutating func forgetEnded(before time: Timestamp) {
        alerts = alerts.filter { _, held in
            !Self.isResolved(held.alert, at: time) || max(held.alert.endsAt, held.updatedAt) > time
        }
    }

    /// The group must be checked again now.
    mutating func becameDue(at now: Timestamp) { dueAt = min(dueAt, now) }

    /// The decisions for a group that is due.
    public struct Due: Equatable, Sendable {
        /// A notification that an integration must be sent now.
        public struct Entry: Equatable, Sendable {
            /// Name of the integration in the receiver.
            public var integration: String
            /// The notification.
            public var notification: Notification
            /// The integration's state for the group.
            public var memory: [String: String]
        }

        /// The notifications to send now.
        public var entries: [Entry] = []
        /// The number of suppressed alerts, by reason.
        public var suppressed: [Suppression: Int] = [:]
        /// Whether the entries bypass other messages.
        public var isUrgent = false
        /// Whether an integration with `send_resolved: false` no longer counts alerts as firing.
        var hasForgotten = false
    }

    /// The group is due.
    ///
    /// - Parameters:
    ///   - integrations: the names of the integrations, each with whether it wants resolved alerts.
    ///   - undelivered: the alerts that a notification under way calls firing.
    ///   - suppression: returns why an alert is suppressed; `nil` if it is not.
    public mutating func cameDue(
        at now: Timestamp, integrations: [(name: String, sendsResolved: Bool)], undelivered: Set<Labels> = [],
        suppression: (Labels) -> Suppression?
    ) -> Due {
        dueAt = now + groupInterval
        hasComeDue = true
        unresolving = Set(integrations.filter { !$0.sendsResolved }.map(\.name))
        var due = Due()
        due.isUrgent = isUrgent
        isUrgent = false
        var audible: [Alert] = []
        for alert in alerts.values.map(\.alert) {
            if let reason = suppression(alert.labels) {
                due.suppressed[reason, default: 0] += 1
            } else {
                audible.append(alert)
            }
        }
        audible.sort { $0.labels < $1.labels }
        for (name, sendsResolved) in integrations {
            let shown = audible.filter { sendsResolved || !Self.isResolved($0, at: now) }
            if shown.isEmpty, !audible.isEmpty, sent[name]?.firing.isEmpty == false {
                // Nothing is sent, but alerts that fire again are new.
                sent[name]?.firing = []
                due.hasForgotten = true
            }
            guard !shown.isEmpty, let reason = reason(for: shown, name, sendsResolved: sendsResolved, at: now) else {
                continue
            }
            due.entries.append(
                .init(
                    integration: name, notification: notification(of: shown, reason, at: now),
                    memory: sent[name]?.memory ?? [:]))
        }
        if due.entries.isEmpty { forgetResolved(at: now, undelivered: undelivered) }
        return due
    }

    /// An integration has accepted `notification`.
    ///
    /// - Parameter undelivered: the alerts that notifications of other integrations under way call firing.
    public mutating func delivered(
        _ notification: Notification, integration: String, memory: [String: String] = [:],
        undelivered: Set<Labels> = [], at now: Timestamp
    ) {
        // A receiver that was notified that everything is resolved is notified of a new alert.
        sent[integration] = Sent(
            at: now, firing: Set(notification.alerts.filter { !$0.isResolved }.map(\.labels)),
            resolved: Set(notification.alerts.filter(\.isResolved).map(\.labels)),
            memory: notification.isResolved ? [:] : memory)
        forgetResolved(at: now, undelivered: undelivered)
        // An alert that ended while its receiver could not be reached: the end follows at once.
        let isLate = notification.alerts.contains { alert in
            !alert.isResolved && alerts[alert.labels].map { Self.isResolved($0.alert, at: now) } ?? false
        }
        if isLate { dueAt = min(dueAt, now) }
    }

    /// How long an alert that has ended is kept for a receiver that cannot be reached: it gets the start, then the end.
    private static let undeliveredRetention = Milliseconds.minutes(15)

    /// Removes resolved alerts when every integration that was sent them as firing, and wants resolutions, was sent the
    /// resolution.
    private mutating func forgetResolved(at now: Timestamp, undelivered: Set<Labels>) {
        let ended = alerts.filter { Self.isResolved($0.value.alert, at: now) }
        if ended.isEmpty { return }
        let awaiting = sent.filter { !unresolving.contains($0.key) }.values
        for (labels, held) in ended {
            let end = min(held.alert.endsAt, held.updatedAt)
            if undelivered.contains(labels), now - end < Self.undeliveredRetention { continue }
            if awaiting.allSatisfy({ !$0.firing.contains(labels) }) { alerts[labels] = nil }
        }
    }

    /// Why `alerts` must be sent to an integration; `nil` if they need not be sent.
    private func reason(
        for alerts: [Alert], _ integration: String, sendsResolved: Bool, at now: Timestamp
    ) -> Message.Reason? {
        guard let last = sent[integration] else {
            return alerts.contains { !Self.isResolved($0, at: now) } ? .first : nil
        }
        let firing = Set(alerts.filter { !Self.isResolved($0, at: now) }.map(\.labels))
        let resolved = Set(alerts.filter { Self.isResolved($0, at: now) }.map(\.labels))
        if !firing.isSubset(of: last.firing) { return last.firing.isEmpty ? .first : .newAlerts }
        if firing.isEmpty { return !last.firing.isEmpty && sendsResolved ? .allResolved : nil }
        if sendsResolved && !resolved.isSubset(of: last.resolved) { return .someResolved }
        return now - last.at >= repeatInterval ? .repeated : nil
    }

    private func notification(of alerts: [Alert], _ reason: Message.Reason, at now: Timestamp) -> Notification {
        Notification(
            groupKey: key, groupLabels: labels, receiver: receiver,
            alerts: alerts.map { alert in
                var alert = alert
                alert.isResolved = Self.isResolved(alert, at: now)
                return alert
            }, routeLabels: routeLabels, reason: reason)
    }

    static func isResolved(_ alert: Alert, at now: Timestamp) -> Bool {
        alert.isResolved || alert.endsAt <= now
    }
}
