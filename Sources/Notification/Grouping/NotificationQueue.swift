public import MetricModel
internal import Receivers
public import RuleModel

/// Groups alerts and decides which notifications are delivered when.
///
/// A machine without IO: the runner sends the deliveries that it returns and reports their results. Each integration of
/// a group has at most one delivery in progress. A failed delivery is retried with increasing delays. A newer one for
/// the same group replaces it.
public struct NotificationQueue: Equatable, Sendable {
    /// A notification for one integration.
    public struct Delivery: Equatable, Sendable {
        /// Identifies this delivery in `delivered` and `failed`.
        public var id: UInt64
        /// Name of the receiver.
        public var receiver: String
        /// Name of the integration in the receiver, such as `slack/0`.
        public var integration: String
        /// The notification.
        public var notification: Notification
        /// The integration's state for the group.
        public var memory: [String: String]
        /// Whether it bypasses other deliveries of the receiver.
        public var isUrgent: Bool
        /// The number of previous attempts.
        public var attempt: Int
    }

    struct GroupID: Hashable, Sendable {
        var route: String
        var labels: Labels
    }

    struct Slot: Hashable, Sendable {
        var group: GroupID
        var integration: String
    }

    /// The state of a slot with a notification to send.
    struct Pending: Equatable, Sendable {
        var delivery: Delivery
        var retryAt: Timestamp?
    }

    /// Delays between attempts. The last one repeats.
    private static let backoff: [Milliseconds] = [
        .milliseconds(500), .seconds(1), .seconds(2), .seconds(5), .seconds(15), .seconds(30), .seconds(60),
    ]

    /// Limit of the alerts, counted once for each group that contains them.
    public static let capacity = 100_000

    private let capacity: Int

    /// The current configuration.
    public private(set) var configuration: NotificationConfiguration
    private(set) var routes: [String: NotificationRoute]
    var groups: [GroupID: AlertGroup] = [:]
    var pending: [Slot: Pending] = [:]
    var slots: [UInt64: Slot] = [:]
    private(set) var nextID: UInt64 = 0
    /// The number of alerts in all groups.
    var held = 0
    /// Groups with an outdated entry in the log.
    private var changed: Set<GroupID> = []
    private var refused = 0
    private var suppressed: [Suppression: Int] = [:]

    /// An empty queue with a limit of `capacity` alerts.
    public init(_ configuration: NotificationConfiguration, capacity: Int = Self.capacity) {
        self.capacity = capacity
        self.configuration = configuration
        routes = Self.byID(configuration)
    }

    private static func byID(_ configuration: NotificationConfiguration) -> [String: NotificationRoute] {
        Dictionary(configuration.allRoutes.map { ($0.id, $0) }) { first, _ in first }
    }

    /// The configuration was replaced. Groups that still exist keep their state. Alerts move to the groups that the new
    /// routes give them.
    public mutating func reconfigured(_ new: NotificationConfiguration, at now: Timestamp) {
        configuration = new
        routes = Self.byID(new)
        var latest: [Labels: AlertGroup.Held] = [:]
        for held in groups.values.flatMap(\.alerts.values)
        where held.updatedAt >= latest[held.alert.labels]?.updatedAt ?? .distantPast {
            latest[held.alert.labels] = held
        }
        let places = latest.mapValues { held in
            Set(new.matching(held.alert.labels).map { Self.group(of: held.alert.labels, on: $0) })
        }
        for id in groups.keys {
            guard let route = routes[id.route] else {
                remove(id)
                continue
            }
            let integrations = Set((new.receivers[route.receiver]?.named ?? []).map(\.name))
            var hasChanged = false
            update(id) {
                hasChanged = $0.rerouted(route, integrations: integrations) { places[$0]?.contains(id) == true }
            }
            if hasChanged { changed.insert(id) }
            // A notification that waits for a retry may be out of date.
            for (slot, entry) in pending
            where slot.group == id
                && (hasChanged && entry.retryAt != nil || !integrations.contains(slot.integration))
            {
                drop(slot)
                groups[id]?.becameDue(at: now)
            }
        }
        for held in latest.values where !AlertGroup.isResolved(held.alert, at: now) {
            for route in configuration.matching(held.alert.labels) {
                let id = Self.group(of: held.alert.labels, on: route)
                guard groups[id]?.holds(held.alert.labels) != true else { continue }
                received(held.alert, origin: held.origin, urgent: false, on: route, at: now)
            }
        }
        assert(checkInvariants() == nil, checkInvariants() ?? "")
    }

