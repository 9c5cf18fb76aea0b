public import MetricModel
internal import PromQL
internal import RuleModel

/// Writes rollback rules as Prometheus alerting rules, for servers without rollback rules.
///
/// The alert fires at the evaluation that would trip: `consecutive` violations become a `for` that is one interval
/// shorter. A condition is written only if PromQL can express exactly the same; otherwise a comment above the alert
/// names it.
public enum RuleExport {
    /// A rule file with an alert for each rollback rule of `groups`. `interval` is used for groups that set none.
    ///
    /// Prometheus requires unique group names. If a name was used in another file, the file's name is added.
    public static func prometheusRules(for groups: [RuleGroup], interval: Milliseconds = .minutes(1)) -> String {
        var lines: [String] = []
        var names: Set<String> = []
        for group in groups {
            let queries = group.rules.compactMap { rule in
                if case .rollback(let query) = rule { query } else { nil }
            }
            if queries.isEmpty { continue }
            let interval = group.interval ?? interval
            let name = names.insert(group.name).inserted ? group.name : "\(group.name) (\(group.file))"
            lines += ["- name: \(quoted(name))", "  interval: \(interval)", "  rules:"]
            for query in queries { lines += alert(query, of: group, interval: interval) }
        }
        if lines.isEmpty { return "groups: []\n" }
        return (["groups:"] + lines).joined(separator: "\n") + "\n"
    }

    private static func alert(_ query: RollbackQuery, of group: RuleGroup, interval: Milliseconds) -> [String] {
        let definition = query.definition
        let conditions = conditions(of: query)
        var lines = (losses(of: definition, in: group, interval: interval) + conditions.losses).map { "  # \($0)" }
        let trip = "\(vector(definition.expression, query.expression)) \(definition.trip)"
        lines += [
            "  - alert: \(quoted(definition.name))",
            "    expr: \(quoted(([trip] + conditions.texts).joined(separator: " and ")))",
        ]
        if definition.consecutive > 1 { lines.append("    for: \(interval * Int64(definition.consecutive - 1))") }
        var labels = definition.labels.setting("severity", to: definition.severity)
        if let verdict = definition.action.verdict {
            labels.set("verdict", to: verdict)
        } else {
            labels.set("plan", to: definition.action.plan)
        }
        if let service = definition.action.service { labels.set("service", to: service) }
        lines.append("    labels:")
        lines += labels.pairs.map { "      \(quoted($0.name)): \(quoted($0.value))" }
        if !definition.annotations.isEmpty {
            lines.append("    annotations:")
            lines += definition.annotations.pairs.map { "      \(quoted($0.name)): \(quoted($0.value))" }
        }
        return lines
    }

    // MARK: Fields that Prometheus cannot express

    private static func losses(
        of definition: RollbackDefinition, in group: RuleGroup, interval: Milliseconds
    ) -> [String] {
        var losses: [String] = []
        if definition.immediate || group.trigger == .scrape {
            losses.append("Not expressible: evaluation at each scrape. The alert is evaluated every \(interval).")
        }
        let missing = definition.missing
        if definition.consecutive > 1 || missing != RollbackDefinition.MissingPolicy() {
            let later = missing.after.map { ", then \(missing.then.rawValue) after \($0)" } ?? ""
            losses.append(
                "Not expressible: missing: \(missing.policy.rawValue)\(later). Here it counts as healthy.")
        }
        if definition.consecutive > 1, definition.minimumSamples != nil || definition.guardExpression != nil {
            losses.append(
                "Not expressible: a measurement that does not count but keeps the streak. Here it counts as healthy.")
        }
        if let clear = definition.clear {
            losses.append(
                "Not expressible: clear: \(clear.condition) for \(clear.hold). The alert resolves when it no longer trips; "
                    + "keep_firing_for: \(clear.hold) (Prometheus 2.42) is similar.")
        }
        if definition.trip.comparison == .notEqual {
            losses.append("Not expressible: NaN as missing data. Here NaN is not equal, and the alert fires.")
        }
        return losses
    }

    /// Minimum samples and guard, if `and` has the same meaning as in ``RollbackQuery``.
    ///
    /// There, an element matches a measured element if they agree on all labels that both have. This equals `and on`
    /// the common labels if, and only if, the labels of all elements of both sides are known.
    private static func conditions(of query: RollbackQuery) -> (texts: [String], losses: [String]) {
        var (texts, losses): ([String], [String]) = ([], [])
        func add(_ field: String, _ source: String, _ expression: Expression, _ text: (String, String) -> String) {
            guard let left = query.expression.resultLabels, let right = expression.resultLabels else {
                let shown = source.split(whereSeparator: \.isNewline).joined(separator: " ")
                losses.append("Not expressible: \(field) \(shown): the labels of both sides are not known.")
                return
            }
            let common = left.filter(right.contains).joined(separator: ", ")
            texts.append("on (\(common)) (\(text(vector(source, expression), common)))")
        }
        if let expression = query.minimumSamples, let minimum = query.definition.minimumSamples {
            add("min_samples", minimum.expression, expression) { amount, common in
                "sum by (\(common)) \(amount) >= \(FloatText.general(minimum.value))"
            }
        }
        if let expression = query.guardExpression, let source = query.definition.guardExpression {
            // Unlike `!= 0`, this excludes NaN.
            add("guard", source, expression) { value, _ in "abs\(value) > 0" }
        }
        return (texts, losses)
    }

    /// `source` in parentheses, and as a vector.
    private static func vector(_ source: String, _ expression: Expression) -> String {
        // A comment at the end of the source must not hide the closing parenthesis.
        let source = source.contains("#") ? expression.description : source
        return expression.valueType == .scalar ? "(vector(\(source)))" : "(\(source))"
    }

    private static func quoted(_ text: String) -> String { MetricText.quoted(text) }
}

extension Expression {
    /// The labels of the result's elements, if the expression defines them by `by (…)`; `nil` otherwise.
    fileprivate var resultLabels: [String]? {
        if valueType == .scalar { return [] }
        switch self {
        case .aggregate(let node):
            let keepsElements: Set<Aggregate.Operator> = [.topk, .bottomk, .limitk, .limitRatio, .countValues]
            return node.without || keepsElements.contains(node.operator) ? nil : node.grouping
        case .paren(let node): return node.expression.resultLabels
        case .unary(let node): return node.expression.resultLabels
        case .binary(let node):
            let sides = [node.left, node.right].filter { $0.valueType == .vector }.map(\.resultLabels)
            if let matching = node.matching {
                guard !matching.on, matching.labels.isEmpty, matching.include.isEmpty else { return nil }
            }
            // If the sides differ, the result depends on the operator. That case is not analysed.
            guard let labels = sides.first, let labels, sides.allSatisfy({ $0.map(Set.init) == Set(labels) }) else {
                return nil
            }
            return labels
        case .call(let node):
            if ["label_replace", "label_join", "absent", "info"].contains(node.function) { return nil }
            let labels = node.arguments.first { $0.valueType == .vector }?.resultLabels
            return node.function == "histogram_quantile" ? labels?.filter { $0 != "le" } : labels
        case .number, .string, .vectorSelector, .matrixSelector, .subquery: return nil
        }
    }
}
