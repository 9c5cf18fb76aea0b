extension Expression {
    /// The position of the expression in the query.
    public var sourceRange: SourceRange {
        switch self {
        case .number(let node): node.range
        case .string(let node): node.range
        case .vectorSelector(let node): node.range
        case .matrixSelector(let node): node.range
        case .subquery(let node): node.range
        case .call(let node): node.range
        case .aggregate(let node): node.range
        case .binary(let node): node.range
        case .unary(let node): node.range
        case .paren(let node): node.range
        }
    }

    /// The type of the value. O(size) for operators.
    public var valueType: ValueType {
        switch self {
        case .number: .scalar
        case .string: .string
        case .vectorSelector, .aggregate: .vector
        case .matrixSelector, .subquery: .matrix
        case .call(let node): Function.named(node.function)?.returnType ?? .none
        case .binary(let node):
            node.left.valueType == .scalar && node.right.valueType == .scalar ? .scalar : .vector
        case .unary(let node): node.expression.valueType
        case .paren(let node): node.expression.valueType
        }
    }

    /// The parts of the expression, in text order.
    public var children: [Expression] {
        switch self {
        case .number, .string, .vectorSelector: []
        case .matrixSelector(let node): [.vectorSelector(node.selector)]
        case .subquery(let node): [node.expression]
        case .call(let node): node.arguments
        case .aggregate(let node): (node.parameter.map { [$0] } ?? []) + [node.expression]
        case .binary(let node): [node.left, node.right]
        case .unary(let node): [node.expression]
        case .paren(let node): [node.expression]
        }
    }
}

extension Expression {
    /// Every selector in the expression, in text order.
    public var selectors: [VectorSelector] {
        if case .vectorSelector(let selector) = self { return [selector] }
        return children.flatMap(\.selectors)
    }
}

extension ValueType {
    /// The name used in documentation: `instant vector`, `range vector`.
    public var documentedName: String {
        switch self {
        case .vector: "instant vector"
        case .matrix: "range vector"
        case .none, .scalar, .string: rawValue
        }
    }
}

extension DurationExpression {
    /// The position of the expression in the query.
    public var sourceRange: SourceRange {
        switch self {
        case .literal(let number): number.range
        case .binary(_, _, _, _, let range), .unary(_, _, _, let range), .step(_, let range),
            .queryRange(_, let range), .minimum(_, _, _, let range), .maximum(_, _, _, let range):
            range
        }
    }
}
