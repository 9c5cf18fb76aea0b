internal import MetricModel

extension Expression {
    /// The expression with the time of every selector fixed at `moment`, unless it is fixed already; `nil` if a
    /// function still depends on the evaluation time.
    func fixed(at moment: Timestamp) -> Expression? {
        switch self {
        case .number, .string: return self
        case .vectorSelector(let node): return .vectorSelector(node.fixed(at: moment))
        case .matrixSelector(var node):
            node.selector = node.selector.fixed(at: moment)
            return .matrixSelector(node)
        case .subquery(var node):
            // The inner expression is evaluated at the subquery's own times, which are now fixed.
            node.at = node.at ?? .timestamp(moment)
            return .subquery(node)
        case .call(var node):
            if Self.dependentFunctions.contains(node.function) { return nil }
            let arguments = node.arguments.compactMap { $0.fixed(at: moment) }
            guard arguments.count == node.arguments.count else { return nil }
            node.arguments = arguments
            return .call(node)
        case .aggregate(var node):
            guard let inner = node.expression.fixed(at: moment) else { return nil }
            node.expression = inner
            if let parameter = node.parameter {
                guard let fixed = parameter.fixed(at: moment) else { return nil }
                node.parameter = fixed
            }
            return .aggregate(node)
        case .binary(var node):
            guard let left = node.left.fixed(at: moment), let right = node.right.fixed(at: moment) else { return nil }
            (node.left, node.right) = (left, right)
            return .binary(node)
        case .unary(var node):
            guard let inner = node.expression.fixed(at: moment) else { return nil }
            node.expression = inner
            return .unary(node)
        case .paren(var node):
            guard let inner = node.expression.fixed(at: moment) else { return nil }
            node.expression = inner
            return .paren(node)
        }
    }

    private static let dependentFunctions: Set<String> = [
        "day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year", "time",
        "timestamp", "predict_linear", "start", "end", "range", "step",
    ]
}

extension VectorSelector {
    fileprivate func fixed(at moment: Timestamp) -> VectorSelector {
        var copy = self
        copy.at = copy.at ?? .timestamp(moment)
        return copy
    }
}
