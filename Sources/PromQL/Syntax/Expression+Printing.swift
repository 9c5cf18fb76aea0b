internal import MetricModel

extension Expression: CustomStringConvertible {
    /// The canonical text. Parsing it gives the same expression, except for positions.
    public var description: String {
        switch self {
        case .number(let node): node.description
        case .string(let node): GoNotation.quoted(node.bytes).replacing("\u{fffd}", with: "\\ufffd")
        case .vectorSelector(let node): node.description
        case .matrixSelector(let node): node.description
        case .subquery(let node): node.expression.description + node.suffix
        case .call(let node): "\(node.function)(\(node.arguments.map(\.description).joined(separator: ", ")))"
        case .aggregate(let node):
            "\(node.heading)(\(node.parameter.map { "\($0), " } ?? "")\(node.expression))"
        case .binary(let node): "\(node.left) \(node.operation) \(node.right)"
        case .unary(let node): "\(node.operator.rawValue)\(node.expression)"
        case .paren(let node): "(\(node.expression))"
        }
    }
}

extension NumberLiteral: CustomStringConvertible {
    /// Plain decimal notation, or a duration.
    public var description: String {
        guard isDuration else { return FloatText.plain(value) }
        let length = DurationNotation.milliseconds(value.magnitude).description
        return value < 0 ? "-\(length)" : length
    }
}

extension VectorSelector: CustomStringConvertible {
    /// The selector with its modifiers; matchers sorted.
    public var description: String { series + at.suffix + rangeExtension.suffix + offset.suffix }

    /// The selector without modifiers.
    fileprivate var series: String {
        let inBraces = matchers.filter { matcher in
            matcher.name != Labels.metricName || matcher.operation != .equal
                || matcher.value.isEmpty || !ByteOrder.equal(matcher.value, name)
        }
        // The second argument of `info` may select every label.
        if inBraces.isEmpty { return name.isEmpty ? "{}" : name }
        let texts = inBraces.map(\.description).sorted(by: ByteOrder.precedes)
        return "\(name){\(texts.joined(separator: ","))}"
    }
}

extension MatrixSelector: CustomStringConvertible {
    /// The selector, its range and its modifiers.
    public var description: String {
        "\(selector.series)[\(window)]\(selector.rangeExtension.suffix)\(selector.at.suffix)\(selector.offset.suffix)"
    }
}

extension Subquery {
    /// The modifiers after the inner expression.
    var suffix: String {
        let step = self.step == .fixed(.zero) ? nil : self.step
        return "[\(window):\(step?.description ?? "")]\(at.suffix)\(offset.suffix)"
    }
}

extension Aggregate {
    /// The operator with its grouping, up to the opening parenthesis.
    var heading: String {
        if without { return "\(self.operator.rawValue) without (\(grouping.labelList)) " }
        return grouping.isEmpty ? self.operator.rawValue : "\(self.operator.rawValue) by (\(grouping.labelList)) "
    }
}

extension Binary {
    /// The operator with its modifiers.
    var operation: String {
        self.operator.rawValue + (returnsBool ? " bool" : "") + (matching?.modifiers ?? "")
    }
}

extension VectorMatching {
    fileprivate var modifiers: String {
        var text = ""
        let isGrouped = cardinality == .manyToOne || cardinality == .oneToMany
        if !labels.isEmpty || on || isGrouped { text += " \(on ? "on" : "ignoring") (\(labels.labelList))" }
        if isGrouped {
            text += " \(cardinality == .manyToOne ? "group_left" : "group_right") (\(include.labelList))"
        }
        if let fillLeft, fillLeft == fillRight { return text + " fill (\(FloatText.general(fillLeft)))" }
        if let fillLeft { text += " fill_left (\(FloatText.general(fillLeft)))" }
        if let fillRight { text += " fill_right (\(FloatText.general(fillRight)))" }
        return text
    }
}

extension [String] {
    fileprivate var labelList: String {
        map { MetricText.isLegacyLabelName($0) ? $0 : MetricText.literal($0) }.joined(separator: ", ")
    }
}

extension AtModifier? {
    fileprivate var suffix: String {
        switch self {
        case .timestamp(let time): " @ \(GoNotation.fixed(time.seconds, digits: 3))"
        case .start: " @ start()"
        case .end: " @ end()"
        case nil: ""
        }
    }
}

extension RangeExtension? {
    fileprivate var suffix: String { map { " \($0.rawValue)" } ?? "" }
}

extension DurationValue? {
    /// ` offset 5m`; empty without an offset.
    fileprivate var suffix: String {
        guard let self, self != .fixed(.zero) else { return "" }
        return " offset \(self)"
    }
}

extension DurationValue: CustomStringConvertible {
    /// The duration as it is written in brackets.
    public var description: String {
        switch self {
        case .fixed(let length): length.description
        case .computed(let expression): expression.description
        }
    }
}

extension DurationExpression: CustomStringConvertible {
    /// The canonical text. A leading plus sign is omitted.
    public var description: String {
        switch self {
        case .literal(let number): number.description
        case .binary(let symbol, let left, let right, let wrapped, _):
            enclosed("\(left) \(symbol.rawValue) \(right)", wrapped)
        case .unary(let symbol, let operand, let wrapped, _):
            enclosed("\(symbol == .minus ? "-" : "")\(operand)", wrapped)
        case .step(let wrapped, _): enclosed("step()", wrapped)
        case .queryRange(let wrapped, _): enclosed("range()", wrapped)
        case .minimum(let left, let right, let wrapped, _): enclosed("min_of(\(left), \(right))", wrapped)
        case .maximum(let left, let right, let wrapped, _): enclosed("max_of(\(left), \(right))", wrapped)
        }
    }

    private func enclosed(_ text: String, _ wrapped: Bool) -> String { wrapped ? "(\(text))" : text }
}
