internal import MetricModel
internal import RemoteQuery
internal import Rollback
internal import RuleEngine
internal import RuleModel

/// The rules that a new configuration watches less strictly than the one in force. A value.
///
/// Only a change that is stricter in every respect is no loosening: whether another expression judges more or less
/// cannot be decided.
struct RuleLoosening: Equatable {
    /// One line for each rule or approval, sorted.
    let lines: [String]

    /// The loosening from `old` to `new`.
    init(from old: LoadedConfiguration, to new: LoadedConfiguration) {
        var lines = Self.rules(
            old.groups, new.groups, servers: (old.file.defaultQueryServer, new.file.defaultQueryServer))
        for plan in old.plans {
            lines += Self.approvals(plan, new.plans.first { $0.name == plan.name })
        }
        for server in Self.changedServers(old, new) { lines.append("query server \(server): changed") }
        if old.file.demandsSecondApprover, !new.file.demandsSecondApprover {
            lines.append("reload.second_approver: removed")
        }
        self.lines = lines.sorted()
    }

    /// The enforcing rules of `old` that `new` lacks, or that act there later or less often.
    ///
    /// - Parameter servers: those of groups that name none, before and after; `nil` for the own store.
    static func rules(
        _ old: [RuleGroup], _ new: [RuleGroup], servers: (old: String?, new: String?) = (nil, nil)
    ) -> [String] {
        let fresh = Dictionary(grouping: rules(new, servers.new), by: \.definition.name)
        return rules(old, servers.old).filter { $0.definition.mode == .enforce }.compactMap { former in
            let name = former.definition.name
            let candidates = fresh[name] ?? []
            // A rule may move to another group; one that is as strict is enough.
            let changes = candidates.map { Self.changes(from: former, to: $0) }
            if changes.contains([]) { return nil }
            guard let least = changes.min(by: { $0.count < $1.count }) else { return "\(name): removed" }
            return "\(name): \(least.joined(separator: ", "))"
        }
    }

    private struct Rule {
        var definition: RollbackDefinition
        var interval: Milliseconds?
        /// The name of the server that evaluates it.
        var server: String
    }

    /// Other servers, or other ways to them, for rules of `old` that enforce.
    private static func changedServers(_ old: LoadedConfiguration, _ new: LoadedConfiguration) -> [String] {
        let used = Set(
            rules(old.groups, old.file.defaultQueryServer).filter { $0.definition.mode == .enforce }.map(\.server))
        return old.file.queryServers.filter { former in
            guard used.contains(former.name) else { return false }
            let fresh = new.file.queryServers.first { $0.name == former.name }
            return fresh.map { $0.url != former.url || $0.parameters != former.parameters } ?? false
        }.map(\.name)
    }

    private static func rules(_ groups: [RuleGroup], _ defaultServer: String?) -> [Rule] {
        groups.flatMap { group in
            group.rules.compactMap { rule in
                guard case .rollback(let query) = rule else { return nil }
                return Rule(
                    definition: query.definition, interval: group.interval,
                    server: group.query ?? defaultServer ?? RuleGroup.ownStore)
            }
        }
    }

    /// In which respects `new` is not at least as strict as `old`.
    private static func changes(from former: Rule, to fresh: Rule) -> [String] {
        let (old, new) = (former.definition, fresh.definition)
        if new.mode == .shadow { return ["shadowed"] }
        var changes: [String] = []
        if fresh.server != former.server { changes.append("query \(former.server) becomes \(fresh.server)") }
        if old.expression != new.expression { changes.append("expr changed") }
        if !isAtLeastAsStrict(new.trip, as: old.trip) { changes.append("trip \(old.trip) becomes \(new.trip)") }
        if new.consecutive > old.consecutive {
            changes.append("consecutive \(old.consecutive) becomes \(new.consecutive)")
        }
        if old.immediate, !new.immediate { changes.append("no longer immediate") }
        if old.missing != new.missing { changes.append("missing changed") }
        if old.minimumSamples != new.minimumSamples, new.minimumSamples != nil { changes.append("min_samples changed") }
        if old.guardExpression != new.guardExpression, new.guardExpression != nil { changes.append("guard changed") }
        if new.cooldown < old.cooldown { changes.append("cooldown \(old.cooldown) becomes \(new.cooldown)") }
        if old.clear != new.clear { changes.append("clear changed") }
        if old.action != new.action { changes.append("action changed") }
        if !new.immediate, let interval = fresh.interval, interval > former.interval ?? .zero,
            former.interval != fresh.interval
        {
            changes.append("interval becomes \(interval)")
        }
        return changes
    }

    private static func isAtLeastAsStrict(
        _ new: RollbackDefinition.Condition, as old: RollbackDefinition.Condition
    ) -> Bool {
        guard new.comparison == old.comparison else { return false }
        return switch new.comparison {
        case .less, .lessOrEqual: new.threshold >= old.threshold
        case .greater, .greaterOrEqual: new.threshold <= old.threshold
        case .equal, .notEqual: new.threshold == old.threshold
        }
    }

    /// The approvals of `old` that `new` demands of fewer, or other, identities.
    private static func approvals(_ old: RolloutPlan, _ new: RolloutPlan?) -> [String] {
        old.services.compactMap { service in
            let former = service.gates.compactMap(\.demand)
            guard !former.isEmpty, let new else { return nil }
            let fresh = new.service(service.name)?.gates.compactMap(\.demand) ?? []
            let isKept = former.allSatisfy { demand in
                fresh.contains { $0.from == demand.from && $0.count >= demand.count }
            }
            return isKept || new.service(service.name) == nil
                ? nil : "plan \(old.name), service \(service.name): the demanded approvals change"
        }
    }
}

extension RolloutPlan.Gate {
    /// Its demands on those who approve; `nil` if it is no approval.
    fileprivate var demand: Approval? {
        if case .approval(let approval) = kind { approval } else { nil }
    }
}
