internal import MetricModel
internal import PromQL
public import RuleModel

extension RollbackDefinition {
    /// What the rule leaves open that people regretted elsewhere. Each is one line; none makes the rule wrong.
    public var lint: [String] {
        var remarks: [String] = []
        if missing.policy == .hold, missing.after == nil {
            remarks.append("missing: data may stay away for ever without anybody hearing of it; set \"after\"")
        }
        if missing.policy == .pass {
            remarks.append("missing: absence counts as health, so a candidate that stops reporting is promoted")
        }
        if minimumSamples == nil, guardExpression == nil, dividesByMeasured {
            remarks.append(
                "min_samples: the measurement is a ratio, which few requests make arbitrary and none make vanish")
        }
        if clear == nil, !trip.isExact {
            remarks.append("clear: without it a value at the threshold trips and clears in turns")
        }
        if cooldown <= .zero { remarks.append("cooldown: a candidate may be promoted again at once") }
        if consecutive > 1, immediate {
            remarks.append("immediate: with \"consecutive\" above 1 the first violation does not act at once")
        }
        return remarks
    }

    /// Whether a measured value is divided by a measured value anywhere.
    private var dividesByMeasured: Bool {
        // What cannot be parsed has been refused when the file was read.
        guard let expression = try? Expression.parse(expression) else { return false }
        return Self.dividesByMeasured(expression)
    }

    private static func dividesByMeasured(_ expression: Expression) -> Bool {
        if case .binary(let binary) = expression, binary.operator == .divide, binary.matching != nil { return true }
        return expression.children.contains(where: dividesByMeasured)
    }
}

extension RollbackDefinition.Condition {
    /// Whether it compares for equality, so that no value lies close to its border.
    fileprivate var isExact: Bool {
        switch comparison {
        case .equal, .notEqual: true
        case .less, .lessOrEqual, .greater, .greaterOrEqual: false
        }
    }
}
