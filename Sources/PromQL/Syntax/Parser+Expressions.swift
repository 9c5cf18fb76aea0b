internal import MetricModel

extension Parser {
    /// An expression in which all operators bind at least as tightly as `precedence`.
    mutating func expression(precedence: Int = 1) throws(Interruption) -> Operand {
        try nested { parser throws(Interruption) in
            let first = try parser.signed()
            return try parser.operators(behind: first, precedence: precedence)
        }
    }

    /// Operators and operands after `first`.
    mutating func operators(behind first: Operand, precedence: Int) throws(Interruption) -> Operand {
        var left = first
        while case .operator(let symbol) = peek().kind, symbol.precedence >= precedence {
            take()
            let modifiers = try binaryModifiers()
            let right = try expression(precedence: symbol.precedence + (symbol == .power ? 0 : 1))
            left = binary(symbol, left, right, modifiers)
        }
        return left
    }

    /// An operand with its signs. A sign binds like `*`, less tightly than `^`.
    private mutating func signed() throws(Interruption) -> Operand {
        guard let sign = acceptSign() else { return try modified(primary()) }
        var operands = [try expression(precedence: BinaryOperator.power.precedence)]
        if case .number(var number) = operands[0].expression {
            if sign.symbol == .minus { number.value.negate() }
            number.range.start = sign.range.start
            return Operand(expression: .number(number), type: .scalar)
        }
        let type = operands[0].type
        let range = merge(sign.range, operands[0].range)
        if type != .scalar && type != .vector {
            reportType(
                "unary expression only allowed on expressions of type scalar or instant vector, got "
                    + MetricText.quoted(type.documentedName), at: range)
        }
        let depth = depth(above: &operands)
        let node = Unary(operator: sign.symbol, expression: operands[0].expression, range: range)
        return Operand(expression: .unary(node), type: type, depth: depth)
    }

    mutating func acceptSign() -> (symbol: UnaryOperator, range: SourceRange)? {
        switch peek().kind {
        case .operator(.add): (.plus, take().range)
        case .operator(.subtract): (.minus, take().range)
        default: nil
        }
    }

    /// An operand without signs and modifiers.
    private mutating func primary() throws(Interruption) -> Operand {
        while true {
            let token = peek()
            switch token.kind {
            case .number, .duration: return Operand(expression: .number(numberLiteral()), type: .scalar)
            case .string:
                take()
                let node = StringLiteral(bytes: unquoted(token), range: token.range)
                return Operand(expression: .string(node), type: .string)
            case .leftParen: return try parenthesised()
            case .leftBrace: return try selector(named: nil)
            case .aggregator(let name):
                take()
                return startsAggregate(peek())
                    ? try aggregate(name, token) : try selector(named: token)
            case .identifier, .query:
                take()
                return peek().kind == .leftParen ? try call(token) : try selector(named: token)
            case _ where token.isMetricName:
                take()
                return try selector(named: token)
            default: try skipUnexpected()
            }
        }
    }

    private mutating func parenthesised() throws(Interruption) -> Operand {
        let opening = take()
        var inner = [try expression()]
        while true {
            if let closing = accept(.rightParen) {
                let type = inner[0].type
                let depth = depth(above: &inner)
                let node = Paren(expression: inner[0].expression, range: merge(opening.range, closing.range))
                return Operand(expression: .paren(node), type: type, depth: depth)
            }
            try skipUnexpected()
            inner[0] = try operators(behind: modified(inner[0]), precedence: 1)
        }
    }

    func unquoted(_ token: Token) -> [UInt8] {
        GoNotation.unquoted(lexer.bytes[token.range.start..<token.range.end])
    }

    /// The next number or duration.
    mutating func numberLiteral() -> NumberLiteral {
        let token = take()
        if token.kind == .duration {
            return NumberLiteral(value: seconds(token), isDuration: true, range: token.range)
        }
        do {
            return NumberLiteral(value: try GoNotation.number(token.text), range: token.range)
        } catch {
            let text = MetricText.quoted(token.text)
            report("error parsing number: strconv.ParseFloat: parsing \(text): \(error.rawValue)", at: latestRange)
            return NumberLiteral(value: error == .range ? .infinity : 0, range: token.range)
        }
    }

    private mutating func seconds(_ token: Token) -> Double {
        let length: Milliseconds
        do throws(DurationFault) { length = try Milliseconds(reading: token.text) } catch {
            report(error.description, at: token.range)
            return 0
        }
        guard length.rawValue <= DurationNotation.longest.rawValue else {
            report("duration out of range", at: token.range)
            return 0
        }
        return length.seconds
    }
}

extension BinaryOperator {
    /// The precedence of the operator, from 1. Only `^` is right-associative.
    var precedence: Int {
        switch self {
        case .or: 1
        case .and, .unless: 2
        case .equal, .notEqual, .less, .greater, .lessOrEqual, .greaterOrEqual, .trimUpper, .trimLower: 3
        case .add, .subtract: 4
        case .multiply, .divide, .modulo, .atan2: 5
        case .power: 6
        }
    }
}
