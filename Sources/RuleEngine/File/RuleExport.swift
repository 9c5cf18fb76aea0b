public import MetricModel
internal import PromQL

/// Writes rollback rules as plain Prometheus alerts, for servers that know no rollback rules.
///
/// The alert fires at the evaluation that would trip: `consecutive` violations become a `for` of one interval less. What
/// Prometheus cannot say is lost: there a missing measurement ends the streak, and `clear` becomes `keep_firing_for`.
public enum RuleExport {
    /// A rule file with an alert for each rollback rule of `groups`; `interval` holds for groups that name none.
    public static func prometheusRules(for groups: [RuleGroup], interval: Milliseconds = .minutes(1)) -> String {
        var lines = ["groups:"]
        for group in groups {
            let queries = group.rules.compactMap { rule in
                if case .rollback(let query) = rule { query } else { nil }
            }
            if queries.isEmpty { continue }
            let interval = group.interval ?? interval
            lines += ["- name: \(quoted(group.name))", "  interval: \(interval)", "  rules:"]
            for query in queries { lines += alert(query, interval: interval) }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func alert(_ query: RollbackQuery, interval: Milliseconds) -> [String] {
        let definition = query.definition
        var lines = ["  - alert: \(quoted(definition.name))", "    expr: \(quoted(condition(query)))"]
        if definition.consecutive > 1 { lines.append("    for: \(interval * Int64(definition.consecutive - 1))") }
        if let clear = definition.clear, clear.hold > .zero { lines.append("    keep_firing_for: \(clear.hold)") }
        var labels = definition.labels.setting("severity", to: definition.severity)
        labels.set("plan", to: definition.action.plan)
        if let service = definition.action.service { labels.set("service", to: service) }
        lines.append("    labels:")
        lines += labels.pairs.map { "      \(quoted($0.name)): \(quoted($0.value))" }
        if !definition.annotations.isEmpty {
            lines.append("    annotations:")
            lines += definition.annotations.pairs.map { "      \(quoted($0.name)): \(quoted($0.value))" }
        }
        return lines
    }

    private static func condition(_ query: RollbackQuery) -> String {
        let definition = query.definition
        var text = "(\(definition.expression)) \(definition.trip)"
        if query.expression.valueType == .scalar { text = "vector(\(definition.expression)) \(definition.trip)" }
        if let minimum = query.minimumSamples, let amount = definition.minimumSamples {
            let limit = FloatText.general(amount.value)
            text += joined(query.expression, minimum) + "((\(amount.expression)) >= \(limit))"
        }
        if let guardExpression = query.guardExpression, let source = definition.guardExpression {
            text += joined(query.expression, guardExpression) + "((\(source)) != 0)"
        }
        return text
    }

    /// `and` on the labels that both sides are known to have; on all labels where neither side tells.
    private static func joined(_ left: Expression, _ right: Expression) -> String {
        switch (left.resultLabels, right.resultLabels) {
        case (nil, nil): " and "
        case (let labels?, nil), (nil, let labels?): " and on (\(labels.joined(separator: ", "))) "
        case (let left?, let right?):
            " and on (\(left.filter(right.contains).joined(separator: ", "))) "
        }
    }

    private static func quoted(_ text: String) -> String { MetricText.quoted(text) }
}

extension Expression {
    /// The labels that every element of the result has, where the expression says so by `by (…)`.
    fileprivate var resultLabels: [String]? {
        switch self {
        case .aggregate(let node): return node.without ? nil : node.grouping
        case .paren(let node): return node.expression.resultLabels
        case .unary(let node): return node.expression.resultLabels
        case .binary(let node):
            let sides = [node.left, node.right].filter { $0.valueType == .vector }
            return sides.first?.resultLabels
        case .call(let node):
            let labels = node.arguments.first { $0.valueType == .vector }?.resultLabels
            return node.function == "histogram_quantile" ? labels?.filter { $0 != "le" } : labels
        case .number, .string, .vectorSelector, .matrixSelector, .subquery: return nil
        }
    }
}
