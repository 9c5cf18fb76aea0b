public import JSON
internal import MetricModel

extension Expression {
    /// The tree in the format of `/api/v1/parse_query`: objects with a `type`; durations in milliseconds.
    public var apiJSON: JSON {
        switch self {
        case .number(let node): node.apiJSON
        case .string(let node): ["type": "stringLiteral", "val": .string(node.value)]
        case .vectorSelector(let node): .object([JSON.Member("type", "vectorSelector")] + node.members)
        case .matrixSelector(let node):
            .object(
                [JSON.Member("type", "matrixSelector")] + node.window.members("range") + node.selector.members)
        case .subquery(let node): node.apiJSON
        case .call(let node): node.apiJSON
        case .aggregate(let node):
            [
                "type": "aggregation", "op": .string(node.operator.rawValue), "expr": node.expression.apiJSON,
                "param": node.parameter?.apiJSON ?? .null, "grouping": .strings(node.grouping),
                "without": .bool(node.without),
            ]
        case .binary(let node):
            [
                "type": "binaryExpr", "op": .string(node.operator.rawValue), "lhs": node.left.apiJSON,
                "rhs": node.right.apiJSON, "matching": node.matching?.apiJSON ?? .null,
                "bool": .bool(node.returnsBool),
            ]
        case .unary(let node):
            ["type": "unaryExpr", "op": .string(node.operator.rawValue), "expr": node.expression.apiJSON]
        case .paren(let node): ["type": "parenExpr", "expr": node.expression.apiJSON]
        }
    }
}

extension JSON {
    fileprivate static func strings(_ texts: [String]) -> JSON { .array(texts.map(JSON.string)) }
}

extension NumberLiteral {
    fileprivate var apiJSON: JSON { ["type": "numberLiteral", "val": .string(FloatText.plain(value))] }
}

extension VectorSelector {
    fileprivate var members: [JSON.Member] {
        [JSON.Member("name", .string(name))]
            + offset.members("offset")
            + [
                JSON.Member("matchers", .array(matchers.map(\.apiJSON))),
                JSON.Member("timestamp", at.timestamp),
                JSON.Member("startOrEnd", at.startOrEnd),
                JSON.Member("anchored", .bool(rangeExtension == .anchored)),
                JSON.Member("smoothed", .bool(rangeExtension == .smoothed)),
            ]
    }
}

extension Matcher {
    fileprivate var apiJSON: JSON {
        ["name": .string(name), "value": .string(value), "type": .string(operation.rawValue)]
    }
}

extension Subquery {
    fileprivate var apiJSON: JSON {
        .object(
            [JSON.Member("type", "subquery"), JSON.Member("expr", expression.apiJSON)]
                + window.members("range") + offset.members("offset") + step.members("step")
                + [JSON.Member("timestamp", at.timestamp), JSON.Member("startOrEnd", at.startOrEnd)])
    }
}

extension Call {
    fileprivate var apiJSON: JSON {
        let function = Function.named(self.function)
        return [
            "type": "call",
            "func": [
                "name": .string(self.function),
                "argTypes": .strings(function?.argumentTypes.map(\.rawValue) ?? []),
                "variadic": .integer(Int64(function?.variadicCode ?? 0)),
                "returnType": .string((function?.returnType ?? .none).rawValue),
            ],
            "args": .array(arguments.map(\.apiJSON)),
        ]
    }
}

extension VectorMatching {
    fileprivate var apiJSON: JSON {
        [
            "card": .string(cardinality.rawValue), "labels": .strings(labels), "on": .bool(on),
            "include": .strings(include),
            "fillValues": [
                "lhs": fillLeft.map(JSON.number) ?? .null, "rhs": fillRight.map(JSON.number) ?? .null,
            ],
        ]
    }
}

extension AtModifier? {
    fileprivate var timestamp: JSON {
        if case .timestamp(let time) = self { .integer(time.milliseconds) } else { .null }
    }

    fileprivate var startOrEnd: JSON {
        switch self {
        case .start: "start"
        case .end: "end"
        case .timestamp, nil: .null
        }
    }
}

extension DurationValue? {
    /// The duration as `name`, and the expression it is computed from as `nameExpr`.
    fileprivate func members(_ name: String) -> [JSON.Member] {
        self?.members(name) ?? [JSON.Member(name, 0), JSON.Member(name + "Expr", .null)]
    }
}

extension DurationValue {
    fileprivate func members(_ name: String) -> [JSON.Member] {
        switch self {
        case .fixed(let length):
            [JSON.Member(name, .integer(length.rawValue)), JSON.Member(name + "Expr", .null)]
        case .computed(let expression):
            [JSON.Member(name, 0), JSON.Member(name + "Expr", expression.apiJSON)]
        }
    }
}

extension DurationExpression {
    fileprivate var apiJSON: JSON {
        func node(_ op: String, _ left: DurationExpression?, _ right: DurationExpression?, _ wrapped: Bool) -> JSON {
            [
                "type": "durationExpr", "op": .string(op), "lhs": left?.apiJSON ?? .null,
                "rhs": right?.apiJSON ?? .null, "wrapped": .bool(wrapped),
            ]
        }
        return switch self {
        case .literal(let number):
            // Only here it matters whether a number was written as a duration.
            [
                "type": "numberLiteral", "val": .string(FloatText.plain(number.value)),
                "duration": .bool(number.isDuration),
            ]
        case .binary(let symbol, let left, let right, let wrapped, _): node(symbol.rawValue, left, right, wrapped)
        case .unary(let symbol, let operand, let wrapped, _): node(symbol.rawValue, nil, operand, wrapped)
        case .step(let wrapped, _): node("step", nil, nil, wrapped)
        case .queryRange(let wrapped, _): node("range", nil, nil, wrapped)
        case .minimum(let left, let right, let wrapped, _): node("min_of", left, right, wrapped)
        case .maximum(let left, let right, let wrapped, _): node("max_of", left, right, wrapped)
        }
    }
}
