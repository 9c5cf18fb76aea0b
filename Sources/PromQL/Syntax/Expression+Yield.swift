internal import MetricModel
internal import RE2

extension Expression {
    /// Whether an element of the result can have `label` with `value`, as far as the text of the expression tells:
    /// `false` is certain, `true` is not. Series that exist are not looked at.
    public func mayYield(_ label: String, _ value: String) -> Bool {
        switch self {
        case .number, .string: false
        case .vectorSelector(let selector):
            selector.matchers.allSatisfy { $0.name != label || $0.accepts(value) }
        case .matrixSelector(let node): Expression.vectorSelector(node.selector).mayYield(label, value)
        case .subquery(let node): node.expression.mayYield(label, value)
        case .unary(let node): node.expression.mayYield(label, value)
        case .paren(let node): node.expression.mayYield(label, value)
        case .call(let node): Self.mayYield(node, label, value)
        case .aggregate(let node): Self.mayYield(node, label, value)
        case .binary(let node): Self.mayYield(node, label, value)
        }
    }

    private static func mayYield(_ call: Call, _ label: String, _ value: String) -> Bool {
        switch call.function {
        case "label_replace", "label_join":
            if call.arguments.count > 1, case .string(let target) = call.arguments[1], target.value == label {
                return true
            }
        case "absent", "absent_over_time":
            // Its labels are those that the selector asks for.
            return call.arguments.flatMap(\.selectors).contains { selector in
                selector.matchers.contains { $0.name == label && $0.operation == .equal && $0.value == value }
            }
        case "info": return true
        default: break
        }
        let vector = call.arguments.first { $0.valueType == .vector || $0.valueType == .matrix }
        return vector?.mayYield(label, value) ?? false
    }

    private static func mayYield(_ node: Aggregate, _ label: String, _ value: String) -> Bool {
        let inner = node.expression.mayYield(label, value)
        switch node.operator {
        case .topk, .bottomk, .limitk, .limitRatio: return inner
        case .countValues:
            if case .string(let name)? = node.parameter, name.value == label { return true }
        case .sum, .avg, .count, .min, .max, .group, .stddev, .stdvar, .quantile: break
        }
        return node.grouping.contains(label) != node.without && inner
    }

    private static func mayYield(_ node: Binary, _ label: String, _ value: String) -> Bool {
        let (left, right) = (node.left.mayYield(label, value), node.right.mayYield(label, value))
        guard let matching = node.matching else { return left || right }
        switch node.operator {
        case .or: return left || right
        case .unless: return left
        default: break
        }
        // Where both sides are compared by the label, both have to have the value.
        let isCompared = matching.labels.contains(label) == matching.on
        if isCompared { return left && right }
        switch matching.cardinality {
        case .manyToMany: return left
        case .oneToOne: return false
        case .manyToOne: return matching.include.contains(label) ? right : left
        case .oneToMany: return matching.include.contains(label) ? left : right
        }
    }
}

extension Matcher {
    /// Whether a label with `value` meets the matcher; `true` for a pattern that cannot be read.
    fileprivate func accepts(_ value: String) -> Bool {
        switch operation {
        case .equal: return value == self.value
        case .notEqual: return value != self.value
        case .regex, .notRegex:
            guard let pattern = try? LabelPattern(self.value) else { return true }
            return pattern.matches(value) == (operation == .regex)
        }
    }
}