    static func group(of labels: Labels, on route: NotificationRoute) -> GroupID {
        GroupID(route: route.id, labels: route.groupLabels(of: labels))
    }

    private mutating func remove(_ id: GroupID) {
        guard let group = groups.removeValue(forKey: id) else { return }
        held -= group.count
        if !group.sent.isEmpty { changed.insert(id) }
        for slot in pending.keys where slot.group == id { drop(slot) }
    }

    private mutating func drop(_ slot: Slot) {
        if let entry = pending.removeValue(forKey: slot) { slots[entry.delivery.id] = nil }
    }

    /// Changes a group and updates the count of alerts.
    private mutating func update(_ id: GroupID, _ change: (inout AlertGroup) -> Void) {
        guard let count = groups[id]?.count else { return }
        // In place: a copy of the group would copy all of its alerts.
        change(&groups[id]!)
        held += (groups[id]?.count ?? 0) - count
        if groups[id]?.isEmpty == true { remove(id) }
    }

    /// Alerts were received. `urgent` ones are sent immediately instead of after `group_wait`.
    public mutating func received(
        _ alerts: [Alert], origin: AlertOrigin = .rules, urgent: Bool = false, at now: Timestamp
    ) {
        for alert in alerts {
            for route in configuration.matching(alert.labels) {
                received(alert, origin: origin, urgent: urgent, on: route, at: now)
            }
        }
    }

    private mutating func received(
        _ alert: Alert, origin: AlertOrigin, urgent: Bool, on route: NotificationRoute, at now: Timestamp
    ) {
        let id = Self.group(of: alert.labels, on: route)
        // Found once: hashing the labels is most of the work of a repeated alert.
        let place = groups.index(forKey: id)
        let isKnown = place.map { groups.values[$0].holds(alert.labels) } ?? false
        // Its end was sent already, or nobody was notified of it.
        if alert.isResolved, !isKnown { return }
        guard isKnown || held < capacity else {
            refused += 1
            return
        }
        if let place {
            groups.values[place].received(alert, origin: origin, urgent: urgent, at: now)
        } else {
            groups[id] = AlertGroup(
                route: route, labels: id.labels, alert: alert, origin: origin, urgent: urgent, at: now)
        }
        if !isKnown { held += 1 }
    }

    /// Time has passed. Returns the deliveries to send now.
    ///
    /// - Parameter silences: the silences that are active at `now`.
    public mutating func advanced(to now: Timestamp, silences: [Silence] = []) -> [Delivery] {
        let retries = pending.filter { entry in entry.value.retryAt.map { $0 <= now } ?? false }
        guard !retries.isEmpty || groups.values.contains(where: { $0.dueAt <= now }) else { return [] }
        let quiet = Quiet(rules: configuration.inhibitRules, firing: firing(at: now), silences: silences)
        var deliveries: [Delivery] = []
        for (slot, entry) in retries {
            let suppression = suppression(in: slot.group, quiet, at: now)
            if entry.delivery.notification.alerts.contains(where: { suppression($0.labels) != nil }) {
                // The suppression is newer than the notification: the group creates a new one.
                drop(slot)
                groups[slot.group]?.becameDue(at: now)
            } else {
                pending[slot]?.retryAt = nil
                deliveries.append(entry.delivery)
            }
        }
        let due = groups.filter { $0.value.dueAt <= now }.keys
        for id in due.sorted(by: { $0.route == $1.route ? $0.labels < $1.labels : $0.route < $1.route }) {
            deliveries += cameDue(id, quiet, at: now)
        }
        return deliveries.sorted { $0.id < $1.id }
    }

