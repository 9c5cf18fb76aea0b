public import MetricModel

/// A half-open range of byte offsets in the text of an expression.
public struct SourceRange: Hashable, Sendable {
    /// Offset of the first byte.
    public var start: Int
    /// Offset after the last byte.
    public var end: Int

    /// The bytes from `start` up to `end`.
    public init(_ start: Int, _ end: Int) {
        self.start = start
        self.end = end
    }
}

/// The type of an expression's value.
public enum ValueType: String, Hashable, Sendable {
    case none
    case scalar
    case vector = "vector"
    case matrix = "matrix"
    case string
}

/// A parsed PromQL expression. A value: equal text gives equal trees, trees may be shared between threads.
public indirect enum Expression: Equatable, Sendable {
    case number(NumberLiteral)
    case string(StringLiteral)
    case vectorSelector(VectorSelector)
    case matrixSelector(MatrixSelector)
    case subquery(Subquery)
    case call(Call)
    case aggregate(Aggregate)
    case binary(Binary)
    case unary(Unary)
    case paren(Paren)
}

/// A number, possibly written as a duration.
public struct NumberLiteral: Equatable, Sendable {
    /// The number; in seconds if it was written as a duration.
    public var value: Double
    /// Whether it was written as a duration (`5m`), which printing keeps.
    public var isDuration: Bool
    /// Its position in the query.
    public var range: SourceRange

    /// A number at `range`.
    public init(value: Double, isDuration: Bool = false, range: SourceRange) {
        self.value = value
        self.isDuration = isDuration
        self.range = range
    }

    /// Two NaN literals are equal.
    public static func == (left: NumberLiteral, right: NumberLiteral) -> Bool {
        left.value.bitPattern == right.value.bitPattern && left.isDuration == right.isDuration
            && left.range == right.range
    }
}

/// A string in quotes, without quotes and escapes.
public struct StringLiteral: Equatable, Sendable {
    /// The bytes of the string. Escapes such as `\xff` may produce any bytes.
    public var bytes: [UInt8]
    /// Its position in the query.
    public var range: SourceRange

    /// The bytes as text. Invalid UTF-8 becomes U+FFFD.
    public var value: String { String(decoding: bytes, as: UTF8.self) }

    /// A string at `range`.
    public init(bytes: [UInt8], range: SourceRange) {
        self.bytes = bytes
        self.range = range
    }

    /// A string at `range`.
    public init(value: String, range: SourceRange) {
        self.init(bytes: Array(value.utf8), range: range)
    }
}

/// The time of an `@` modifier.
public enum AtModifier: Equatable, Sendable {
    case timestamp(Timestamp)
    /// The first evaluation time of the query.
    case start
    /// The last evaluation time of the query.
    case end
}

/// A range, offset or step: known when parsing, or computed from the query's own step and range.
public enum DurationValue: Equatable, Sendable {
    case fixed(Milliseconds)
    case computed(DurationExpression)
}

/// A duration expression such as `2 * step()` or `-(5m + 10s)`.
public indirect enum DurationExpression: Equatable, Sendable {
    case literal(NumberLiteral)
    /// `+`, `-`, `*`, `/`, `%`, `^`.
    case binary(BinaryOperator, DurationExpression, DurationExpression, wrapped: Bool, SourceRange)
    /// Unary `+` or `-`. A parenthesised operand alone is a wrapped `+`.
    case unary(UnaryOperator, DurationExpression, wrapped: Bool, SourceRange)
    case step(wrapped: Bool, SourceRange)
    case queryRange(wrapped: Bool, SourceRange)
    case minimum(DurationExpression, DurationExpression, wrapped: Bool, SourceRange)
    case maximum(DurationExpression, DurationExpression, wrapped: Bool, SourceRange)
}

/// How a range selector treats the ends of its window.
public enum RangeExtension: String, Equatable, Sendable {
    case anchored
    case smoothed
}

/// `name{matchers} offset d @ t`.
public struct VectorSelector: Equatable, Sendable {
    /// The name as written before the braces; empty if it is inside them.
    public var name: String
    /// All matchers, in text order; the one for `name` comes last.
    public var matchers: [Matcher]
    /// As written; a positive offset is in the past. `nil` if no offset is given.
    public var offset: DurationValue?
    /// The `@` modifier.
    public var at: AtModifier?
    /// `anchored` or `smoothed`.
    public var rangeExtension: RangeExtension?
    /// Its position in the query.
    public var range: SourceRange

    /// A selector at `range`.
    public init(
        name: String, matchers: [Matcher], offset: DurationValue? = nil, at: AtModifier? = nil,
        rangeExtension: RangeExtension? = nil, range: SourceRange
    ) {
        self.name = name
        self.matchers = matchers
        self.offset = offset
        self.at = at
        self.rangeExtension = rangeExtension
        self.range = range
    }
}

/// `selector[duration]`.
public struct MatrixSelector: Equatable, Sendable {
    /// The series; its modifiers belong to the whole.
    public var selector: VectorSelector
    /// Width of the window.
    public var window: DurationValue
    /// Its position in the query.
    public var range: SourceRange

    /// A range selector at `range`.
    public init(selector: VectorSelector, window: DurationValue, range: SourceRange) {
        self.selector = selector
        self.window = window
        self.range = range
    }
}

/// `expression[range:step]`.
public struct Subquery: Equatable, Sendable {
    /// The expression that is evaluated at each step.
    public var expression: Expression
    /// Width of the window.
    public var window: DurationValue
    /// Time between the steps; `nil` for the default.
    public var step: DurationValue?
    /// As written; `nil` if no offset is given.
    public var offset: DurationValue?
    /// The `@` modifier.
    public var at: AtModifier?
    /// Its position in the query.
    public var range: SourceRange

