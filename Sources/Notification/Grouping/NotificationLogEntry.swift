public import JSON
public import MetricModel
internal import RuleModel

/// The notifications sent about a group, as stored in the notification log. A value.
public struct NotificationLogEntry: Equatable, Sendable {
    /// Id of the route.
    public var route: String
    /// The labels that identify the group.
    public var labels: Labels
    var alerts: [AlertGroup.Held]
    var sent: [String: AlertGroup.Sent]

    /// A change of the log.
    public struct Change: Equatable, Sendable {
        /// Id of the route.
        public var route: String
        /// The labels that identify the group.
        public var labels: Labels
        /// The new entry; `nil` if none is needed.
        public var entry: NotificationLogEntry?

        /// The group of a change.
        struct Place: Hashable, Sendable {
            var route: String
            var labels: Labels
        }

        var place: Place { Place(route: route, labels: labels) }

        /// A change.
        public init(route: String, labels: Labels, entry: NotificationLogEntry?) {
            self.route = route
            self.labels = labels
            self.entry = entry
        }
    }

    /// The entry for `group`; `nil` if nothing was sent or everything is resolved.
    init?(_ group: AlertGroup, route: String) {
        self.route = route
        labels = group.labels
        alerts = group.alerts.values.filter { held in
            group.sent.values.contains { $0.firing.contains(held.alert.labels) }
        }
        .sorted { $0.alert.labels < $1.alert.labels }
        guard !alerts.isEmpty else { return nil }
        sent = group.sent
    }

    /// The restored group.
    func group(route: NotificationRoute, at now: Timestamp) -> AlertGroup {
        AlertGroup(route: route, labels: labels, alerts: restoredAlerts(at: now), sent: sent, at: now)
    }

    /// The alerts with the time for which they still count as firing.
    func restoredAlerts(at now: Timestamp) -> [AlertGroup.Held] {
        alerts.map { held in
            var held = held
            held.isRestored = true
            if !held.alert.isResolved {
                // It counts as firing for this long unless it is received again.
                let validity = max(Milliseconds.zero, held.alert.endsAt - held.updatedAt)
                held.alert.endsAt = max(held.alert.endsAt, now + validity)
            }
            return held
        }
    }
}

// MARK: JSON

extension NotificationLogEntry.Change {
    /// The change as JSON.
    public var json: JSON {
        var members: [JSON.Member] = [.init("route", .string(route)), .init("labels", Self.object(labels))]
        guard let entry else { return .object(members) }
        members.append(.init("alerts", .array(entry.alerts.map(Self.json))))
        members.append(
            .init(
                "sent",
                .object(
                    entry.sent.sorted { $0.key < $1.key }.map { name, sent in
                        func places(_ set: Set<Labels>) -> [Int] {
                            set.isEmpty
                                ? [] : entry.alerts.indices.filter { set.contains(entry.alerts[$0].alert.labels) }
                        }
                        func array(_ places: [Int]) -> JSON { .array(places.map { .integer(Int64($0)) }) }
                        let firing = places(sent.firing)
                        // Sent as firing and ended since; the end is not sent to the integration.
                        let ended =
                            firing.count == sent.firing.count
                            ? [] : sent.firing.subtracting(entry.alerts.map(\.alert.labels)).sorted()
                        return .init(
                            name,
                            [
                                "at": .integer(sent.at.milliseconds), "firing": array(firing),
                                "resolved": array(places(sent.resolved)), "ended": .array(ended.map(Self.object)),
                                "memory": .object(
                                    sent.memory.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) }),
                            ])
                    })))
        return .object(members)
    }

    /// Reads the output of `json`; `nil` if it is malformed.
    public init?(_ json: JSON) {
        guard let route = json["route"]?.text, let labels = json["labels"].flatMap(Self.labels) else { return nil }
        (self.route, self.labels) = (route, labels)
        guard let list = json["alerts"]?.elements else { return }
        let alerts = list.compactMap(Self.held)
        guard alerts.count == list.count else { return nil }
        var sent: [String: AlertGroup.Sent] = [:]
        for member in json["sent"]?.members ?? [] {
            func places(_ name: String) -> Set<Labels> {
                Set(
                    (member.value[name]?.elements ?? []).compactMap { element in
                        element.integer.flatMap {
                            alerts.indices.contains(Int($0)) ? alerts[Int($0)].alert.labels : nil
                        }
                    })
            }
            guard let at = member.value["at"]?.integer else { return nil }
            let memory = (member.value["memory"]?.members ?? []).compactMap { pair in
                pair.value.text.map { (pair.name, $0) }
            }
            let ended = (member.value["ended"]?.elements ?? []).compactMap(Self.labels)
            sent[member.name] = AlertGroup.Sent(
                at: Timestamp(milliseconds: at), firing: places("firing").union(ended), resolved: places("resolved"),
                memory: Dictionary(memory, uniquingKeysWith: { first, _ in first }))
        }
        entry = NotificationLogEntry(route: route, labels: labels, alerts: alerts, sent: sent)
    }

    private static func object(_ labels: Labels) -> JSON {
        .object(labels.pairs.map { .init($0.name, .string($0.value)) })
    }

    private static func labels(_ json: JSON) -> Labels? {
        guard let members = json.members else { return nil }
        var labels: [Label] = []
        for member in members {
            guard let text = member.value.text else { return nil }
            labels.append(Label(member.name, text))
        }
        return Labels(labels)
    }

    private static func json(_ held: AlertGroup.Held) -> JSON {
        let alert = held.alert
        return [
            "labels": object(alert.labels), "annotations": object(alert.annotations),
            "starts_at": .integer(alert.startsAt.milliseconds), "ends_at": .integer(alert.endsAt.milliseconds),
            "resolved": .bool(alert.isResolved), "generator": .string(alert.generatorURL),
            "updated_at": .integer(held.updatedAt.milliseconds), "origin": .string(held.origin.rawValue),
        ]
    }

    private static func held(_ json: JSON) -> AlertGroup.Held? {
        guard let labels = json["labels"].flatMap(Self.labels), let starts = json["starts_at"]?.integer,
            let annotations = json["annotations"].flatMap(Self.labels), let ends = json["ends_at"]?.integer,
            let updated = json["updated_at"]?.integer,
            let origin = json["origin"]?.text.flatMap(AlertOrigin.init(rawValue:))
        else { return nil }
        let alert = Alert(
            labels: labels, annotations: annotations, startsAt: Timestamp(milliseconds: starts),
            endsAt: Timestamp(milliseconds: ends), isResolved: json["resolved"]?.bool ?? false,
            generatorURL: json["generator"]?.text ?? "", value: 0)
        return AlertGroup.Held(alert: alert, updatedAt: Timestamp(milliseconds: updated), origin: origin)
    }
}

extension NotificationLogEntry {
    init(route: String, labels: Labels, alerts: [AlertGroup.Held], sent: [String: AlertGroup.Sent]) {
        self.route = route
        self.labels = labels
        self.alerts = alerts
        self.sent = sent
    }
}