    private mutating func cameDue(_ id: GroupID, _ quiet: Quiet, at now: Timestamp) -> [Delivery] {
        guard let group = groups[id], let receiver = configuration.receivers[group.receiver] else { return [] }
        let integrations = receiver.named.map { (name: $0.name, sendsResolved: $0.integration.sendsResolved) }
        let suppression = suppression(in: id, quiet, at: now)
        var due = AlertGroup.Due()
        let undelivered = undelivered(in: id)
        update(id) {
            due = $0.cameDue(
                at: now, integrations: integrations, undelivered: undelivered, suppression: suppression)
        }
        suppressed.merge(due.suppressed, uniquingKeysWith: +)
        if due.hasForgotten { changed.insert(id) }
        var deliveries: [Delivery] = []
        for entry in due.entries {
            let slot = Slot(group: id, integration: entry.integration)
            // A delivery in progress is not overtaken. The group becomes due again.
            if let entry = pending[slot], entry.retryAt == nil { continue }
            drop(slot)
            nextID += 1
            let delivery = Delivery(
                id: nextID, receiver: receiver.name, integration: entry.integration, notification: entry.notification,
                memory: entry.memory, isUrgent: due.isUrgent, attempt: 0)
            pending[slot] = Pending(delivery: delivery, retryAt: nil)
            slots[nextID] = slot
            deliveries.append(delivery)
        }
        return deliveries
    }

    /// The alerts of a group that notifications under way call firing.
    private func undelivered(in id: GroupID) -> Set<Labels> {
        guard !pending.isEmpty, let receiver = groups[id].flatMap({ configuration.receivers[$0.receiver] }) else {
            return []
        }
        var labels: Set<Labels> = []
        for (name, _) in receiver.named {
            guard let alerts = pending[Slot(group: id, integration: name)]?.delivery.notification.alerts else {
                continue
            }
            for alert in alerts where !alert.isResolved { labels.insert(alert.labels) }
        }
        return labels
    }

    /// Suppressions that apply to every route.
    private struct Quiet {
        var rules: [InhibitRule]
        /// The labels of all firing alerts, if there are inhibition rules.
        var firing: [Labels]
        var silences: [Silence]
    }

    func firing(at now: Timestamp) -> [Labels] {
        configuration.inhibitRules.isEmpty ? [] : groups.values.flatMap { $0.firing(at: now) }
    }

    /// Returns why an alert of `group` is suppressed.
    private func suppression(
        in group: GroupID, _ quiet: Quiet, at now: Timestamp
    ) -> (Labels) -> Suppression? {
        let ofRoute = routes[group.route].flatMap { configuration.suppression(of: $0, at: now) }
        return { labels in
            if quiet.rules.contains(where: { $0.inhibits(labels, firing: quiet.firing) }) { return .inhibition }
            return ofRoute ?? (quiet.silences.contains { $0.matches(labels) } ? .silence : nil)
        }
    }

    /// The number of alerts rejected because of the limit since the last call.
    public mutating func takeRefused() -> Int {
        defer { refused = 0 }
        return refused
    }

    /// The number of suppressed alerts since the last call, by reason. An alert counts each time its group is due.
    public mutating func takeSuppressed() -> [Suppression: Int] {
        defer { suppressed = [:] }
        return suppressed
    }

    /// A delivery was accepted. `memory` is the integration's state for the group.
    public mutating func delivered(_ id: UInt64, memory: [String: String] = [:], at now: Timestamp) {
        guard let slot = slots[id], let entry = pending[slot] else { return }
        drop(slot)
        changed.insert(slot.group)
        let undelivered = undelivered(in: slot.group)
        update(slot.group) {
            $0.delivered(
                entry.delivery.notification, integration: slot.integration, memory: memory, undelivered: undelivered,
                at: now)
        }
    }

    /// A delivery failed. If it is not `retryable`, it is dropped until the group is due again.
    public mutating func failed(_ id: UInt64, retryable: Bool, at now: Timestamp) {
        guard let slot = slots[id], let entry = pending[slot] else { return }
        guard retryable else { return drop(slot) }
        let distance = Self.backoff[min(entry.delivery.attempt, Self.backoff.count - 1)]
        pending[slot]?.delivery.attempt += 1
        pending[slot]?.retryAt = now + distance
    }

    // MARK: Log

