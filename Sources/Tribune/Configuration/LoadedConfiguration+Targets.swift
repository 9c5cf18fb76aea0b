internal import Discovery
internal import MetricModel
internal import PromQL
internal import Rollback
internal import RuleEngine
internal import RuleModel
internal import Scraper

/// Labels of targets against those that rollback rules and plans ask for.
extension LoadedConfiguration {
    /// A warning for each label that no target has: the rule measures nothing, so that promotion waits for ever.
    ///
    /// Only labels that every target has by `static_configs` are compared; others may come from discovery, relabelling
    /// or the targets themselves.
    var targetWarnings: [String] {
        let values = Self.values(of: prometheus.pools)
        guard !values.isEmpty else { return [] }
        let recorded = Set(
            groups.flatMap(\.rules).compactMap { rule -> String? in
                guard case .recording(let rule) = rule else { return nil }
                return rule.name
            })
        var warnings: [String] = []
        var isAsked = false
        for group in groups where ruleSettings(externalURL: "").server(of: group) == nil {
            for reach in NameCheck.reaches([group], plans) {
                let action = reach.rule.definition.action
                isAsked = isAsked || action.service == nil && !RuleReach.namesNoService(reach.rule)
                for text in Self.missing(reach.rule.expression, values, recorded) {
                    warnings.append("\(group.name): \(reach.rule.definition.name): \(text)")
                }
            }
        }
        guard isAsked, let known = values["service"] else { return warnings }
        for plan in plans {
            for service in plan.services.map(\.name) where !known.contains(service) {
                warnings.append("plan \(plan.name): \(Self.text("service", service, known))")
            }
        }
        return warnings
    }

    /// The values of each label that all targets have; empty where targets are not known from the file alone.
    private static func values(of pools: [ScrapePool]) -> [String: Set<String>] {
        let isStatic = pools.allSatisfy {
            $0.discovery.isEmpty && $0.relabelRules.isEmpty && $0.metricRelabelRules.isEmpty && !$0.honorsLabels
        }
        guard isStatic else { return [:] }
        let targets = pools.flatMap { pool in
            pool.staticTargets.flatMap { group in group.targets.map { group.labels.setting($0) } }
        }
        guard let first = targets.first else { return [:] }
        var values: [String: Set<String>] = [:]
        for label in first.pairs where !label.name.hasPrefix("__") {
            let all = targets.compactMap { $0[label.name] }
            if all.count == targets.count { values[label.name] = Set(all) }
        }
        return values
    }

    /// The labels of selectors in `expression` that no target has.
    private static func missing(
        _ expression: Expression, _ values: [String: Set<String>], _ recorded: Set<String>
    ) -> [String] {
        var found: [String] = []
        for selector in expression.selectors where !recorded.contains(selector.name) && selector.name != "ALERTS" {
            for matcher in selector.matchers where matcher.operation == .equal && !matcher.value.isEmpty {
                guard let known = values[matcher.name], !known.contains(matcher.value) else { continue }
                let text = text(matcher.name, matcher.value, known)
                if !found.contains(text) { found.append(text) }
            }
        }
        return found
    }

    private static func text(_ name: String, _ value: String, _ known: Set<String>) -> String {
        "no target has the label \(name)=\"\(value)\" (they have \(known.sorted().joined(separator: ", "))): nothing is measured"
    }
}
