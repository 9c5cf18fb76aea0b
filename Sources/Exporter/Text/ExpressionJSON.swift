internal import JSON
internal import MetricModel
internal import PromQL

/// A parsed expression as `/api/v1/parse_query` shows it.
enum ExpressionJSON {
    static func write(_ expression: Expression, into writer: inout JSONWriter) {
        writer.object { writer in
            switch expression {
            case .number(let literal):
                writer.member("type", "numberLiteral")
                writer.member("val", FloatText.plain(literal.value))
            case .string(let literal):
                writer.member("type", "stringLiteral")
                writer.member("val", literal.value)
            case .vectorSelector(let selector):
                writer.member("type", "vectorSelector")
                members(of: selector, into: &writer)
            case .matrixSelector(let matrix):
                writer.member("type", "matrixSelector")
                duration("range", matrix.window, into: &writer)
                members(of: matrix.selector, into: &writer)
            case .subquery(let subquery):
                writer.member("type", "subquery")
                child("expr", subquery.expression, into: &writer)
                duration("range", subquery.window, into: &writer)
                duration("offset", subquery.offset ?? .fixed(.zero), into: &writer)
                duration("step", subquery.step ?? .fixed(.zero), into: &writer)
                at(subquery.at, into: &writer)
            case .call(let call): members(of: call, into: &writer)
            case .aggregate(let aggregate):
                writer.member("type", "aggregation")
                writer.member("op", aggregate.operator.rawValue)
                child("expr", aggregate.expression, into: &writer)
                child("param", aggregate.parameter, into: &writer)
                writer.member("grouping", aggregate.grouping)
                writer.member("without", aggregate.without)
            case .binary(let binary):
                writer.member("type", "binaryExpr")
                writer.member("op", binary.operator.rawValue)
                child("lhs", binary.left, into: &writer)
                child("rhs", binary.right, into: &writer)
                matching(binary.matching, into: &writer)
                writer.member("bool", binary.returnsBool)
            case .unary(let unary):
                writer.member("type", "unaryExpr")
                writer.member("op", unary.operator.rawValue)
                child("expr", unary.expression, into: &writer)
            case .paren(let paren):
                writer.member("type", "parenExpr")
                child("expr", paren.expression, into: &writer)
            }
        }
    }

    private static func child(_ name: String, _ expression: Expression?, into writer: inout JSONWriter) {
        writer.name(name)
        if let expression { write(expression, into: &writer) } else { writer.null() }
    }

    private static func members(of selector: VectorSelector, into writer: inout JSONWriter) {
        writer.member("name", selector.name)
        duration("offset", selector.offset ?? .fixed(.zero), into: &writer)
        writer.name("matchers")
        writer.array(selector.matchers) { writer, matcher in
            writer.object {
                $0.member("name", matcher.name)
                $0.member("value", matcher.value)
                $0.member("type", matcher.operation.rawValue)
            }
        }
        at(selector.at, into: &writer)
        writer.member("anchored", selector.rangeExtension == .anchored)
        writer.member("smoothed", selector.rangeExtension == .smoothed)
    }

    private static func members(of call: Call, into writer: inout JSONWriter) {
        writer.member("type", "call")
        writer.name("func")
        writer.object { writer in
            let function = Function.named(call.function)
            writer.member("name", call.function)
            writer.member("argTypes", function?.argumentTypes.map(\.rawValue) ?? [])
            writer.member("variadic", function?.variadicCode ?? 0)
            writer.member("returnType", function?.returnType.rawValue ?? "")
        }
        writer.name("args")
        writer.array(call.arguments) { write($1, into: &$0) }
    }

    private static func matching(_ matching: VectorMatching?, into writer: inout JSONWriter) {
        writer.name("matching")
        guard let matching else { return writer.null() }
        writer.object { writer in
            writer.member("card", matching.cardinality.rawValue)
            writer.member("labels", matching.labels)
            writer.member("on", matching.on)
            writer.member("include", matching.include)
            writer.name("fillValues")
            writer.object { writer in
                for (name, value) in [("lhs", matching.fillLeft), ("rhs", matching.fillRight)] {
                    writer.name(name)
                    if let value { writer.number(value) } else { writer.null() }
                }
            }
        }
    }

    private static func at(_ modifier: AtModifier?, into writer: inout JSONWriter) {
        writer.name("timestamp")
        if case .timestamp(let time) = modifier { writer.integer(time.milliseconds) } else { writer.null() }
        writer.name("startOrEnd")
        switch modifier {
        case .start: writer.string("start")
        case .end: writer.string("end")
        case .timestamp, nil: writer.null()
        }
    }

    /// `name` in milliseconds, 0 where it is computed, and `nameExpr`.
    private static func duration(_ name: String, _ value: DurationValue, into writer: inout JSONWriter) {
        switch value {
        case .fixed(let length):
            writer.member(name, length.rawValue)
            writer.name(name + "Expr")
            writer.null()
        case .computed(let expression):
            writer.member(name, 0)
            writer.name(name + "Expr")
            write(expression, into: &writer)
        }
    }

    private static func write(_ expression: DurationExpression, into writer: inout JSONWriter) {
        func node(_ operation: String, _ left: DurationExpression?, _ right: DurationExpression?, _ wrapped: Bool) {
            writer.object { writer in
                writer.member("type", "durationExpr")
                writer.member("op", operation)
                for (name, operand) in [("lhs", left), ("rhs", right)] {
                    writer.name(name)
                    if let operand { write(operand, into: &writer) } else { writer.null() }
                }
                writer.member("wrapped", wrapped)
            }
        }
        switch expression {
        case .literal(let literal):
            writer.object {
                $0.member("type", "numberLiteral")
                $0.member("val", FloatText.plain(literal.value))
            }
        case .binary(let operation, let left, let right, let wrapped, _):
            node(operation.rawValue, left, right, wrapped)
        case .unary(let operation, let operand, let wrapped, _): node(operation.rawValue, nil, operand, wrapped)
        case .step(let wrapped, _): node("step", nil, nil, wrapped)
        case .queryRange(let wrapped, _): node("range", nil, nil, wrapped)
        case .minimum(let left, let right, let wrapped, _): node("min", left, right, wrapped)
        case .maximum(let left, let right, let wrapped, _): node("max", left, right, wrapped)
        }
    }
}
