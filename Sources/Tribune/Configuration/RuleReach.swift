internal import MetricModel
internal import PromQL
internal import Rollback
internal import RuleEngine
internal import RuleModel

/// The services of a plan that a rollback rule judges, and those that it rolls back, as far as its text determines
/// them.
struct RuleReach {
    /// `file;group;name`.
    let key: String
    /// The rule.
    let rule: RollbackQuery
    /// The services for which it can return an element, in plan order.
    let judged: [String]
    /// The services that a trip can roll back, in plan order.
    let taken: [String]

    /// The reach of `rule` in `plan`, the plan of its action.
    init(_ rule: RollbackQuery, key: String, in plan: RolloutPlan) {
        self.key = key
        self.rule = rule
        let action = rule.definition.action
        let names = plan.services.map(\.name)
        if let service = action.service {
            judged = names.filter { $0 == service }
        } else if Self.namesNoService(rule) {
            judged = names.count == 1 || action.scope == .all ? names : []
        } else {
            judged = names.filter { rule.expression.mayYield("service", $0) }
        }
        let judged = judged
        taken = names.filter { name in
            switch action.scope {
            case .service: judged.contains(name)
            case .serviceAndDependents: judged.contains { plan.dependents(including: $0).contains(name) }
            case .all: !judged.isEmpty
            }
        }
    }

    /// Whether neither the action nor any element of the result can determine the service.
    static func namesNoService(_ rule: RollbackQuery) -> Bool {
        rule.definition.action.service == nil && rule.expression.resultLabels?.contains("service") == false
    }
}
