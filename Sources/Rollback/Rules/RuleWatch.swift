public import MetricModel
public import RuleModel

/// A rollback rule in force, and its expected measurements.
public struct RuleWatch: Hashable, Sendable {
    /// `file;group;name` of the rule.
    public var rule: String
    /// The rule.
    public var definition: RollbackDefinition
    /// The services of its plan for which it can return an element.
    public var services: [String]
    /// How long after the first traffic of a candidate its first measurement may be missing.
    public var firstData: Milliseconds

    /// A rule that is expected to measure `services`.
    public init(rule: String, definition: RollbackDefinition, services: [String], firstData: Milliseconds) {
        self.rule = rule
        self.definition = definition
        self.services = services
        self.firstData = firstData
    }
}

/// The measurement that a service needs from one rule before its candidate gets more traffic.
struct EvidenceDemand: Hashable {
    /// `file;group;name` of the rule.
    var rule: String
    var name: String
    /// The range of a measurement: a sample taken within this time after a stage began also covers the time before it.
    var range: Milliseconds
    /// The services that need it.
    var services: Set<String>
    /// How long after the first traffic of a candidate its first measurement may be missing.
    var firstData: Milliseconds
    /// Whether its trips cause a rollback.
    var isEnforced: Bool
    /// Whether missing data count as healthy.
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

/// The missing measurement that stops a promotion.
public struct EvidenceLack: Hashable, Sendable {
    /// The rule's own name.
    public var rule: String
    /// The service.
    public var service: String
    /// The time of the last measurement, or since when one was possible.
    public var since: Instant

    /// A text of one line.
    public var description: String {
        "no measurement of \(rule) for \(service) since \(RFC3339.text(milliseconds: since.timestamp.milliseconds))"
    }
}

extension RollbackDefinition {
    /// The services of `element`; `nil` for all of the plan.
    func services(of element: Labels, in plan: RolloutPlan) -> [String]? {
        if let service = action.service ?? element["service"] { return [service] }
        if plan.services.count == 1 { return plan.services.map(\.name) }
        return action.scope == .all ? nil : []
    }

    /// The services of `plan` that a trip of `element` takes back.
    func targets(of element: Labels, in plan: RolloutPlan) -> [String] {
        let named = services(of: element, in: plan) ?? plan.services.map(\.name)
        return switch action.scope {
        case .service: named
        case .serviceAndDependents: named.flatMap { plan.dependents(including: $0) }
        case .all: plan.services.map(\.name)
        }
    }
}
