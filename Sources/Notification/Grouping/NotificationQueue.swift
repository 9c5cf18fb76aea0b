public import MetricModel
internal import Receivers
public import RuleModel

/// Sorts alerts into groups and says what is to be delivered when.
///
/// A value machine without IO: the runner sends the deliveries it returns and reports back how each went. Of a group's
/// integration at most one delivery is under way; one that fails is tried again with growing distance, and a newer one
/// for the same group takes its place.
public struct NotificationQueue: Equatable, Sendable {
    /// A notification on its way to one integration.
    public struct Delivery: Equatable, Sendable {
        /// Names this delivery in `delivered` and `failed`.
        public var id: UInt64
        /// Name of the receiver.
        public var receiver: String
        /// Name of the integration within the receiver, such as `slack/0`.
        public var integration: String
        /// What is sent.
        public var notification: Notification
        /// What the integration remembers about the group.
        public var memory: [String: String]
        /// Whether it does not queue behind other deliveries of the receiver.
        public var isUrgent: Bool
        /// How often it has been tried before.
        public var attempt: Int
    }

    struct GroupID: Hashable, Sendable {
        var route: String
        var labels: Labels
    }

    private struct Slot: Hashable, Sendable {
        var group: GroupID
        var integration: String
    }

    /// The state of a slot that has something to send.
    private struct Pending: Equatable, Sendable {
        var delivery: Delivery
        var retryAt: Timestamp?
    }

    /// Distances of the tries; the last one repeats.
    private static let backoff: [Milliseconds] = [
        .milliseconds(500), .seconds(1), .seconds(2), .seconds(5), .seconds(15), .seconds(30), .seconds(60),
    ]

    /// Most alerts that are kept, counted once for each group they are in.
    public static let capacity = 100_000

    private let capacity: Int

    /// What it works by.
    public private(set) var configuration: NotificationConfiguration
    private(set) var routes: [String: Route]
    private(set) var groups: [GroupID: AlertGroup] = [:]
    private var pending: [Slot: Pending] = [:]
    private var slots: [UInt64: Slot] = [:]
    private var nextID: UInt64 = 0
    /// Alerts in all groups.
    private var held = 0
    /// Groups whose entry in the log is out of date.
    private var changed: Set<GroupID> = []
    private var refused = 0
    private var suppressed: [Suppression: Int] = [:]

    /// A queue without alerts that keeps at most `capacity` of them.
    public init(_ configuration: NotificationConfiguration, capacity: Int = Self.capacity) {
        self.capacity = capacity
        self.configuration = configuration
        routes = Self.byID(configuration)
    }

    private static func byID(_ configuration: NotificationConfiguration) -> [String: Route] {
        Dictionary(configuration.route.all.map { ($0.id, $0) }) { first, _ in first }
    }

