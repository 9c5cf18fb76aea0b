internal import DeploymentGates
internal import RemoteQuery
internal import Rollback
internal import RuleEngine
internal import RuleModel
internal import YAML

/// Checks which query servers rule groups and gates name, and whether their rules can be asked of a server.
struct QueryCheck {
    private let servers: Set<String>
    private let defaultServer: String?
    private(set) var faults: [YAMLError] = []

    /// - Parameter path: the path of `file`.
    init(_ file: TribuneFile, _ path: String, _ ruleFiles: [RuleFile], _ plans: [NameCheck.PlanFile]) {
        servers = Set(file.queryServers.map(\.name))
        defaultServer = file.defaultQueryServer
        if let name = file.gates.query { check(name, path, "gates.query") }
        for rules in ruleFiles {
            for (index, group) in rules.groups.enumerated() { check(group, rules.path, "groups[\(index)]") }
        }
        for plan in plans {
            for service in plan.plan.services {
                for (index, gate) in service.gates.enumerated() {
                    guard let name = gate.query else { continue }
                    check(name, plan.path, "services[name=\(service.name)].gates[\(index)].query")
                }
            }
        }
    }

    private mutating func check(_ name: String, _ file: String, _ field: String) {
        if name == RuleGroup.ownStore || servers.contains(name) { return }
        refuse(
            file, field,
            "there is no query server \"\(name)\": expected \"\(RuleGroup.ownStore)\", or the name of one in "
                + "query_servers of tribune.yml")
    }

    private mutating func check(_ group: RuleGroup, _ file: String, _ path: String) {
        if let name = group.query { check(name, file, "\(path).query") }
        let name = group.query ?? defaultServer ?? RuleGroup.ownStore
        guard name != RuleGroup.ownStore else { return }
        let reason =
            "the scrapes of the query server \"\(name)\" are not seen here: set query: \(RuleGroup.ownStore) for the "
            + "group, or have it evaluated at its interval"
        if group.trigger == .scrape { refuse(file, "\(path).trigger", reason) }
        for (index, rule) in group.rules.enumerated() {
            guard case .rollback(let query) = rule, query.definition.immediate else { continue }
            refuse(file, "\(path).rules[\(index)].immediate", reason)
        }
    }

    private mutating func refuse(_ file: String, _ field: String, _ message: String) {
        faults.append(YAMLError(at: field, of: file, message: message))
    }
}

extension TribuneFile {
    /// The server of rules that name none; `nil` for the own store.
    var defaultQueryServer: String? {
        queryServers.contains { $0.name == QueryServerSettings.defaultName } ? QueryServerSettings.defaultName : nil
    }
}
