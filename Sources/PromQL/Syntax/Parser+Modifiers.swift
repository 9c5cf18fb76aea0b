internal import MetricModel

extension Parser {
    /// `operand` with the modifiers and brackets after it, which bind more tightly than any operator.
    mutating func modified(_ operand: Operand) throws(Interruption) -> Operand {
        var operand = operand
        while true {
            switch peek().kind {
            case .leftBracket: try putRange(on: &operand)
            case .keyword(.offset): try putOffset(on: &operand)
            case .keyword(.anchored):
                take()
                putExtension(.anchored, on: &operand)
            case .keyword(.smoothed):
                take()
                putExtension(.smoothed, on: &operand)
            case .at: try putTime(on: &operand)
            default: return operand
            }
        }
    }

    // MARK: Ranges and subqueries

    /// The part inside brackets that was being parsed when an error occurred.
    private enum BracketPart {
        case range, afterRange, step, afterStep

        var context: String {
            switch self {
            case .range: "subquery or range selector"
            case .afterRange: "subquery or range"
            case .step, .afterStep: "subquery selector"
            }
        }

        var expected: String {
            switch self {
            case .range: "number, duration, step(), or range()"
            case .afterRange: "\":\" or \"]\""
            case .step: "number, duration, step(), range(), or \"]\""
            case .afterStep: "\"]\""
            }
        }
    }

    /// `[5m]` or `[5m:1m]`.
    private mutating func putRange(on operand: inout Operand) throws(Interruption) {
        let opening = take()
        var part = BracketPart.range
        do {
            let window = try positiveDuration()
            part = .afterRange
            if let closing = accept(.rightBracket) {
                operand = matrix(of: operand, window: window, brackets: merge(opening.range, closing.range))
                return
            }
            try expect(.colon)
            part = .step
            var step: DurationValue?
            if peek().kind != .rightBracket {
                step = try positiveDuration()
                part = .afterStep
            }
            let closing = try expect(.rightBracket)
            operand = subquery(of: operand, window: window, step: step, end: closing.range.end)
        } catch .unexpectedToken {
            recover(in: part.context, expected: part.expected)
        }
    }

    private mutating func matrix(of operand: Operand, window: DurationValue, brackets: SourceRange) -> Operand {
        let range = merge(operand.range, brackets)
        guard case .vectorSelector(let selector) = operand.expression else {
            report("ranges only allowed for vector selectors", at: brackets)
            let nothing = VectorSelector(name: "", matchers: [], range: operand.range)
            let node = MatrixSelector(selector: nothing, window: window, range: range)
            return Operand(expression: .matrixSelector(node), type: .matrix, isBrokenRange: true)
        }
        if selector.offset.isSet {
            report("no offset modifiers allowed before range", at: brackets)
        } else if selector.at != nil {
            report("no @ modifiers allowed before range", at: brackets)
        }
        let node = MatrixSelector(selector: selector, window: window, range: range)
        return Operand(expression: .matrixSelector(node), type: .matrix)
    }

    private mutating func subquery(
        of operand: Operand, window: DurationValue, step: DurationValue?, end: Int
    ) -> Operand {
        let range = SourceRange(operand.range.start, end)
        if operand.type != .vector {
            reportType("subquery is only allowed on instant vector, got \(operand.type.rawValue) instead", at: range)
        }
        var inner = [operand]
        let depth = depth(above: &inner)
        let node = Subquery(expression: inner[0].expression, window: window, step: step, range: range)
        return Operand(expression: .subquery(node), type: .matrix, depth: depth)
    }

    // MARK: offset, anchored, smoothed, @

    private mutating func putOffset(on operand: inout Operand) throws(Interruption) {
        take()
        let offset: DurationValue
        do {
            offset = try offsetDuration()
        } catch .unexpectedToken {
            return recover(in: "offset", expected: "number, duration, step(), or range()")
        }
        let name = "offset modifier"
        change(&operand, name) { parser, modifiers, range in
            if modifiers.offset.isSet {
                parser.report("offset may not be set multiple times", at: range)
            } else {
                modifiers.offset = offset
            }
            return true
        }
    }

