public import MetricModel
public import RuleModel

/// A rollback rule that is in force, and what it is expected to measure.
public struct RuleWatch: Equatable, Sendable {
    /// `file;group;name` of the rule.
    public var rule: String
    /// The rule.
    public var definition: RollbackDefinition
    /// The services of its plan of which it can yield an element.
    public var services: [String]
    /// How long after the first traffic of a candidate its first measurement may stay away.
    public var firstData: Milliseconds

    /// A rule that is expected to measure `services`.
    public init(rule: String, definition: RollbackDefinition, services: [String], firstData: Milliseconds) {
        self.rule = rule
        self.definition = definition
        self.services = services
        self.firstData = firstData
    }
}

/// What a service needs to have been measured by one rule before its candidate gets more traffic.
struct EvidenceDemand: Equatable {
    /// `file;group;name` of the rule.
    var rule: String
    /// The rule's own name.
    var name: String
    /// How far back a measurement looks: what was sampled earlier after a stage began also judges the time before it.
    var range: Milliseconds
    /// The services that need it.
    var services: Set<String>
    /// How long after the first traffic of a candidate its first measurement may stay away.
    var firstData: Milliseconds
    /// Whether its trips act.
    var isEnforced: Bool
    /// Whether absence counts as health.
    var isExempt: Bool

    init(_ watch: RuleWatch) {
        rule = watch.rule
        name = watch.definition.name
        range = watch.definition.longestRange
        services = Set(watch.services)
        firstData = watch.firstData
        isEnforced = watch.definition.mode == .enforce
        isExempt = watch.definition.missing.policy == .pass
    }
}

/// What is missing for a service to get more traffic.
public struct EvidenceLack: Equatable, Sendable {
    /// The rule's own name.
    public var rule: String
    /// The service.
    public var service: String
    /// The time of the last measurement, or since when there could have been one.
    public var since: Instant

    /// One line for people.
    public var description: String {
        "no measurement of \(rule) for \(service) since \(RFC3339.text(milliseconds: since.timestamp.milliseconds))"
    }
}

extension RollbackDefinition {
    /// The services that `element` speaks for; `nil` for all of the plan.
    func services(of element: Labels, in plan: RolloutPlan) -> [String]? {
        if let service = action.service ?? element["service"] { return [service] }
        if plan.services.count == 1 { return plan.services.map(\.name) }
        return action.scope == .all ? nil : []
    }
}
