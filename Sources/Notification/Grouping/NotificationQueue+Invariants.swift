internal import MetricModel
internal import RuleModel

extension NotificationQueue {
    /// The first broken invariant; `nil` while all hold.
    ///
    /// - Complexity: linear in the number of alerts and deliveries. Called after rare events in debug builds, and by
    ///   tests after each event.
    func checkInvariants() -> String? {
        let count = groups.values.reduce(0) { $0 + $1.count }
        if held != count { return "\(held) alerts are counted, but groups have \(count)" }
        for (id, group) in groups {
            if let problem = problem(of: group, id) { return "group \(group.key): \(problem)" }
        }
        if slots.count != pending.count { return "\(pending.count) deliveries have \(slots.count) ids" }
        for (slot, entry) in pending {
            let delivery = entry.delivery
            if slots[delivery.id] != slot { return "delivery \(delivery.id) has another slot" }
            if delivery.id > nextID { return "delivery \(delivery.id) is newer than the last one, \(nextID)" }
            guard let group = groups[slot.group] else { return "delivery \(delivery.id) has no group" }
            if group.receiver != delivery.receiver { return "delivery \(delivery.id) is for another receiver" }
            if delivery.notification.alerts.isEmpty { return "delivery \(delivery.id) has no alerts" }
            // Nobody learns of the end of an alert without having learned of the alert.
            if delivery.notification.isResolved, group.sent[slot.integration] == nil {
                return "delivery \(delivery.id) resolves nothing"
            }
        }
        return nil
    }

    private func problem(of group: AlertGroup, _ id: GroupID) -> String? {
        guard let route = routes[id.route] else { return "the route is gone" }
        if group.labels != id.labels || group.key != AlertGroup.key(of: route, id.labels) {
            return "the key is another"
        }
        if group.isEmpty { return "it has no alerts" }
        for labels in group.alerts.keys where route.groupLabels(of: labels) != id.labels {
            return "\(labels) belongs to another group"
        }
        let integrations = Set((configuration.receivers[group.receiver]?.named ?? []).map(\.name))
        for (name, sent) in group.sent {
            if !integrations.contains(name) { return "\(name) is no integration of \(group.receiver)" }
            if !sent.firing.isDisjoint(with: sent.resolved) {
                return "\(name) was sent an alert as firing and as resolved"
            }
        }
        return nil
    }
}
