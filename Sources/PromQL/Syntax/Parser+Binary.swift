internal import MetricModel

extension Parser {
    /// The modifiers between an operator and its right operand.
    struct BinaryModifiers {
        var returnsBool = false
        var matching = VectorMatching()
    }

    mutating func binaryModifiers() throws(Interruption) -> BinaryModifiers {
        var modifiers = BinaryModifiers()
        modifiers.returnsBool = accept(.keyword(.bool)) != nil
        if [.keyword(.on), .keyword(.ignoring)].contains(peek().kind) {
            modifiers.matching.on = take().kind == .keyword(.on)
            modifiers.matching.labels = try groupingLabels()
            if [.keyword(.groupLeft), .keyword(.groupRight)].contains(peek().kind) {
                let isLeft = take().kind == .keyword(.groupLeft)
                modifiers.matching.cardinality = isLeft ? .manyToOne : .oneToMany
                if !startsOperand(peek()) { modifiers.matching.include = try groupingLabels() }
            }
        }
        switch peek().kind {
        case .keyword(.fill):
            let value = try fillValue()
            modifiers.matching.fillLeft = value
            modifiers.matching.fillRight = value
        case .keyword(.fillLeft):
            modifiers.matching.fillLeft = try fillValue()
            if peek().kind == .keyword(.fillRight) { modifiers.matching.fillRight = try fillValue() }
        case .keyword(.fillRight):
            modifiers.matching.fillRight = try fillValue()
            if peek().kind == .keyword(.fillLeft) { modifiers.matching.fillLeft = try fillValue() }
        default: break
        }
        return modifiers
    }

    /// Whether the labels after `group_left` were omitted, judging by the following token.
    private func startsOperand(_ following: Token) -> Bool {
        switch following.kind {
        case .leftParen: false
        case .keyword(.fill), .keyword(.fillLeft), .keyword(.fillRight): true
        default: following.startsExpression
        }
    }

    private mutating func fillValue() throws(Interruption) -> Double {
        take()
        try expect(.leftParen)
        let sign = acceptSign()
        while ![.number, .duration].contains(peek().kind) { try skipUnexpected() }
        let number = numberLiteral().value
        try expect(.rightParen)
        return sign?.symbol == .minus ? -number : number
    }

    /// `(a, b)`, or what remains after an error.
    mutating func groupingLabels() throws(Interruption) -> [String] {
        guard accept(.leftParen) != nil else {
            recover(in: "grouping opts", expected: "\"(\"")
            return []
        }
        if accept(.rightParen) != nil { return [] }
        var labels = [groupingLabel()]
        while true {
            if accept(.rightParen) != nil { return labels }
            if accept(.comma) != nil {
                if accept(.rightParen) != nil { return labels }
                labels.append(groupingLabel())
                continue
            }
            do {
                try skipUnexpected()
            } catch .unexpectedToken {
                recover(in: "grouping opts", expected: "\",\" or \")\"")
            }
        }
    }

    private mutating func groupingLabel() -> String {
        let token = peek()
        guard token.isLabelName || token.kind == .string else {
            recover(in: "grouping opts", expected: "label")
            return ""
        }
        take()
        guard token.kind == .string else { return token.text }
        let bytes = unquoted(token)
        let name = String(validating: bytes, as: UTF8.self)
        if name?.isEmpty ?? true {
            report("invalid label name for grouping: \(GoNotation.quoted(bytes))", at: token.range)
        }
        return name ?? ""
    }

    /// An operation. Checks its types and determines how its sides match.
    mutating func binary(
        _ symbol: BinaryOperator, _ left: Operand, _ right: Operand, _ modifiers: BinaryModifiers
    ) -> Operand {
        let range = merge(left.range, right.range)
        let hasFill = modifiers.matching.fillLeft != nil || modifiers.matching.fillRight != nil
        if hasFill && !features.fillModifiers {
            report("binop fill modifiers are experimental and not enabled", at: range)
        }
        checkModifiers(modifiers, of: symbol, left, right)
        for operand in [left, right] where operand.type != .scalar && operand.type != .vector {
            reportType("binary expression must contain only scalar and instant vector types", at: operand.range)
        }
        var matching: VectorMatching? = modifiers.matching
        if symbol.isSet && modifiers.matching.cardinality == .oneToOne { matching?.cardinality = .manyToMany }
        if left.type != .vector || right.type != .vector {
            if !modifiers.matching.labels.isEmpty {
                reportType("vector matching only allowed between instant vectors", at: range)
            }
            if hasFill { reportType("filling in missing series only allowed between instant vectors", at: range) }
            matching = nil
        } else if symbol.isSet {
            if matching?.cardinality != .manyToMany {
                reportType("no grouping allowed for \"\(symbol.rawValue)\" operation", at: range)
                reportType("set operations must always be many-to-many", at: range)
            }
            if hasFill { reportType("filling in missing series not allowed for set operators", at: range) }
        }
        if symbol.isSet && (left.type == .scalar || right.type == .scalar) {
            reportType(
                "set operator \"\(symbol.rawValue)\" not allowed in binary scalar expression", at: range)
        }
        var sides = [left, right]
        let depth = depth(above: &sides)
        let node = Binary(
            operator: symbol, left: sides[0].expression, right: sides[1].expression, matching: matching,
            returnsBool: modifiers.returnsBool, range: range)
        let type: ValueType = left.type == .scalar && right.type == .scalar ? .scalar : .vector
        return Operand(expression: .binary(node), type: type, depth: depth)
    }

    private mutating func checkModifiers(
        _ modifiers: BinaryModifiers, of symbol: BinaryOperator, _ left: Operand, _ right: Operand
    ) {
        if modifiers.returnsBool && !symbol.isComparison {
            reportType("bool modifier can only be used on comparison operators", at: operatorRange(left, right))
        }
        if symbol.isComparison, !modifiers.returnsBool, left.type == .scalar, right.type == .scalar {
            reportType("comparisons between scalars must use BOOL modifier", at: operatorRange(left, right))
        }
        guard modifiers.matching.on else { return }
        for label in modifiers.matching.labels {
            for included in modifiers.matching.include where ByteOrder.equal(included, label) {
                reportType(
                    "label \(MetricText.quoted(label)) must not occur in ON and GROUP clause at once",
                    at: operatorRange(left, right))
            }
        }
    }

    /// The text between two operands, without surrounding blanks and without its last byte.
    private func operatorRange(_ left: Operand, _ right: Operand) -> SourceRange {
        let between = left.range.end..<max(left.range.end, right.range.start)
        let solid = lexer.bytes[between].indices.filter { ![0x20, 0x09, 0x0a, 0x0d].contains(lexer.bytes[$0]) }
        return SourceRange(solid.first ?? between.lowerBound, solid.last ?? between.upperBound)
    }
}