    private mutating func putTime(on operand: inout Operand) throws(Interruption) {
        take()
        let at: AtModifier
        do {
            if case .query(let word) = peek().kind, word == .start || word == .end {
                take()
                try expect(.leftParen)
                try expect(.rightParen)
                at = word == .start ? .start : .end
            } else {
                at = try timestamp(operand.range)
            }
        } catch .unexpectedToken {
            return recover(in: "@", expected: "timestamp")
        }
        change(&operand, "@ modifier") { parser, modifiers, range in
            if modifiers.at != nil {
                parser.report("@ <timestamp> may not be set multiple times", at: range)
                return false
            }
            modifiers.at = at
            return true
        }
    }

    private mutating func timestamp(_ range: SourceRange) throws(Interruption) -> AtModifier {
        let sign = acceptSign()
        guard [.number, .duration].contains(peek().kind) else { throw .unexpectedToken }
        let number = numberLiteral().value
        let seconds = sign?.symbol == .minus ? -number : number
        if !(seconds.magnitude < 0x1p63) {
            report("timestamp out of bounds for @ modifier: \(GoNotation.fixed(seconds, digits: 6))", at: range)
        }
        return .timestamp(Timestamp(seconds: seconds))
    }

    /// The modifiers of selectors and subqueries.
    private struct TimeModifiers {
        var offset: DurationValue?
        var at: AtModifier?
    }

    /// Lets `body` change the modifiers of `operand`, if it may have any. If `body` returns so, their range ends with
    /// the last consumed closing token or number.
    private mutating func change(
        _ operand: inout Operand, _ name: String,
        _ body: (inout Parser, inout TimeModifiers, SourceRange) -> Bool
    ) {
        let range = operand.range
        switch operand.expression {
        case .vectorSelector(var node):
            var modifiers = TimeModifiers(offset: node.offset, at: node.at)
            if body(&self, &modifiers, range) { node.range.end = taken.end }
            (node.offset, node.at) = (modifiers.offset, modifiers.at)
            operand.expression = .vectorSelector(node)
        case .matrixSelector(var node):
            if operand.isBrokenRange { return report("ranges only allowed for vector selectors", at: range) }
            var modifiers = TimeModifiers(offset: node.selector.offset, at: node.selector.at)
            if body(&self, &modifiers, range) { node.range.end = taken.end }
            (node.selector.offset, node.selector.at) = (modifiers.offset, modifiers.at)
            operand.expression = .matrixSelector(node)
        case .subquery(var node):
            var modifiers = TimeModifiers(offset: node.offset, at: node.at)
            if body(&self, &modifiers, range) { node.range.end = taken.end }
            (node.offset, node.at) = (modifiers.offset, modifiers.at)
            operand.expression = .subquery(node)
        default:
            report(
                "\(name) must be preceded by an instant vector selector or range vector selector or a subquery",
                at: range)
        }
    }

    private mutating func putExtension(_ kind: RangeExtension, on operand: inout Operand) {
        let range = operand.range
        guard features.extendedRangeSelectors else {
            return report("\(kind.rawValue) modifier is experimental and not enabled", at: range)
        }
        switch operand.expression {
        case .vectorSelector(var node):
            combine(kind, with: &node.rangeExtension, at: range)
            operand.expression = .vectorSelector(node)
        case .matrixSelector(var node):
            if operand.isBrokenRange { return }
            combine(kind, with: &node.selector.rangeExtension, at: range)
            operand.expression = .matrixSelector(node)
        case .subquery:
            report("\(kind.rawValue) modifier is not supported for subqueries", at: range)
        default:
            report("\(kind.rawValue) modifier not implemented", at: range)
        }
    }

    private mutating func combine(_ kind: RangeExtension, with present: inout RangeExtension?, at range: SourceRange) {
        if let present, present != kind {
            report("anchored and smoothed modifiers cannot be used together", at: range)
        }
        present = kind
    }
}

extension DurationValue? {
    /// Whether an offset counts as given. A zero offset does not.
    fileprivate var isSet: Bool { self != nil && self != .fixed(.zero) }
}
