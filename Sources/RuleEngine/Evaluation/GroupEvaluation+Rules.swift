internal import MetricModel
internal import PromQL
internal import RuleModel

extension GroupEvaluation {
    // MARK: Reloading

    /// The states of rules whose kind, name and labels are unchanged, and the series of the rules that were removed.
    static func inherited(
        by rules: [Rule], from earlier: GroupEvaluation?, restoring: Bool
    ) -> (states: [RuleState], orphans: [Labels]) {
        var fresh = RuleState()
        fresh.isRestored = !restoring
        var orphans = earlier?.orphans ?? []
        var known: [String: [RuleState]] = [:]
        if let earlier {
            for (rule, state) in zip(earlier.group.rules, earlier.states) {
                known[rule.identity, default: []].append(state)
            }
        }
        let states = rules.map { rule in
            guard var states = known[rule.identity], !states.isEmpty else { return fresh }
            defer { known[rule.identity] = states }
            return states.removeFirst()
        }
        for left in known.values.joined() { orphans += left.stored.sorted() }
        return (states, orphans)
    }

    // MARK: Order

    /// For each rule, whether it may read the output of an earlier rule.
    ///
    /// If it cannot, the samples of several rules are stored together, as one row instead of many.
    static func dependencies(of rules: [Rule]) -> [Bool] {
        var written: Set<String> = []
        return rules.map { rule in
            defer { written.formUnion(rule.writtenMetrics) }
            return rule.mayRead(anyOf: written)
        }
    }
}

extension Rule {
    /// The kind, name and labels. A rule with the same identity keeps its state after a reload.
    fileprivate var identity: String {
        switch self {
        case .recording(let rule): "record \(rule.name) \(Labels(rule.labels))"
        case .alerting(let rule): "alert \(rule.name) \(rule.labelSources)"
        case .rollback(let rule): "rollback \(rule.definition.name) \(rule.definition.labels)"
        }
    }

    fileprivate var writtenMetrics: [String] {
        switch self {
        case .recording(let rule): [rule.name]
        case .alerting: [AlertSet.alertsMetric, AlertSet.stateMetric]
        case .rollback: [GroupEvaluation.measurementMetric, AlertSet.alertsMetric]
        }
    }

    /// Every expression that is evaluated for the rule.
    var expressions: [Expression] {
        switch self {
        case .recording(let rule): [rule.expression]
        case .alerting(let rule): [rule.expression]
        case .rollback(let rule): [rule.expression] + [rule.minimumSamples, rule.guardExpression].compactMap(\.self)
        }
    }

    /// Whether templates of the rule may run queries.
    private var templatesQuery: Bool {
        guard case .alerting(let rule) = self else { return false }
        return (rule.labels + rule.annotations).contains { $0.template.source.contains("query") }
    }

    func mayRead(anyOf metrics: Set<String>) -> Bool {
        if metrics.isEmpty { return false }
        if templatesQuery { return true }
        return expressions.flatMap(\.selectors).contains { matchers in
            let name = matchers.first { $0.name == Labels.metricName && $0.operation == .equal }
            return name.map { metrics.contains($0.value) } ?? true
        }
    }
}

extension Expression {
    /// The matchers of every selector in the expression.
    var selectors: [[Matcher]] {
        if case .vectorSelector(let selector) = self { return [selector.matchers] }
        return children.flatMap(\.selectors)
    }
}
