public import MetricModel

/// A node of the routing tree: which alerts it takes, to whom they go, and how they are grouped.
public struct Route: Equatable, Sendable {
    /// What the group of an alert is made of.
    public enum Grouping: Equatable, Sendable {
        /// `group_by: [...]`: every label, so that each alert is a group of its own.
        case all
        case labels([String])
    }

    /// Conditions that an alert must all meet.
    public var matchers: [LabelMatcher]
    /// Name of the receiver.
    public var receiver: String
    /// What the group of an alert is made of.
    public var grouping: Grouping
    /// How long a new group waits for more alerts.
    public var groupWait: Milliseconds
    /// Time between two notifications about changes of a group.
    public var groupInterval: Milliseconds
    /// Time after which an unchanged group is told again.
    public var repeatInterval: Milliseconds
    /// Whether an alert that meets this route is also offered to the routes behind it.
    public var continues: Bool
    /// Time intervals in which nothing is sent.
    public var muteTimeIntervals: [String]
    /// Time intervals outside of which nothing is sent; empty for always.
    public var activeTimeIntervals: [String]
    /// Routes below, tried in order.
    public var routes: [Route]
    /// Labels that templates can read; templates themselves. Inherited.
    public var labels = Labels.empty
    /// The path of matchers from the root, as Alertmanager writes it into group keys.
    public var key: String
    /// Tells the route from every other one, also from those with the same matchers, and stays the same where others
    /// come or go.
    public var id: String

    /// The deepest routes that take an alert with `labels`, in order; never empty for the root.
    public func matching(_ labels: Labels) -> [Route] {
        guard matchers.allSatisfy({ $0.matches(labels) }) else { return [] }
        var found: [Route] = []
        for route in routes {
            let below = route.matching(labels)
            found += below
            if !below.isEmpty && !route.continues { break }
        }
        return found.isEmpty ? [self] : found
    }

    /// The labels that name the group of an alert with `labels`.
    public func groupLabels(of labels: Labels) -> Labels {
        switch grouping {
        case .all: labels
        case .labels(let names): labels.keeping(names)
        }
    }

    /// This route and all below it, each with an id of its own. `known` counts those that have been seen.
    func identified(_ known: inout [String: Int]) -> Route {
        var route = self
        let name = "\(key) to \(receiver)"
        let count = known[name, default: 0]
        known[name] = count + 1
        route.id = count == 0 ? name : "\(name) (\(count + 1))"
        route.routes = []
        for below in routes { route.routes.append(below.identified(&known)) }
        return route
    }

    /// This route and all below it.
    public var all: [Route] { [self] + routes.flatMap(\.all) }
}