    /// The configuration was replaced. Groups of routes that still exist keep what was sent; alerts of others go to the
    /// routes that take them now.
    public mutating func reconfigured(_ new: NotificationConfiguration, at now: Timestamp) {
        configuration = new
        routes = Self.byID(new)
        let removed = groups.filter { routes[$0.key.route] == nil }
        for id in removed.keys { remove(id) }
        for held in removed.values.flatMap({ $0.held(at: now) }) {
            received([held.alert], origin: held.origin, urgent: false, at: now)
        }
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

    /// Changes a group and keeps count of its alerts.
    private mutating func update(_ id: GroupID, _ change: (inout AlertGroup) -> Void) {
        guard var group = groups[id] else { return }
        held -= group.count
        change(&group)
        held += group.count
        groups[id] = group
        if group.isEmpty { remove(id) }
    }

    /// Alerts were received. `urgent` ones are sent at once instead of after `group_wait`.
    public mutating func received(
        _ alerts: [Alert], origin: AlertOrigin = .rules, urgent: Bool = false, at now: Timestamp
    ) {
        var room = capacity - held
        for alert in alerts {
            for route in configuration.route.matching(alert.labels) {
                let labels = route.groupLabels(of: alert.labels)
                let id = GroupID(route: route.id, labels: labels)
                let isKnown = groups[id]?.holds(alert.labels) == true
                if !isKnown, groups[id] == nil, alert.isResolved { continue }
                guard isKnown || room > 0 else {
                    refused += 1
                    continue
                }
                if !isKnown { room -= 1 }
                if groups[id] != nil {
                    update(id) { $0.received(alert, origin: origin, urgent: urgent, at: now) }
                } else {
                    groups[id] = AlertGroup(
                        route: route, labels: labels, alert: alert, origin: origin, urgent: urgent, at: now)
                    held += 1
                }
            }
        }
    }

    /// Time has passed. Returns the deliveries to be sent now.
    ///
    /// - Parameter silences: those that are active at `now`.
    public mutating func advanced(to now: Timestamp, silences: [Silence] = []) -> [Delivery] {
        let retries = pending.filter { entry in entry.value.retryAt.map { $0 <= now } ?? false }
        guard !retries.isEmpty || groups.values.contains(where: { $0.dueAt <= now }) else { return [] }
        let quiet = Quiet(rules: configuration.inhibitRules, firing: firing(at: now), silences: silences)
        var deliveries: [Delivery] = []
        for (slot, entry) in retries {
            let suppression = suppression(in: slot.group, quiet, at: now)
            if entry.delivery.notification.alerts.contains(where: { suppression($0.labels) != nil }) {
                // It was not so when the notification was made: the group makes one of what is left.
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
        update(id) { due = $0.cameDue(at: now, integrations: integrations, suppression: suppression) }
        suppressed.merge(due.suppressed, uniquingKeysWith: +)
        var deliveries: [Delivery] = []
        for entry in due.entries {
            let slot = Slot(group: id, integration: entry.integration)
            // What is under way is not overtaken; the group comes due again.
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

    /// What keeps alerts quiet on every route.
    private struct Quiet {
        var rules: [InhibitRule]
        /// The labels of all alerts that fire, where there are rules.
        var firing: [Labels]
        var silences: [Silence]
    }

    func firing(at now: Timestamp) -> [Labels] {
        configuration.inhibitRules.isEmpty ? [] : groups.values.flatMap { $0.firing(at: now) }
    }

    /// Tells why nobody is to be told of an alert of `group`.
    private func suppression(
        in group: GroupID, _ quiet: Quiet, at now: Timestamp
    ) -> (Labels) -> Suppression? {
        let ofRoute = routes[group.route].flatMap { configuration.suppression(of: $0, at: now) }
        return { labels in
            if quiet.rules.contains(where: { $0.inhibits(labels, firing: quiet.firing) }) { return .inhibition }
            return ofRoute ?? (quiet.silences.contains { $0.matches(labels) } ? .silence : nil)
        }
    }

    /// How many alerts found no room since this was asked before.
    public mutating func takeRefused() -> Int {
        defer { refused = 0 }
        return refused
    }

    /// How many alerts nobody was told of since this was asked before, by reason; an alert counts each time its group
    /// comes due.
    public mutating func takeSuppressed() -> [Suppression: Int] {
        defer { suppressed = [:] }
        return suppressed
    }

    /// A delivery was accepted; `memory` is what the integration remembers about the group.
    public mutating func delivered(_ id: UInt64, memory: [String: String] = [:], at now: Timestamp) {
        guard let slot = slots[id], let entry = pending[slot] else { return }
        drop(slot)
        changed.insert(slot.group)
        update(slot.group) {
            $0.delivered(entry.delivery.notification, integration: slot.integration, memory: memory, at: now)
        }
    }

    /// A delivery failed. `retryable` says whether the receiver may accept it later; otherwise it is given up until the
    /// group comes due again.
    public mutating func failed(_ id: UInt64, retryable: Bool, at now: Timestamp) {
        guard let slot = slots[id], let entry = pending[slot] else { return }
        guard retryable else { return drop(slot) }
        let distance = Self.backoff[min(entry.delivery.attempt, Self.backoff.count - 1)]
        pending[slot]?.delivery.attempt += 1
        pending[slot]?.retryAt = now + distance
    }

    // MARK: Log

    /// The entries of the log that are out of date; `nil` where an entry is not needed any more.
    public mutating func takeChanges() -> [NotificationLogEntry.Change] {
        let ids = changed.sorted { $0.route == $1.route ? $0.labels < $1.labels : $0.route < $1.route }
        changed = []
        return ids.map { id in
            .init(
                route: id.route, labels: id.labels,
                entry: groups[id].flatMap { NotificationLogEntry($0, route: id.route) })
        }
    }

    /// Everything that a log has to keep.
    public var logEntries: [NotificationLogEntry] {
        groups.sorted { $0.key.route == $1.key.route ? $0.key.labels < $1.key.labels : $0.key.route < $1.key.route }
            .compactMap { NotificationLogEntry($1, route: $0.route) }
    }

    /// Takes over what was sent before a restart. Alerts count as firing for as long as they would have.
    public mutating func restored(_ entries: [NotificationLogEntry], at now: Timestamp) {
        for entry in entries {
            guard let route = routes[entry.route] else { continue }
            let id = GroupID(route: entry.route, labels: entry.labels)
            guard groups[id] == nil, held + entry.alerts.count <= capacity else { continue }
            let group = entry.group(route: route, at: now)
            held += group.count
            groups[id] = group
        }
    }

    /// Every rule has been evaluated since the start: alerts of rules that were restored and not received since have
    /// ended.
    public mutating func restorationEnded(at now: Timestamp) {
        for id in groups.keys { groups[id]?.restorationEnded(at: now) }
    }

    /// When `advanced` should be called next; `nil` when nothing waits.
    public var nextDeadline: Timestamp? {
        let retries = pending.values.compactMap(\.retryAt)
        return (groups.values.map(\.dueAt) + retries).min()
    }

    /// Notifications that are under way or wait for another try.
    public var pendingCount: Int { pending.count }
    /// Groups with alerts.
    public var groupCount: Int { groups.count }
}