    /// The outdated entries of the log; `nil` for an entry that is no longer needed.
    public mutating func takeChanges() -> [NotificationLogEntry.Change] {
        let ids = changed.sorted { $0.route == $1.route ? $0.labels < $1.labels : $0.route < $1.route }
        changed = []
        return ids.map { id in
            .init(
                route: id.route, labels: id.labels,
                entry: groups[id].flatMap { NotificationLogEntry($0, route: id.route) })
        }
    }

    /// All entries of the log.
    public var logEntries: [NotificationLogEntry] {
        groups.sorted { $0.key.route == $1.key.route ? $0.key.labels < $1.key.labels : $0.key.route < $1.key.route }
            .compactMap { NotificationLogEntry($1, route: $0.route) }
    }

    /// Restores the state from before a restart. Alerts count as firing for their remaining time.
    public mutating func restored(_ entries: [NotificationLogEntry], at now: Timestamp) {
        for entry in entries {
            guard let route = routes[entry.route] else { continue }
            let entry = current(entry)
            let id = GroupID(route: entry.route, labels: entry.labels)
            guard groups[id] == nil, !entry.alerts.isEmpty, held + entry.alerts.count <= capacity else { continue }
            let group = entry.group(route: route, at: now)
            held += group.count
            groups[id] = group
        }
        assert(checkInvariants() == nil, checkInvariants() ?? "")
    }

    /// `entry` without integrations that are no longer configured and alerts that no longer belong to the group.
    private func current(_ entry: NotificationLogEntry) -> NotificationLogEntry {
        let id = GroupID(route: entry.route, labels: entry.labels)
        let receiver = routes[entry.route].flatMap { configuration.receivers[$0.receiver] }
        var entry = entry
        let sent = entry.sent
        entry.sent = [:]
        for (name, integration) in receiver?.named ?? [] {
            entry.sent[name] = sent[name]
            // The resolution may have been sent in the moment of a kill.
            if integration.sendsResolved { entry.sent[name]?.unsure = sent[name]?.firing ?? [] }
        }
        entry.alerts = entry.alerts.filter { held in
            configuration.route.matching(held.alert.labels).contains { Self.group(of: held.alert.labels, on: $0) == id }
        }
        return entry
    }

    // MARK: Several nodes

    /// This node notifies from now on. `entries` is what the nodes have sent.
    public mutating func tookOver(_ entries: [NotificationLogEntry], at now: Timestamp) {
        for slot in pending.keys { drop(slot) }
        for id in groups.keys { groups[id]?.adopt([], sent: [:], at: now) }
        for entry in entries {
            let id = GroupID(route: entry.route, labels: entry.labels)
            guard groups[id] != nil else {
                restored([entry], at: now)
                continue
            }
            let entry = current(entry)
            guard held + entry.alerts.count <= capacity else { continue }
            update(id) { $0.adopt(entry.restoredAlerts(at: now), sent: entry.sent, at: now) }
        }
        changed = []
        assert(checkInvariants() == nil, checkInvariants() ?? "")
    }

    /// Another node notifies. Alerts stay, so that this node can take over; those that ended a while ago are removed.
    public mutating func stoodBy(at now: Timestamp) {
        for slot in pending.keys { drop(slot) }
        for id in groups.keys { update(id) { $0.forgetEnded(before: now - Self.standbyRetention) } }
        changed = []
    }

    /// How long a node that does not notify keeps alerts that ended.
    private static let standbyRetention = Milliseconds.minutes(5)

    /// Every rule has been evaluated since the start. Restored alerts of rules that were not received since have ended.
    public mutating func restorationEnded(at now: Timestamp) {
        for id in groups.keys { groups[id]?.restorationEnded(at: now) }
    }

    /// When `advanced` must be called next; `nil` if nothing is waiting.
    public var nextDeadline: Timestamp? {
        let retries = pending.values.compactMap(\.retryAt)
        return (groups.values.map(\.dueAt) + retries).min()
    }

    /// The number of notifications in progress or waiting for a retry.
    public var pendingCount: Int { pending.count }
    /// The number of groups with alerts.
    public var groupCount: Int { groups.count }
}
