public import MetricModel
public import RuleModel

/// An alert that fires, with what becomes of it.
public struct AlertStatus: Equatable, Sendable {
    /// The alert.
    public var alert: Alert
    /// When it was last heard of.
    public var updatedAt: Timestamp
    /// Names of the receivers its routes lead to, in the order of the routes.
    public var receivers: [String]
    /// Ids of the silences because of which nobody is told.
    public var silencedBy: [String]
    /// Fingerprints of the alerts that keep it quiet.
    public var inhibitedBy: [String]
    /// Names of the time intervals because of which its group is quiet; given with groups alone, since another route
    /// may be loud.
    public var mutedBy: [String]

    /// Whether nobody is told of it.
    public var isSuppressed: Bool { !(silencedBy.isEmpty && inhibitedBy.isEmpty && mutedBy.isEmpty) }
}

/// A group of alerts with what becomes of them.
public struct GroupStatus: Equatable, Sendable {
    /// The labels that name the group.
    public var labels: Labels
    /// Name of the receiver.
    public var receiver: String
    /// The alerts that fire, by labels.
    public var alerts: [AlertStatus]
}

/// What people ask.
extension NotificationQueue {
    /// Every alert that fires, once, by fingerprint.
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

    /// Every group in which an alert fires, by labels, then by receiver.
    public func groups(silences: [Silence], at now: Timestamp) -> [GroupStatus] {
        let firing = firing(at: now)
        return groups.map { id, group in
            let mutedBy = routes[id.route].map { configuration.mutingIntervals(of: $0, at: now) } ?? []
            let alerts = group.held(at: now).map {
                status(of: $0, silences: silences, firing: firing, mutedBy: mutedBy)
            }
            return GroupStatus(
                labels: group.labels, receiver: group.receiver,
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
            receivers: configuration.route.matching(labels).map(\.receiver),
            silencedBy: silences.filter { $0.matches(labels) }.map(\.id),
            inhibitedBy: configuration.inhibitRules.compactMap {
                $0.inhibitor(of: labels, firing: firing)?.fingerprint
            },
            mutedBy: mutedBy)
    }
}

extension NotificationConfiguration {
    /// Names of the intervals because of which `route` is quiet at `now`: those it is muted in, or all those it is
    /// active in.
    func mutingIntervals(of route: Route, at now: Timestamp) -> [String] {
        switch suppression(of: route, at: now) {
        case .activeTimeInterval: route.activeTimeIntervals
        case .muteTimeInterval:
            route.muteTimeIntervals.filter { name in timeIntervals[name]?.contains { $0.contains(now) } ?? false }
        case .silence, .inhibition, nil: []
        }
    }
}
