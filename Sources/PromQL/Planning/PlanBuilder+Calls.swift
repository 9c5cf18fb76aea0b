internal import MetricModel
internal import RE2

extension PlanBuilder {
    /// Functions whose value depends on the evaluation time even if their arguments do not.
    private static let timeDependent: Set = [
        "days_in_month", "day_of_month", "day_of_week", "day_of_year", "hour", "minute", "month", "year",
        "predict_linear", "time", "timestamp", "start", "end", "step", "range",
    ]

    func call(_ call: Call) -> Part {
        let builder = inside(function: call.function)
        if let part = builder.rangeCall(call) { return part }
        let arguments = call.arguments.map { builder.part($0.unwrapped) }
        let isInvariant =
            !Self.timeDependent.contains(call.function) && arguments.allSatisfy(\.isInvariant)
        let nodes = arguments.map { isInvariant ? $0.node : $0.whole }
        return Part(node(call, nodes), isInvariant: isInvariant)
    }

    /// A function with a range vector as an argument.
    private func rangeCall(_ call: Call) -> Part? {
        // Each argument is planned once: planning twice would double the work for each nested subquery.
        let ranges = call.arguments.map { range($0) }
        guard let index = ranges.firstIndex(where: { $0 != nil }), let (source, isFixed) = ranges[index] else {
            return nil
        }
        let others = call.arguments.indices.filter { $0 != index }.map { part(call.arguments[$0].unwrapped) }
        let isInvariant =
            isFixed && !Self.timeDependent.contains(call.function) && others.allSatisfy(\.isInvariant)
        if call.function == "absent_over_time" {
            return Part(AbsentOverTimeNode(source), isInvariant: isInvariant)
        }
        guard let definition = RangeFunctionNode.Definition.named(call.function) else {
            return Part(unknown(call))
        }
        let node = RangeFunctionNode(
            name: call.function, definition: definition, source: source,
            parameters: others.map { isInvariant ? $0.node : $0.whole },
            position: call.arguments[0].unwrapped.sourceRange)
        return Part(node, isInvariant: isInvariant)
    }

    private func unknown(_ call: Call) -> any PlanNode {
        FailureNode(.execution("unknown function with name \(MetricText.quoted(call.function))"))
    }

    private func node(_ call: Call, _ nodes: [any PlanNode]) -> any PlanNode {
        if let source = Self.numberSource(call.function) { return NumberNode(source) }
        if let function = FloatFunctionNode.date(call.function) {
            return nodes.isEmpty
                ? FloatFunctionNode(function, input: NumberNode(.time)) : FloatFunctionNode(function, input: nodes[0])
        }
        guard let input = nodes.first else { return unknown(call) }
        if let function = FloatFunctionNode.named(call.function) { return FloatFunctionNode(function, input: input) }
        if let part = HistogramPartNode.named(call.function) { return HistogramPartNode(part, input: input) }
        let others = Array(nodes.dropFirst())
        switch call.function {
        case "clamp":
            return FloatFunctionNode(FloatFunctionNode.clamp, input: input, parameters: others) { $0[1] < $0[0] }
        case "clamp_min": return FloatFunctionNode(FloatFunctionNode.clampMinimum, input: input, parameters: others)
        case "clamp_max": return FloatFunctionNode(FloatFunctionNode.clampMaximum, input: input, parameters: others)
        case "round": return FloatFunctionNode(FloatFunctionNode.round, input: input, parameters: others)
        case "vector": return input
        case "scalar": return ScalarNode(input)
        case "min_of": return ExtremeOfNode(input, nodes[1], choose: BinaryOperator.lesser)
        case "max_of": return ExtremeOfNode(input, nodes[1], choose: BinaryOperator.greater)
        case "absent": return AbsentNode(input, matchers: call.arguments[0].unwrapped.matchers)
        case "timestamp", "start_timestamp": return timestamp(call, input)
        case "sort", "sort_desc", "sort_by_label", "sort_by_label_desc": return sort(call, input)
        case "label_replace": return labelReplace(call, input)
        case "label_join": return labelJoin(call, input)
        case "info": return info(call, input)
        case "histogram_quantile", "histogram_quantiles", "histogram_fraction": return histogram(call, nodes)
        default: return unknown(call)
        }
    }

    private static func numberSource(_ name: String) -> NumberNode.Source? {
        switch name {
        case "time": .time
        case "pi": .constant(.pi)
        case "start": .queryStart
        case "end": .queryEnd
        case "step": .queryStep
        case "range": .queryRange
        default: nil
        }
    }

