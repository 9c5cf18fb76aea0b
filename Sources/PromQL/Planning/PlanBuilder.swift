internal import MetricModel
internal import RE2

/// Converts an expression to a plan.
///
/// Parts whose value does not depend on the evaluation time (all their selectors are fixed by `@`) are detected here
/// and wrapped, so that they are evaluated once.
struct PlanBuilder {
    /// A part of the plan.
    struct Part {
        let node: any PlanNode
        /// Whether the value is the same at every step.
        let isInvariant: Bool
        /// Whether it is wrapped. Plain numbers are not.
        let isWrapped: Bool

        init(_ node: any PlanNode, isInvariant: Bool = false, isWrapped: Bool? = nil) {
            self.node = node
            self.isInvariant = isInvariant
            self.isWrapped = isWrapped ?? isInvariant
        }

        /// The node, wrapped if its value is the same at every step.
        var whole: any PlanNode { isWrapped ? InvariantNode(node) : node }
    }

    /// Whether the selectors inside detect counter resets for histograms without a reset hint.
    ///
    /// Prometheus reads no buckets if only counts and sums are needed, and then detects resets while reading. It does
    /// not in subqueries and in functions that need the buckets.
    private enum HintResolution {
        case undecided, yes, never
    }

    private var hints = HintResolution.undecided

    /// The builder for the arguments of `function`.
    func inside(function: String) -> PlanBuilder {
        var builder = self
        switch function {
        case "histogram_quantile", "histogram_quantiles", "histogram_fraction": builder.hints = .never
        case "histogram_count", "histogram_sum", "histogram_avg": if hints != .never { builder.hints = .yes }
        default: break
        }
        return builder
    }

    private var insideSubquery: PlanBuilder {
        var builder = self
        builder.hints = .never
        return builder
    }

    /// The plan for a vector or scalar expression.
    static func plan(_ expression: Expression) -> any PlanNode {
        PlanBuilder().part(expression).whole
    }

    /// The windows of a range vector expression; `nil` for other expressions.
    static func rangeSource(_ expression: Expression) -> RangeSource? {
        PlanBuilder().range(expression)?.source
    }

    func part(_ expression: Expression) -> Part {
        switch expression {
        case .number(let number): Part(NumberNode(.constant(number.value)), isInvariant: true, isWrapped: false)
        case .string: Part(EmptyNode(), isInvariant: true, isWrapped: false)
        case .paren(let paren): part(paren.expression)
        case .unary(let unary): self.unary(unary)
        case .vectorSelector(let selector):
            Part(SelectorNode(selector, resolvesHints: hints == .yes), isInvariant: selector.at != nil)
        case .aggregate(let aggregate): self.aggregate(aggregate)
        case .binary(let binary): self.binary(binary)
        case .call(let call): self.call(call)
        // A range vector is valid only as an argument of a function.
        case .matrixSelector, .subquery: Part(EmptyNode())
        }
    }

    private func unary(_ unary: Unary) -> Part {
        let inner = part(unary.expression)
        if unary.operator == .plus { return inner }
        return Part(NegationNode(inner.node), isInvariant: inner.isInvariant, isWrapped: inner.isWrapped)
    }

    private func aggregate(_ aggregate: Aggregate) -> Part {
        let input = part(aggregate.expression)
        let parameter = aggregate.parameter.map { part($0) }
        let node: any PlanNode
        switch (aggregate.operator, aggregate.parameter?.unwrapped) {
        case (.countValues, .string(let label)):
            if let name = label.labelName {
                node = CountValuesNode(aggregate, label: name, input: input.node)
            } else {
                node = FailureNode(.execution("invalid label name \(GoNotation.quoted(label.bytes))"))
            }
        case (.topk, _), (.bottomk, _), (.limitk, _), (.limitRatio, _):
            node = RankingNode(aggregate, input: input.node, parameter: parameter?.whole ?? EmptyNode())
        default: node = AggregateNode(aggregate, input: input.node, parameter: parameter?.whole)
        }
        return Part(node, isInvariant: input.isInvariant, isWrapped: input.isWrapped)
    }

    private func binary(_ binary: Binary) -> Part {
        let left = part(binary.left)
        let right = part(binary.right)
        let isInvariant = left.isInvariant && right.isInvariant
        let (first, second) = isInvariant ? (left.node, right.node) : (left.whole, right.whole)
        let node: any PlanNode
        switch (binary.left.valueType == .scalar, binary.right.valueType == .scalar) {
        case (true, true): node = ScalarBinaryNode(binary.operator, left: first, right: second)
        case (true, false): node = VectorScalarNode(binary, vector: second, scalar: first, isScalarFirst: true)
        case (false, true): node = VectorScalarNode(binary, vector: first, scalar: second, isScalarFirst: false)
        case (false, false):
            let matching = binary.matching ?? VectorMatching()
            node =
                binary.operator.isSet
                ? SetOperatorNode(binary.operator, matching, left: first, right: second)
                : VectorBinaryNode(binary, matching, left: first, right: second)
        }
        return Part(node, isInvariant: isInvariant)
    }

    /// A range vector argument.
    func range(_ expression: Expression) -> (source: RangeSource, isInvariant: Bool)? {
        switch expression.unwrapped {
        case .matrixSelector(let selector):
            (RangeSource(selector, resolvesHints: hints == .yes), selector.selector.at != nil)
        case .subquery(let subquery):
            (RangeSource(subquery, inner: insideSubquery.part(subquery.expression).whole), subquery.at != nil)
        default: nil
        }
    }
}

extension Expression {
    /// The expression without the parentheses around it.
    var unwrapped: Expression {
        if case .paren(let paren) = self { paren.expression.unwrapped } else { self }
    }

    /// The text of a string literal.
    var literalText: String? { literal?.value }

    /// The string literal that this is.
    var literal: StringLiteral? {
        if case .string(let literal) = unwrapped { literal } else { nil }
    }

    /// The modifiers from the root to the first selector in text order; `nil` if there is no selector.
    var selectorModifiers: [TimeModifiers]? {
        switch self {
        case .vectorSelector(let selector): return [TimeModifiers(offset: selector.offset, at: selector.at)]
        case .subquery(let subquery):
            return subquery.expression.selectorModifiers.map {
                [TimeModifiers(offset: subquery.offset, at: subquery.at)] + $0
            }
        default:
            for child in children {
                if let modifiers = child.selectorModifiers { return modifiers }
            }
            return nil
        }
    }
}

extension StringLiteral {
    /// The text as a label name; `nil` if it is empty or not UTF-8.
    var labelName: String? {
        guard !bytes.isEmpty else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }
}

/// An operation that always fails, for invalid arguments.
final class FailureNode: PlanNode {
    private let error: QueryError

    init(_ error: QueryError) {
        self.error = error
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block { throw error }
}
