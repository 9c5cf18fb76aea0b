internal import Instrumentation
internal import Rollback
internal import RolloutRunner
internal import RuleModel
internal import Synchronization

/// Rollouts and rollback rules as metrics for dashboards, updated when metrics are read.
final class RolloutMetrics: Sendable {
    /// A family with one to four labels.
    private enum Family {
        case weight, split, up, frozen, unmanaged, state, journal, tripped, streak

        var name: String {
            switch self {
            case .weight: "tribune_rollout_candidate_weight_ratio"
            case .split: "tribune_rollout_weight_ratio"
            case .up: "tribune_route_up"
            case .frozen: "tribune_rollout_service_frozen"
            case .unmanaged: "tribune_rollout_unmanaged"
            case .state: "tribune_rollout_state"
            case .journal: "tribune_rollout_journal_up"
            case .tripped: "tribune_rollback_rule_tripped"
            case .streak: "tribune_rollback_rule_streak"
            }
        }

        var help: String {
            switch self {
            case .weight: "Share of traffic that the candidate shall have, 0 to 1."
            case .split:
                "Share of traffic of the candidate, 0 to 1: the desired one, and the observed one while the route can be read."
            case .up: "Whether the last attempt to read the route succeeded; absent before the first attempt."
            case .frozen: "Whether the service is frozen: neither promoted nor rolled back."
            case .unmanaged: "Whether the candidate of the service has traffic that no rollout gave it."
            case .state: "A constant 1, labelled with the state of the rollout."
            case .journal:
                "Whether the journal of the plan can be written; while it cannot, candidates only lose traffic."
            case .tripped: "Whether the rollback rule is tripped."
            case .streak: "Consecutive violations of the rollback rule."
            }
        }
    }

    private struct Member: Hashable {
        var family: Family
        var first: String
        var second: String
        var route = ""
        var kind = ""

        var labels: KeyValuePairs<String, String> {
            switch family {
            case .split: ["plan": first, "service": second, "route": route, "kind": kind]
            case .up: ["plan": first, "service": second, "route": route]
            case .weight, .frozen, .unmanaged: ["plan": first, "service": second]
            case .state: ["plan": first, "state": second]
            case .journal: ["plan": first]
            case .tripped, .streak: ["rule_group": first, "rule": second]
            }
        }
    }

    private let shown = Mutex<Set<Member>>([])

    /// Exports the state of `sources` in `registry`.
    init(registry: Registry, sources: ExporterSources) {
        registry.onSnapshot { [self, weak registry] in
            guard let registry else { return }
            let values = Self.values(of: sources)
            let gone = shown.withLock { shown in
                defer { shown = Set(values.keys) }
                return shown.subtracting(values.keys)
            }
            for member in gone { registry.remove(member.family.name, labels: member.labels) }
            for (member, value) in values {
                registry.gauge(member.family.name, member.family.help, labels: member.labels).set(value)
            }
        }
    }

    private static func values(of sources: ExporterSources) -> [Member: Double] {
        var values: [Member: Double] = [:]
        for rollout in sources.rollouts() {
            values[Member(family: .state, first: rollout.plan, second: rollout.phase)] = 1
            values[Member(family: .journal, first: rollout.plan, second: "")] = rollout.journal == nil ? 1 : 0
            for service in rollout.services {
                values[Member(family: .weight, first: rollout.plan, second: service.name)] =
                    Double(service.split.candidate) / 100
                values[Member(family: .frozen, first: rollout.plan, second: service.name)] =
                    service.frozen == nil ? 0 : 1
                values[Member(family: .unmanaged, first: rollout.plan, second: service.name)] =
                    service.unmanagedSince == nil ? 0 : 1
                for (index, route) in service.routes.enumerated() {
                    let number = String(index + 1)
                    func member(_ family: Family, _ kind: String = "") -> Member {
                        Member(family: family, first: rollout.plan, second: service.name, route: number, kind: kind)
                    }
                    values[member(.split, "desired")] = Double(service.split.candidate) / 100
                    guard let isUp = route.isUp else { continue }
                    values[member(.up)] = isUp ? 1 : 0
                    // A reading that cannot be repeated says nothing about now.
                    guard isUp, let observed = route.view.observed else { continue }
                    values[member(.split, "observed")] = Double(observed.candidate) / 100
                }
            }
        }
        for group in sources.ruleGroups() {
            for rule in group.rules {
                guard case .rollback(_, _, _, let streak, _, let tripped) = rule.kind else { continue }
                values[Member(family: .tripped, first: group.name, second: rule.name)] = tripped.isEmpty ? 0 : 1
                values[Member(family: .streak, first: group.name, second: rule.name)] = Double(streak)
            }
        }
        return values
    }
}
