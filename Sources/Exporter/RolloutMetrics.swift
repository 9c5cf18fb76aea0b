internal import Instrumentation
internal import Rollback
internal import RolloutRunner
internal import RuleModel
internal import Synchronization

/// Rollouts and rollback rules as metrics for dashboards, updated when metrics are read.
final class RolloutMetrics: Sendable {
    /// A family. Each has two labels.
    private enum Family {
        case weight, frozen, state, tripped, streak

        var name: String {
            switch self {
            case .weight: "tribune_rollout_candidate_weight_ratio"
            case .frozen: "tribune_rollout_service_frozen"
            case .state: "tribune_rollout_state"
            case .tripped: "tribune_rollback_rule_tripped"
            case .streak: "tribune_rollback_rule_streak"
            }
        }

        var help: String {
            switch self {
            case .weight: "Share of traffic of the candidate, 0 to 1."
            case .frozen: "Whether the service is frozen: neither promoted nor rolled back."
            case .state: "A constant 1, labelled with the state of the rollout."
            case .tripped: "Whether the rollback rule is tripped."
            case .streak: "Consecutive violations of the rollback rule."
            }
        }
    }

    private struct Member: Hashable {
        var family: Family
        var first: String
        var second: String

        var labels: KeyValuePairs<String, String> {
            switch family {
            case .weight, .frozen: ["plan": first, "service": second]
            case .state: ["plan": first, "state": second]
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
            for service in rollout.services {
                values[Member(family: .weight, first: rollout.plan, second: service.name)] =
                    Double(service.split.candidate) / 100
                values[Member(family: .frozen, first: rollout.plan, second: service.name)] =
                    service.frozen == nil ? 0 : 1
            }
        }
        for group in sources.ruleGroups() {
            for rule in group.rules {
                guard case .rollback(_, _, _, let streak, let isTripped) = rule.kind else { continue }
                values[Member(family: .tripped, first: group.name, second: rule.name)] = isTripped ? 1 : 0
                values[Member(family: .streak, first: group.name, second: rule.name)] = Double(streak)
            }
        }
        return values
    }
}
