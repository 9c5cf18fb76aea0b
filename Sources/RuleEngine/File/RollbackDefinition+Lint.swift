internal import MetricModel
internal import PromQL
public import RuleModel

extension RollbackDefinition {
    /// Warnings about settings that the rule leaves out and that often cause problems, one line each. The rule is
    /// valid.
    public var lint: [String] {
        var remarks = vanishing
        if missing.policy == .hold, missing.after == nil {
            remarks.append("missing: data can stay absent forever without a notification; set \"after\"")
        }
        if missing.policy == .pass {
            remarks.append("missing: absent data counts as healthy, so a candidate that stops reporting is promoted")
        }
        if minimumSamples == nil, guardExpression == nil, dividesByMeasured {
            remarks.append(
                "min_samples: the measurement is a ratio, arbitrary with few requests and absent without requests")
        }
        if clear == nil, !trip.isExact {
            remarks.append("clear: without it, a value at the threshold trips and clears repeatedly")
        }
        if cooldown <= .zero { remarks.append("cooldown: a candidate may be promoted again immediately") }
        if consecutive > 1, immediate {
            remarks.append("immediate: with \"consecutive\" above 1 the first violation does not trip the rule")
        }
        return remarks
    }

    /// Why the expression may yield nothing although its targets are scraped and all is well. Absent data are neither
    /// healthy nor a violation, so promotion waits.
    public var vanishing: [String] {
        // An expression that cannot be parsed was rejected when the file was read.
        guard let expression = try? Expression.parse(expression) else { return [] }
        return Self.vanishing(expression).map { "expr: \($0)" }
    }

    /// Labels whose series begin with the first event of a kind, such as the first error.
    private static let outcomeLabels: Set<String> = [
        "code", "status", "status_code", "http_status", "http_code", "grpc_code", "grpc_status", "error", "err",
        "exception", "outcome", "result", "reason", "level",
    ]

    private static func vanishing(_ expression: Expression) -> [String] {
        switch expression {
        case .vectorSelector(let selector):
            let outcome = selector.matchers.first { matcher in
                let isPositive =
                    matcher.operation == .equal || matcher.operation == .regex && !matcher.value.hasPrefix(".*")
                return outcomeLabels.contains(matcher.name) && !matcher.value.isEmpty && isPositive
            }
            guard let outcome else { return [] }
            return [
                "\(selector.name){\(outcome)} has no series before the first such event: "
                    + "add \"or 0 * …\" of a series that always exists"
            ]
        case .binary(let node) where node.operator == .or:
            // One side that always exists is enough.
            let right = vanishing(node.right)
            return right.isEmpty ? [] : vanishing(node.left) + right
        case .binary(let node):
            var found = vanishing(node.left)
            if node.operator != .unless { found += vanishing(node.right) }
            if node.operator.isComparison, !node.returnsBool, expression.valueType == .vector {
                found.append("a comparison without \"bool\" yields nothing while it does not hold: use \"trip\"")
            }
            return found
        case .call(let node) where ["absent", "absent_over_time", "vector"].contains(node.function): return []
        case .number, .string, .matrixSelector, .subquery, .call, .aggregate, .unary, .paren:
            return expression.children.flatMap(vanishing)
        }
    }

    /// Whether the expression divides one measured value by another.
    private var dividesByMeasured: Bool {
        // An expression that cannot be parsed was rejected when the file was read.
        guard let expression = try? Expression.parse(expression) else { return false }
        return Self.dividesByMeasured(expression)
    }

    private static func dividesByMeasured(_ expression: Expression) -> Bool {
        if case .binary(let binary) = expression, binary.operator == .divide, binary.matching != nil { return true }
        return expression.children.contains(where: dividesByMeasured)
    }
}

extension RollbackDefinition.Condition {
    /// Whether the condition compares for equality. Then no value is close to its threshold.
    fileprivate var isExact: Bool {
        switch comparison {
        case .equal, .notEqual: true
        case .less, .lessOrEqual, .greater, .greaterOrEqual: false
        }
    }
}
