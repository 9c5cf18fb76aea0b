import Rollback
import RuleModel

/// The dependencies, computed independently of the code under test.
struct Topology: Sendable {
    private let services: [String]
    /// For each service, all services that depend on it, directly or indirectly, without itself.
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

    /// The services affected by a trip of `name`.
    func targets(of name: String, _ scope: RollbackDefinition.Action.Scope) -> [String] {
        switch scope {
        case .service: [name]
        case .serviceAndDependents: services.filter { $0 == name || dependents[name]?.contains($0) == true }
        case .all: services
        }
    }
}
