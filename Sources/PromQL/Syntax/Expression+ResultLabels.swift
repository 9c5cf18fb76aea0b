public import MetricModel

extension Expression {
    /// The labels that an element of the result may have, or more; `nil` where any label may be there.
    public var resultLabels: Set<String>? {
        switch self {
        case .number, .string: []
        case .vectorSelector, .matrixSelector: nil
        case .subquery(let node): node.expression.resultLabels
        case .unary(let node): node.expression.resultLabels
        case .paren(let node): node.expression.resultLabels
        case .call(let node): Self.resultLabels(of: node)
        case .aggregate(let node): Self.resultLabels(of: node)
        case .binary(let node): Self.resultLabels(of: node)
        }
    }

    private static func resultLabels(of call: Call) -> Set<String>? {
        switch call.function {
        case "label_replace", "label_join":
            guard call.arguments.count > 1, case .string(let target) = call.arguments[1] else { return nil }
            return call.arguments[0].resultLabels?.union([target.value])
        case "absent", "absent_over_time", "info": return nil
        default:
            // Functions keep the labels of the vector that they take, or drop some.
            let vector = call.arguments.first { argument in
                argument.valueType == .vector || argument.valueType == .matrix
            }
            return vector.map(\.resultLabels) ?? []
        }
    }

    private static func resultLabels(of node: Aggregate) -> Set<String>? {
        switch node.operator {
        case .topk, .bottomk, .limitk, .limitRatio: return node.expression.resultLabels
        case .countValues:
            guard case .string(let label)? = node.parameter else { return nil }
            return grouped(by: node)?.union([label.value])
        case .sum, .avg, .count, .min, .max, .group, .stddev, .stdvar, .quantile: return grouped(by: node)
        }
    }

    private static func grouped(by node: Aggregate) -> Set<String>? {
        node.without ? node.expression.resultLabels?.subtracting(node.grouping) : Set(node.grouping)
    }

    private static func resultLabels(of node: Binary) -> Set<String>? {
        guard let matching = node.matching else {
            return node.left.valueType == .scalar ? node.right.resultLabels : node.left.resultLabels
        }
        switch node.operator {
        case .and, .unless: return node.left.resultLabels
        case .or:
            guard let left = node.left.resultLabels, let right = node.right.resultLabels else { return nil }
            return left.union(right)
        default: break
        }
        switch matching.cardinality {
        case .manyToOne: return node.left.resultLabels?.union(matching.include)
        case .oneToMany: return node.right.resultLabels?.union(matching.include)
        case .oneToOne, .manyToMany:
            return matching.on ? Set(matching.labels) : node.left.resultLabels?.subtracting(matching.labels)
        }
    }

    /// The span that the longest chain of ranges covers: `rate(x[1m])` covers 1m,
    /// `max_over_time(rate(x[1m])[10m:])` 11m. Offsets and durations that are computed count as nothing.
    public var longestRange: Milliseconds {
        let inner = children.map(\.longestRange).max() ?? .zero
        return switch self {
        case .matrixSelector(let node): inner + node.window.fixed
        case .subquery(let node): inner + node.window.fixed
        case .number, .string, .vectorSelector, .call, .aggregate, .binary, .unary, .paren: inner
        }
    }

    /// Expressions of the times, in seconds, of the newest samples that the value rests on, at most one for each
    /// selector; each has no more labels than the result.
    ///
    /// An element of them speaks for the elements of the result with which it agrees on every label that both have.
    public var newestSampleTimes: [Expression] {
        var found: [Expression] = []
        Self.collectSampleTimes(of: self, within: .zero, labels: resultLabels, isPortable: false, &found)
        return found
    }

    /// The same in functions that every server with PromQL has. A sample that is older than five minutes is dated
    /// exactly, but found at the next full minute.
    public var portableNewestSampleTimes: [Expression] {
        var found: [Expression] = []
        Self.collectSampleTimes(of: self, within: .zero, labels: resultLabels, isPortable: true, &found)
        return found
    }

    /// The times of the newest samples of `selector` within `window`. The newer of two counts.
    private static func times(
        of selector: VectorSelector, over window: Milliseconds, isPortable: Bool
    ) -> [Expression] {
        let range = selector.range
        func call(_ function: String, _ argument: Expression) -> Expression {
            .call(Call(function: function, arguments: [argument], range: range))
        }
        let latest = call("timestamp", .vectorSelector(selector))
        if window == .zero { return [latest] }
        guard isPortable else {
            let matrix = MatrixSelector(selector: selector, window: .fixed(window), range: range)
            return [call("ts_of_last_over_time", .matrixSelector(matrix))]
        }
        if window <= .minutes(5) { return [latest] }
        let earlier = Subquery(expression: latest, window: .fixed(window), step: .fixed(.minutes(1)), range: range)
        return [latest, call("max_over_time", .subquery(earlier))]
    }

    private static func collectSampleTimes(
        of expression: Expression, within span: Milliseconds, labels: Set<String>?, isPortable: Bool,
        _ found: inout [Expression]
    ) {
        func add(_ selector: VectorSelector, over window: Milliseconds) {
            var bare = selector
            bare.rangeExtension = nil
            for time in times(of: bare, over: window, isPortable: isPortable) {
                var time = time
                if let labels {
                    time = .aggregate(
                        Aggregate(operator: .max, expression: time, grouping: labels.sorted(), range: bare.range))
                }
                if !found.contains(time) { found.append(time) }
            }
        }
        switch expression {
        case .vectorSelector(let selector): add(selector, over: span)
        case .matrixSelector(let node): add(node.selector, over: span + node.window.fixed)
        case .subquery(let node):
            collectSampleTimes(
                of: node.expression, within: span + node.window.fixed, labels: labels, isPortable: isPortable, &found)
        case .number, .string, .call, .aggregate, .binary, .unary, .paren:
            for child in expression.children {
                collectSampleTimes(of: child, within: span, labels: labels, isPortable: isPortable, &found)
            }
        }
    }
}

extension DurationValue {
    /// The duration where it stands in the text; zero where it is computed.
    fileprivate var fixed: Milliseconds {
        switch self {
        case .fixed(let duration): duration
        case .computed: .zero
        }
    }
}
