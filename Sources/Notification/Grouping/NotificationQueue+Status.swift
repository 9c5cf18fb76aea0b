public import MetricModel
public import RuleModel

/// A firing alert, with its receivers and suppressions.
public struct AlertStatus: Equatable, Sendable {
    /// The alert.
    public var alert: Alert
    /// When it was last received.
    public var updatedAt: Timestamp
    /// Names of the receivers of its routes, in route order.
    public var receivers: [String]
    /// Ids of the silences that suppress it.
    public var silencedBy: [String]
    /// Fingerprints of the alerts that inhibit it.
    public var inhibitedBy: [String]
    /// Names of the time intervals that mute its group. Set only in groups, because another route may not be muted.
    public var mutedBy: [String]

    /// Whether it is suppressed.
    public var isSuppressed: Bool { !(silencedBy.isEmpty && inhibitedBy.isEmpty && mutedBy.isEmpty) }
}

/// A group of alerts, with their suppressions.
public struct GroupStatus: Equatable, Sendable {
    /// The labels that identify the group.
    public var labels: Labels
    /// The key of the group in its messages.
    public var key: String
    /// Name of the receiver.
    public var receiver: String
    /// The firing alerts, sorted by labels.
    public var alerts: [AlertStatus]
}

/// Queries for the API.
extension NotificationQueue {
    /// Every firing alert once, sorted by fingerprint.
    public func alerts(silences: [Silence], at now: Timestamp) -> [AlertStatus] {
        var held: [Labels: AlertGroup.Held] = [:]
        for group in groups.values {
            for one in group.held(at: now) { held[one.alert.labels] = one }
        }
        let firing = firing(at: now)
        return held.values.map { status(of: $0, silences: silences, firing: firing, mutedBy: []) }
            .map { (fingerprint: $0.alert.fingerprint, status: $0) }
            .sorted { $0.fingerprint < $1.fingerprint }.map(\.status)
    }

    /// Every group with a firing alert, sorted by labels, then by receiver.
    public func groups(silences: [Silence], at now: Timestamp) -> [GroupStatus] {
        let firing = firing(at: now)
        return groups.map { id, group in
            let mutedBy = routes[id.route].map { configuration.mutingIntervals(of: $0, at: now) } ?? []
            let alerts = group.held(at: now).map {
                status(of: $0, silences: silences, firing: firing, mutedBy: mutedBy)
            }
            return GroupStatus(
                labels: group.labels, key: group.key, receiver: group.receiver,
                alerts: alerts.sorted { $0.alert.labels < $1.alert.labels })
        }
        .filter { !$0.alerts.isEmpty }
        .sorted { $0.labels == $1.labels ? $0.receiver < $1.receiver : $0.labels < $1.labels }
    }

    private func status(
        of held: AlertGroup.Held, silences: [Silence], firing: [Labels], mutedBy: [String]
    ) -> AlertStatus {
        let labels = held.alert.labels
        return AlertStatus(
            alert: held.alert, updatedAt: held.updatedAt,
            receivers: configuration.matching(labels).map(\.receiver),
            silencedBy: silences.filter { $0.matches(labels) }.map(\.id),
            inhibitedBy: configuration.inhibitRules.compactMap {
                $0.inhibitor(of: labels, firing: firing)?.fingerprint
            },
            mutedBy: mutedBy)
    }
}

extension NotificationConfiguration {
    /// Names of the intervals that mute `route` at `now`: those in which it is muted, or all those in which it is
    /// active.
    func mutingIntervals(of route: NotificationRoute, at now: Timestamp) -> [String] {
        switch suppression(of: route, at: now) {
        case .activeTimeInterval: route.activeTimeIntervals
        case .muteTimeInterval:
            route.muteTimeIntervals.filter { name in timeIntervals[name]?.contains { $0.contains(now) } ?? false }
        case .silence, .inhibition, nil: []
        }
    }
}