    /// A subquery at `range`.
    public init(
        expression: Expression, window: DurationValue, step: DurationValue?, offset: DurationValue? = nil,
        at: AtModifier? = nil, range: SourceRange
    ) {
        self.expression = expression
        self.window = window
        self.step = step
        self.offset = offset
        self.at = at
        self.range = range
    }
}

/// A function call; `function` names an entry of `Function.all`.
public struct Call: Equatable, Sendable {
    /// The function's name.
    public var function: String
    /// The arguments.
    public var arguments: [Expression]
    /// Its position in the query.
    public var range: SourceRange

    /// A call at `range`.
    public init(function: String, arguments: [Expression], range: SourceRange) {
        self.function = function
        self.arguments = arguments
        self.range = range
    }
}

/// An aggregation over the elements of a vector.
public struct Aggregate: Equatable, Sendable {
    /// The aggregation operators.
    public enum Operator: String, Hashable, Sendable, CaseIterable {
        case sum, avg, count, min, max, group, stddev, stdvar, topk, bottomk, quantile, limitk
        case countValues = "count_values"
        case limitRatio = "limit_ratio"
    }

    /// The operator.
    public var `operator`: Operator
    /// The vector that is aggregated.
    public var expression: Expression
    /// φ, k, ratio or the label of `count_values`.
    public var parameter: Expression?
    /// The labels of `by` or `without`.
    public var grouping: [String]
    /// Whether `grouping` lists the labels that are dropped.
    public var without: Bool
    /// Its position in the query.
    public var range: SourceRange

    /// An aggregation at `range`.
    public init(
        operator: Operator, expression: Expression, parameter: Expression? = nil, grouping: [String] = [],
        without: Bool = false, range: SourceRange
    ) {
        self.operator = `operator`
        self.expression = expression
        self.parameter = parameter
        self.grouping = grouping
        self.without = without
        self.range = range
    }
}

/// A binary operator.
public enum BinaryOperator: String, Hashable, Sendable, CaseIterable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case modulo = "%"
    case power = "^"
    case atan2
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case greater = ">"
    case lessOrEqual = "<="
    case greaterOrEqual = ">="
    case and
    case or
    case unless
    /// `</` keeps the observations of a histogram below a bound.
    case trimUpper = "</"
    /// `>/` keeps the observations of a histogram above a bound.
    case trimLower = ">/"

    /// Whether this is `and`, `or` or `unless`.
    public var isSet: Bool { self == .and || self == .or || self == .unless }

    /// Whether this filters by comparing.
    public var isComparison: Bool {
        switch self {
        case .equal, .notEqual, .less, .greater, .lessOrEqual, .greaterOrEqual: true
        default: false
        }
    }
}

/// How the elements of two vectors are matched.
public struct VectorMatching: Equatable, Sendable {
    /// How many elements of each side may match.
    public enum Cardinality: String, Hashable, Sendable {
        case oneToOne = "one-to-one"
        case manyToOne = "many-to-one"
        case oneToMany = "one-to-many"
        case manyToMany = "many-to-many"
    }

    /// How many elements of each side may match.
    public var cardinality: Cardinality
    /// The labels of `on` or `ignoring`.
    public var labels: [String]
    /// Whether `labels` are the compared labels (`on`), not the ignored ones.
    public var on: Bool
    /// The labels of `group_left` or `group_right`.
    public var include: [String]
    /// Value for missing elements of the left side.
    public var fillLeft: Double?
    /// Value for missing elements of the right side.
    public var fillRight: Double?

    /// A matching.
    public init(
        cardinality: Cardinality = .oneToOne, labels: [String] = [], on: Bool = false, include: [String] = [],
        fillLeft: Double? = nil, fillRight: Double? = nil
    ) {
        self.cardinality = cardinality
        self.labels = labels
        self.on = on
        self.include = include
        self.fillLeft = fillLeft
        self.fillRight = fillRight
    }
}

/// `left operator right`.
public struct Binary: Equatable, Sendable {
    /// The operator.
    public var `operator`: BinaryOperator
    /// The left operand.
    public var left: Expression
    /// The right operand.
    public var right: Expression
    /// Present when both operands are vectors.
    public var matching: VectorMatching?
    /// Whether a comparison returns 0 or 1 instead of filtering.
    public var returnsBool: Bool
    /// Its position in the query.
    public var range: SourceRange

    /// An operation at `range`.
    public init(
        operator: BinaryOperator, left: Expression, right: Expression, matching: VectorMatching? = nil,
        returnsBool: Bool = false, range: SourceRange
    ) {
        self.operator = `operator`
        self.left = left
        self.right = right
        self.matching = matching
        self.returnsBool = returnsBool
        self.range = range
    }
}

/// A sign.
public enum UnaryOperator: String, Hashable, Sendable {
    case plus = "+"
    case minus = "-"
}

/// A signed expression.
public struct Unary: Equatable, Sendable {
    /// The sign.
    public var `operator`: UnaryOperator
    /// The operand of the sign.
    public var expression: Expression
    /// Its position in the query.
    public var range: SourceRange

    /// A signed expression at `range`.
    public init(operator: UnaryOperator, expression: Expression, range: SourceRange) {
        self.operator = `operator`
        self.expression = expression
        self.range = range
    }
}

/// An expression in parentheses.
public struct Paren: Equatable, Sendable {
    /// The inner expression.
    public var expression: Expression
    /// The position of the parentheses in the query.
    public var range: SourceRange

    /// A parenthesised expression at `range`.
    public init(expression: Expression, range: SourceRange) {
        self.expression = expression
        self.range = range
    }
}
