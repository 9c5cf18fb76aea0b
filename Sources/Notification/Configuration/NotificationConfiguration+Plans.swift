internal import MetricModel

extension NotificationConfiguration {
    /// Lets `receivers` have every alert called one of `alerts` with the label `plan`, whatever the routes say. Each
    /// has to be a receiver of the configuration.
    public mutating func add(_ receivers: [String], ofPlan plan: String, alerts: [String]) {
        for receiver in receivers {
            let route = NotificationRoute(
                matchers: [], receiver: receiver, grouping: .labels(["alertname", "plan"]), groupWait: .zero,
                groupInterval: self.route.groupInterval, repeatInterval: self.route.repeatInterval, continues: true,
                muteTimeIntervals: [], activeTimeIntervals: [], routes: [],
                key: "{}/{plan=\(MetricText.quoted(plan))}", id: "plan \(plan) to \(receiver)")
            planRoutes.append(PlanRoute(plan: plan, alerts: Set(alerts), route: route))
        }
    }

    /// The routes of an alert with `labels`: those of the file, then those of its plan to receivers that none of the
    /// former has.
    func matching(_ labels: Labels) -> [NotificationRoute] {
        let found = route.matching(labels)
        if planRoutes.isEmpty { return found }
        let receivers = Set(found.map(\.receiver))
        let added = planRoutes.filter { entry in
            labels["plan"] == entry.plan && entry.alerts.contains(labels["alertname"] ?? "")
                && !receivers.contains(entry.route.receiver)
        }
        return found + added.map(\.route)
    }

    /// All routes.
    var allRoutes: [NotificationRoute] { route.all + planRoutes.map(\.route) }

    /// A route to a receiver that a plan names.
    struct PlanRoute: Equatable, Sendable {
        var plan: String
        var alerts: Set<String>
        var route: NotificationRoute
    }
}
