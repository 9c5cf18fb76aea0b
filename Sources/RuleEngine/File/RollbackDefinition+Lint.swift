internal import MetricModel
internal import PromQL
public import RuleModel

extension RollbackDefinition {
    /// Warnings about settings that the rule leaves out and that often cause problems, one line each. The rule is
    /// valid.
    public var lint: [String] {
        var remarks: [String] = []
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
