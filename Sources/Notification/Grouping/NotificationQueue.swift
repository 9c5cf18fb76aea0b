public import MetricModel
public import RuleEngine

/// Sorts alerts into groups and says what is to be delivered when.
///
/// A value machine without IO: the runner sends the deliveries it returns and reports back how each went. Of a group's
/// integration at most one delivery is under way; one that fails is tried again with growing distance, and a newer one for
/// the same group takes its place.
public struct NotificationQueue: Equatable, Sendable {
    /// A notification on its way to one integration.
    public struct Delivery: Equatable, Sendable {
        /// Names this delivery in `delivered` and `failed`.
        public var id: UInt64
        /// Name of the receiver.
        public var receiver: String
        /// Index of the integration in the receiver.
        public var integration: Int
        /// What is told.
        public var notification: Notification
        /// How often it has been tried before.
        public var attempt: Int
    }

    struct GroupID: Hashable, Sendable {
        var route: String
        var labels: Labels
    }

    private struct Slot: Hashable, Sendable {
        var group: GroupID
        var integration: Int
    }

    /// The state of a slot that has something to tell.
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
    private var nextID: UInt64 = 0
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

    /// The configuration was replaced. Groups of routes that are still there keep what was told.
    public mutating func reconfigured(_ new: NotificationConfiguration) {
        configuration = new
        routes = Self.byID(new)
        groups = groups.filter { routes[$0.key.route] != nil }
        pending = pending.filter { groups[$0.key.group] != nil }
    }

    /// Alerts were heard of. `urgent` ones are told at once instead of after `group_wait`.
    public mutating func received(_ alerts: [Alert], urgent: Bool = false, at now: Timestamp) {
        var room = capacity - groups.values.reduce(0) { $0 + $1.count }
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
                    groups[id]?.received(alert, urgent: urgent, at: now)
                } else {
                    groups[id] = AlertGroup(route: route, labels: labels, alert: alert, urgent: urgent, at: now)
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
                pending[slot] = nil
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
        guard var group = groups[id], let receiver = configuration.receivers[group.receiver] else { return [] }
        let due = group.cameDue(
            at: now, integrations: receiver.integrations.map(\.sendsResolved),
            suppression: suppression(in: id, quiet, at: now))
        suppressed.merge(due.suppressed, uniquingKeysWith: +)
        groups[id] = group.isEmpty ? nil : group
        var deliveries: [Delivery] = []
        for entry in due.entries {
            let slot = Slot(group: id, integration: entry.integration)
            // What is under way is not overtaken; the group comes due again.
            if let entry = pending[slot], entry.retryAt == nil { continue }
            nextID += 1
            let delivery = Delivery(
                id: nextID, receiver: receiver.name, integration: entry.integration, notification: entry.notification,
                attempt: 0)
            pending[slot] = Pending(delivery: delivery, retryAt: nil)
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

    /// How many alerts nobody was told of since this was asked before, by reason; an alert counts each time its group comes due.
    public mutating func takeSuppressed() -> [Suppression: Int] {
        defer { suppressed = [:] }
        return suppressed
    }

    /// A delivery arrived.
    public mutating func delivered(_ id: UInt64, at now: Timestamp) {
        guard let (slot, entry) = pending.first(where: { $0.value.delivery.id == id }) else { return }
        pending[slot] = nil
        groups[slot.group]?.delivered(entry.delivery.notification, integration: slot.integration, at: now)
        if groups[slot.group]?.isEmpty == true { groups[slot.group] = nil }
    }

    /// A delivery failed. `retryable` says whether the receiver may take it later; a refused one is given up until the group
    /// comes due again.
    public mutating func failed(_ id: UInt64, retryable: Bool, at now: Timestamp) {
        guard let (slot, entry) = pending.first(where: { $0.value.delivery.id == id }) else { return }
        guard retryable else {
            pending[slot] = nil
            return
        }
        let distance = Self.backoff[min(entry.delivery.attempt, Self.backoff.count - 1)]
        pending[slot]?.delivery.attempt += 1
        pending[slot]?.retryAt = now + distance
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
