internal import MetricModel

extension Parser {
    /// An argument with its errors, which the caller that uses the argument sorts.
    private struct Argument {
        var operand: Operand
        var typeFaults: [ParseError.Fault]
    }

    /// `(a, b)`.
    private mutating func arguments() throws(Interruption) -> [Argument] {
        try expect(.leftParen)
        if accept(.rightParen) != nil { return [] }
        var arguments = [try argument()]
        while true {
            if accept(.rightParen) != nil { return arguments }
            if let comma = accept(.comma) {
                if peek().startsExpression {
                    arguments.append(try argument())
                } else {
                    report("trailing commas not allowed in function call args", at: comma.range)
                }
                continue
            }
            try skipUnexpected()
        }
    }

    private mutating func argument() throws(Interruption) -> Argument {
        let before = typeFaults
        typeFaults = []
        defer { typeFaults = before }
        let operand = try expression()
        return Argument(operand: operand, typeFaults: typeFaults)
    }

    /// Adds the errors of `argument`, and another one if its type is not `type`.
    private mutating func check(_ argument: Argument, is type: ValueType, in context: String) {
        typeFaults += argument.typeFaults
        guard argument.operand.type != type else { return }
        reportType(
            "expected type \(type.documentedName) in \(context), got \(argument.operand.type.documentedName)",
            at: argument.operand.range)
    }

    // MARK: Functions

    /// A call of the function `name`, which has been consumed.
    mutating func call(_ name: Token) throws(Interruption) -> Operand {
        var arguments = try arguments()
        let range = merge(name.range, taken)
        let function = Function.named(name.text)
        if let function {
            if function.isExperimental && !features.experimentalFunctions {
                report("function \(MetricText.quoted(name.text)) is not enabled", at: name.range)
            }
            check(&arguments, of: function, range: range)
        } else {
            report("unknown function with name \(MetricText.quoted(name.text))", at: name.range)
        }
        var operands = arguments.map(\.operand)
        let depth = depth(above: &operands)
        let node = Call(function: name.text, arguments: operands.map(\.expression), range: range)
        return Operand(expression: .call(node), type: function?.returnType ?? .none, depth: depth)
    }

    private mutating func check(_ arguments: inout [Argument], of function: Function, range: SourceRange) {
        checkCount(arguments.count, of: function, range: range)
        let context = "call to function \(MetricText.quoted(function.name))"
        if function.name == "info", arguments.count > 1 { checkInfoSelector(&arguments[1], context, range: range) }
        for (index, argument) in arguments.enumerated() {
            if index >= function.argumentTypes.count && function.variadic == .fixed { break }
            check(argument, is: function.argumentTypes[min(index, function.argumentTypes.count - 1)], in: context)
        }
    }

    private mutating func checkCount(_ count: Int, of function: Function, range: SourceRange) {
        let name = MetricText.quoted(function.name)
        let types = function.argumentTypes.count
        switch function.variadic {
        case .fixed where count != types:
            reportType("expected \(types) argument(s) in call to \(name), got \(count)", at: range)
        case .optional, .unlimited:
            if count < types - 1 {
                reportType("expected at least \(types - 1) argument(s) in call to \(name), got \(count)", at: range)
            } else if case .optional(let extra) = function.variadic, count > types - 1 + extra {
                let most = types - 1 + extra
                reportType("expected at most \(most) argument(s) in call to \(name), got \(count)", at: range)
            }
        case .fixed: break
        }
    }

    /// The second argument of `info` selects labels: a selector without a name, which may be empty.
    private mutating func checkInfoSelector(_ argument: inout Argument, _ context: String, range: SourceRange) {
        if argument.operand.type != .vector {
            let type = argument.operand.type.documentedName
            reportType("expected type instant vector in \(context), got \(type)", at: range)
        }
        guard case .vectorSelector(let selector) = argument.operand.expression else {
            return reportType("expected label selectors only", at: argument.operand.range)
        }
        guard selector.name.isEmpty else {
            return reportType(
                "expected label selectors only, got vector selector instead", at: argument.operand.range)
        }
        // The only possible error of a selector without a name is that it selects everything.
        argument.typeFaults = []
    }

    // MARK: Aggregations

    /// Whether a word is an aggregation, judging by the following token.
    func startsAggregate(_ following: Token) -> Bool {
        [.leftParen, .keyword(.by), .keyword(.without)].contains(following.kind)
    }

    /// An aggregation. `token` has been consumed.
    mutating func aggregate(_ name: Aggregate.Operator, _ token: Token) throws(Interruption) -> Operand {
        var node = Aggregate(
            operator: name, expression: .number(NumberLiteral(value: 0, range: token.range)), range: token.range)
        var arguments: [Argument] = []
        do {
            let isGrouped = try grouping(of: &node)
            arguments = try self.arguments()
            if !isGrouped { _ = try grouping(of: &node) }
            node.range.end = taken.end
        } catch .unexpectedToken {
            recover(in: "aggregation", expected: "")
            node.range.end = lastClosing
        }
        return finish(node, arguments)
    }

    /// `by (a, b)` or `without (a, b)`, if it is next.
    private mutating func grouping(of node: inout Aggregate) throws(Interruption) -> Bool {
        let kind = peek().kind
        guard kind == .keyword(.by) || kind == .keyword(.without) else { return false }
        take()
        node.without = kind == .keyword(.without)
        node.grouping = try groupingLabels()
        return true
    }

    /// Assigns the arguments and checks them.
    private mutating func finish(_ node: Aggregate, _ arguments: [Argument]) -> Operand {
        var node = node
        let name = node.operator
        let count = name.parameterType == nil ? 1 : 2
        if arguments.isEmpty {
            report("no arguments for aggregate expression provided", at: node.range)
        } else if name.isExperimental && !features.experimentalFunctions {
            report(
                "\(name.rawValue)() is experimental and must be enabled with "
                    + "--enable-feature=promql-experimental-functions", at: node.range)
        } else if arguments.count != count {
            report(
                "wrong number of arguments for aggregate expression provided, expected \(count), "
                    + "got \(arguments.count)", at: node.range)
        } else {
            check(arguments[count - 1], is: .vector, in: "aggregation expression")
            if let type = name.parameterType { check(arguments[0], is: type, in: "aggregation parameter") }
        }
        guard arguments.count == count else { return Operand(expression: .aggregate(node), type: .vector) }
        var operands = arguments.map(\.operand)
        let depth = depth(above: &operands)
        node.expression = operands[count - 1].expression
        node.parameter = count == 2 ? operands[0].expression : nil
        return Operand(expression: .aggregate(node), type: .vector, depth: depth)
    }
}

extension Aggregate.Operator {
    /// The type of the argument before the vector, for aggregations that have one.
    public var parameterType: ValueType? {
        switch self {
        case .topk, .bottomk, .quantile, .limitk, .limitRatio: .scalar
        case .countValues: .string
        case .sum, .avg, .count, .min, .max, .group, .stddev, .stdvar: nil
        }
    }

    /// Whether the aggregation must be enabled.
    public var isExperimental: Bool { self == .limitk || self == .limitRatio }
}
