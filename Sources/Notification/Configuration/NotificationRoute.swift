public import MetricModel

/// A node of the routing tree: which alerts it matches, their receiver, and their grouping.
public struct NotificationRoute: Equatable, Sendable {
    /// The labels that form the group of an alert.
    public enum Grouping: Equatable, Sendable {
        /// `group_by: [...]`: all labels, so that each alert is a group of its own.
        case all
        case labels([String])
    }

    /// Matchers that an alert must all satisfy.
    public var matchers: [LabelMatcher]
    /// Name of the receiver.
    public var receiver: String
    /// The labels that form the group of an alert.
    public var grouping: Grouping
    /// How long a new group waits for more alerts.
    public var groupWait: Milliseconds
    /// Time between two notifications about changes of a group.
    public var groupInterval: Milliseconds
    /// Time after which a notification about an unchanged group is repeated.
    public var repeatInterval: Milliseconds
    /// Whether an alert that matches this route is also matched against its next siblings.
    public var continues: Bool
    /// Time intervals in which no notifications are sent.
    public var muteTimeIntervals: [String]
    /// Time intervals outside of which no notifications are sent; if empty, they are always sent.
    public var activeTimeIntervals: [String]
    /// Child routes, tried in order.
    public var routes: [NotificationRoute]
    /// Labels for templates; templates themselves. Inherited.
    public var labels = Labels.empty
    /// The path of matchers from the root, as in Alertmanager's group keys.
    public var key: String
    /// Identifies the route, also among routes with the same matchers. It does not change when other routes are added
    /// or removed.
    public var id: String

    /// The deepest routes that match an alert with `labels`, in order; never empty for the root.
    public func matching(_ labels: Labels) -> [NotificationRoute] {
        var found: [NotificationRoute] = []
        _ = addMatching(labels, to: &found)
        return found
    }

    /// Returns whether it matches.
    private func addMatching(_ labels: Labels, to found: inout [NotificationRoute]) -> Bool {
        for matcher in matchers where !matcher.matches(labels) { return false }
        let count = found.count
        for route in routes {
            if route.addMatching(labels, to: &found), !route.continues { break }
        }
        if found.count == count { found.append(self) }
        return true
    }

    /// The group labels of an alert with `labels`.
    public func groupLabels(of labels: Labels) -> Labels {
        switch grouping {
        case .all: labels
        case .labels(let names): labels.keeping(names)
        }
    }

    /// This route and its descendants, each with an id. `known` counts the ids that were assigned.
    func identified(_ known: inout [String: Int]) -> NotificationRoute {
        var route = self
        let name = "\(key) to \(receiver)"
        let count = known[name, default: 0]
        known[name] = count + 1
        route.id = count == 0 ? name : "\(name) (\(count + 1))"
        route.routes = []
        for below in routes { route.routes.append(below.identified(&known)) }
        return route
    }

    /// This route and its descendants.
    public var all: [NotificationRoute] { [self] + routes.flatMap(\.all) }
}