    private func timestamp(_ call: Call, _ input: any PlanNode) -> any PlanNode {
        let isStart = call.function == "start_timestamp"
        guard case .vectorSelector(let selector) = call.arguments[0].unwrapped else {
            return isStart ? EmptyNode() : EvaluationTimeNode(input)
        }
        // Prometheus ignores the offset if there is also an `@`.
        let modifiers = isStart || selector.at == nil ? nil : [TimeModifiers(offset: nil, at: selector.at)]
        return NamelessNode(SelectorNode(selector, field: isStart ? .startTimestamp : .timestamp, modifiers: modifiers))
    }

    private func sort(_ call: Call, _ input: any PlanNode) -> any PlanNode {
        let byLabel = call.function.hasPrefix("sort_by_label")
        let key = byLabel ? SortNode.Key.labels(call.arguments.dropFirst().compactMap(\.literalText)) : .value
        return SortNode(key, isDescending: call.function.hasSuffix("_desc"), input: input, position: call.range)
    }

    private func histogram(_ call: Call, _ nodes: [any PlanNode]) -> any PlanNode {
        let positions = call.arguments.map(\.unwrapped.sourceRange)
        switch call.function {
        case "histogram_quantile" where nodes.count == 2:
            return HistogramFunctionNode(
                .quantiles([(nodes[0], positions[0])], label: nil), input: nodes[1], position: positions[1])
        case "histogram_fraction" where nodes.count == 3:
            return HistogramFunctionNode(
                .fraction(lower: nodes[0], upper: nodes[1]), input: nodes[2], position: positions[2])
        case "histogram_quantiles" where nodes.count >= 3:
            return HistogramFunctionNode(
                .quantiles(
                    Array(zip(nodes, positions).dropFirst(2)).map { (quantile: $0.0, position: $0.1) },
                    label: call.arguments[1].literalText ?? ""),
                input: nodes[0], position: positions[0])
        default: return unknown(call)
        }
    }

    private func info(_ call: Call, _ input: any PlanNode) -> any PlanNode {
        var matchers: [Matcher]?
        if call.arguments.count > 1, case .vectorSelector(let selector) = call.arguments[1].unwrapped {
            matchers = selector.matchers
        }
        do {
            return try InfoNode(input, matchers: matchers, reference: call.arguments[0].selectorModifiers ?? [])
        } catch {
            return FailureNode(error)
        }
    }
}

// MARK: Labels

extension PlanBuilder {
    private func labelReplace(_ call: Call, _ input: any PlanNode) -> any PlanNode {
        let texts = call.arguments.map { $0.literalText ?? "" }
        guard texts.count == 5, let literal = call.arguments[1].literal else { return unknown(call) }
        let (replacement, source) = (texts[2], texts[3])
        let pattern: RegularExpression
        do {
            pattern = try RegularExpression("(?s:\(texts[4]))")
        } catch {
            return FailureNode(.execution("invalid regular expression in label_replace(): \(texts[4])"))
        }
        guard let target = literal.labelName else {
            return FailureNode(.execution("invalid destination label name in label_replace(): \(literal.value)"))
        }
        return RelabelNode(target: target, input: input) { labels in
            pattern.expandWhole(labels[source] ?? "", template: replacement, limit: RelabelNode.longest)
        }
    }

    private func labelJoin(_ call: Call, _ input: any PlanNode) -> any PlanNode {
        let literals = call.arguments.dropFirst().compactMap(\.literal)
        guard literals.count >= 2 else { return unknown(call) }
        if let wrong = literals.dropFirst(2).first(where: { $0.labelName == nil }) {
            return FailureNode(.execution("invalid source label name in label_join(): \(wrong.value)"))
        }
        guard let target = literals[0].labelName else {
            return FailureNode(.execution("invalid destination label name in label_join(): \(literals[0].value)"))
        }
        let separator = literals[1].value
        let sources = literals.dropFirst(2).map(\.value)
        return RelabelNode(target: target, input: input) { labels in
            var text = ""
            for (index, source) in sources.enumerated() where text.utf8.count <= RelabelNode.longest {
                if index > 0 { text += separator }
                text += labels[source] ?? ""
            }
            return text
        }
    }
}

extension Expression {
    /// The matchers of a plain instant selector, otherwise none.
    fileprivate var matchers: [Matcher] {
        if case .vectorSelector(let selector) = self { selector.matchers } else { [] }
    }
}
