import Rollback
import RuleModel

/// Who depends on whom, worked out apart from the code under test.
struct Topology: Sendable {
    private let services: [String]
    /// For each service, everything that depends on it, directly or not, without itself.
    private(set) var dependents: [String: Set<String>] = [:]

    init(_ plan: RolloutPlan) {
        services = plan.services.map(\.name)
        var direct: [String: Set<String>] = [:]
        for service in plan.services {
            for name in service.depends { direct[name, default: []].insert(service.name) }
        }
        for service in services {
            var found: Set<String> = []
            var rest = Array(direct[service] ?? [])
            while let name = rest.popLast() {
                if found.insert(name).inserted { rest += direct[name] ?? [] }
            }
            dependents[service] = found
        }
    }

    /// The services that a trip of `name` means.
    func targets(of name: String, _ scope: RollbackDefinition.Action.Scope) -> [String] {
        switch scope {
        case .service: [name]
        case .serviceAndDependents: services.filter { $0 == name || dependents[name]?.contains($0) == true }
        case .all: services
        }
    }
}
