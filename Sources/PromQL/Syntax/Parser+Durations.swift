internal import MetricModel

extension Parser {
    /// A range or step: an expression. A plain number must be positive.
    mutating func positiveDuration() throws(Interruption) -> DurationValue {
        let duration = try duration(precedence: 1)
        guard case .literal(let number) = duration else { return .computed(duration) }
        if number.value <= 0 {
            report("duration must be greater than 0", at: number.range)
            return .fixed(.zero)
        }
        return .fixed(DurationNotation.milliseconds(number.value))
    }

    /// An offset. It may contain operators only in parentheses: `foo offset 5m - 8` subtracts from `foo`.
    mutating func offsetDuration() throws(Interruption) -> DurationValue {
        switch peek().kind {
        case .number, .duration, .query: return value(try primaryDuration())
        default: break
        }
        guard let sign = acceptSign() else {
            guard peek().kind == .leftParen else { throw .unexpectedToken }
            return value(try duration(precedence: 1))
        }
        switch peek().kind {
        case .number, .duration:
            let number = numberLiteral()
            return value(apply(sign, to: .literal(checked(number, at: sign.range))))
        case .query:
            // Prometheus keeps a plus here and nowhere else.
            let inner = try primaryDuration()
            let range = merge(sign.range, inner.sourceRange)
            return .computed(.unary(sign.symbol, inner, wrapped: false, range))
        case .leftParen:
            take()
            let inner = try duration(precedence: 1)
            try expect(.rightParen)
            return value(apply(sign, to: wrapped(inner, range: inner.sourceRange)))
        default:
            let operand = try duration(precedence: BinaryOperator.power.precedence)
            return value(try operators(behind: apply(sign, to: operand), precedence: 1))
        }
    }

    private func value(_ duration: DurationExpression) -> DurationValue {
        if case .literal(let number) = duration {
            .fixed(DurationNotation.milliseconds(number.value))
        } else {
            .computed(duration)
        }
    }

    /// A duration expression whose operators bind at least as tightly as `precedence`.
    private mutating func duration(precedence: Int) throws(Interruption) -> DurationExpression {
        try nested { parser throws(Interruption) in
            var left: DurationExpression
            if let sign = parser.acceptSign() {
                let operand = try parser.duration(precedence: BinaryOperator.power.precedence)
                left = parser.apply(sign, to: operand)
            } else {
                left = try parser.primaryDuration()
            }
            left = try parser.operators(behind: left, precedence: precedence)
            return left
        }
    }

    private mutating func operators(
        behind first: DurationExpression, precedence: Int
    ) throws(Interruption) -> DurationExpression {
        var left = first
        var chain = 0
        while case .operator(let symbol) = peek().kind, symbol.isArithmetic, symbol.precedence >= precedence {
            chain += 1
            guard chain < Self.depthLimit else { throw tooDeep() }
            let mark = take()
            let right = try duration(precedence: symbol.precedence + (symbol == .power ? 0 : 1))
            left = operation(symbol, at: mark.range, left, right)
        }
        return left
    }

    private mutating func operation(
        _ symbol: BinaryOperator, at mark: SourceRange, _ left: DurationExpression, _ right: DurationExpression
    ) -> DurationExpression {
        if symbol == .divide || symbol == .modulo, case .literal(let number) = right, number.value == 0 {
            report(symbol == .divide ? "division by zero" : "modulo by zero", at: mark)
            return .nothing
        }
        return .binary(symbol, left, right, wrapped: false, merge(left.sourceRange, right.sourceRange))
    }

    private mutating func primaryDuration() throws(Interruption) -> DurationExpression {
        while true {
            let token = peek()
            switch token.kind {
            case .number, .duration:
                let number = numberLiteral()
                return .literal(checked(number, at: number.range))
            case .query(.step), .query(.range):
                take()
                try expect(.leftParen)
                let range = merge(token.range, try expect(.rightParen).range)
                return token.kind == .query(.step) ? .step(wrapped: false, range) : .queryRange(wrapped: false, range)
            case .query(.minOf), .query(.maxOf):
                take()
                try expect(.leftParen)
                let first = try duration(precedence: 1)
                try expect(.comma)
                let second = try duration(precedence: 1)
                let range = merge(token.range, try expect(.rightParen).range)
                return token.kind == .query(.minOf)
                    ? .minimum(first, second, wrapped: false, range) : .maximum(first, second, wrapped: false, range)
            case .leftParen:
                take()
                let inner = try duration(precedence: 1)
                return wrapped(inner, range: merge(token.range, try expect(.rightParen).range))
            default: try skipUnexpected()
            }
        }
    }

    /// `number`, or 0 if it exceeds the longest duration; then an error is reported at `range`.
    private mutating func checked(_ number: NumberLiteral, at range: SourceRange) -> NumberLiteral {
        guard number.value.magnitude > 0x1p63 / 1e9 else { return number }
        report("duration out of range", at: range)
        return NumberLiteral(value: 0, range: SourceRange(0, 0))
    }

    private func apply(
        _ sign: (symbol: UnaryOperator, range: SourceRange), to operand: DurationExpression
    ) -> DurationExpression {
        if case .literal(var number) = operand {
            if sign.symbol == .minus { number.value.negate() }
            number.range.start = sign.range.start
            return .literal(number)
        }
        if sign.symbol == .plus { return operand }
        return .unary(.minus, operand, wrapped: false, merge(sign.range, operand.sourceRange))
    }

    /// `duration` in parentheses. A number alone becomes an operation, so that they are printed again.
    private func wrapped(_ duration: DurationExpression, range: SourceRange) -> DurationExpression {
        switch duration {
        case .literal: .unary(.plus, duration, wrapped: true, range)
        case .binary(let symbol, let left, let right, _, let range):
            .binary(symbol, left, right, wrapped: true, range)
        case .unary(let symbol, let operand, _, let range): .unary(symbol, operand, wrapped: true, range)
        case .step(_, let range): .step(wrapped: true, range)
        case .queryRange(_, let range): .queryRange(wrapped: true, range)
        case .minimum(let first, let second, _, let range): .minimum(first, second, wrapped: true, range)
        case .maximum(let first, let second, _, let range): .maximum(first, second, wrapped: true, range)
        }
    }
}

extension DurationExpression {
    /// The placeholder of a part that was rejected.
    fileprivate static let nothing = DurationExpression.literal(
        NumberLiteral(value: 0, range: SourceRange(0, 0)))
}

extension BinaryOperator {
    /// Whether duration expressions may contain this operator.
    fileprivate var isArithmetic: Bool {
        switch self {
        case .add, .subtract, .multiply, .divide, .modulo, .power: true
        default: false
        }
    }
}
