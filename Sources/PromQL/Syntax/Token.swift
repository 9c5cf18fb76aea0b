internal import MetricModel

/// One lexical element of an expression.
struct Token: Equatable, Sendable {
    /// The kind of a token.
    enum Kind: Hashable, Sendable {
        /// The end of the text.
        case end
        /// The lexer found an error. The token's text is the message. No token follows.
        case failure
        case identifier
        /// An identifier with a colon in it.
        case metricIdentifier
        case number, duration, string
        case leftParen, rightParen, leftBrace, rightBrace, leftBracket, rightBracket
        case comma, colon
        /// `=`.
        case equal
        /// `=~`.
        case matches
        /// `!~`.
        case matchesNot
        case at
        case `operator`(BinaryOperator)
        case aggregator(Aggregate.Operator)
        case keyword(Keyword)
        case query(QueryWord)
        // Only in series notation:
        case blank, times, space, openHistogram, closeHistogram
        case descriptor(HistogramField)
        case resetHint(FloatHistogram.CounterResetHint)
    }

    /// Modifier keywords.
    enum Keyword: String, Hashable, Sendable, CaseIterable {
        case anchored, bool, by, fill, ignoring, offset, on, smoothed, without
        case fillLeft = "fill_left"
        case fillRight = "fill_right"
        case groupLeft = "group_left"
        case groupRight = "group_right"
    }

    /// Words for a property of the query, or for computing durations.
    enum QueryWord: String, Hashable, Sendable, CaseIterable {
        case start, end, step, range
        case minOf = "min_of"
        case maxOf = "max_of"
    }

    var kind: Kind
    var range: SourceRange
    /// As written; the error message for `failure`.
    var text: String

    /// Whether the grammar accepts this token as a metric name.
    var isMetricName: Bool {
        switch kind {
        case .identifier, .metricIdentifier, .aggregator, .query: true
        case .operator(let symbol): symbol.isSet
        case .keyword(let word): [.anchored, .by, .offset, .smoothed, .without].contains(word)
        default: false
        }
    }

    /// Whether the grammar accepts this token as a label name in a list of labels.
    var isLabelName: Bool {
        switch kind {
        case .identifier, .metricIdentifier, .aggregator, .query: true
        case .operator(let symbol): symbol.isSet || symbol == .atan2
        case .keyword(let word): ![.without, .fill, .fillLeft, .fillRight].contains(word)
        default: false
        }
    }

    /// Whether an expression can start with this token.
    var startsExpression: Bool {
        switch kind {
        case .number, .duration, .string, .leftParen, .leftBrace: true
        case .operator(.add), .operator(.subtract): true
        default: isMetricName
        }
    }

    /// The token's name in messages, as in Prometheus.
    var summary: String {
        switch kind {
        case .end: "end of input"
        case .failure: "error \(text)"
        case .identifier: "identifier \(MetricText.quoted(text))"
        case .metricIdentifier: "metric identifier \(MetricText.quoted(text))"
        case .number: "number \(shortened)"
        case .duration: "duration \(shortened)"
        case .string: "string \(shortened)"
        case .operator, .at, .matches, .matchesNot: "<op:\(text)>"
        case .aggregator: "<aggr:\(text)>"
        case .keyword: "<\(text)>"
        case .descriptor(let field): "\"<Item \(field.prometheusTokenNumber)>\" \(shortened)"
        case .resetHint(let hint): "\"<Item \(57383 + Int(hint.rawValue))>\" \(shortened)"
        default: shortened
        }
    }

    /// The text in quotes, at most ten characters of it.
    private var shortened: String {
        text.utf8.count > 10
            ? MetricText.quoted(String(String.UnicodeScalarView(text.unicodeScalars.prefix(10)))) + "..."
            : MetricText.quoted(text)
    }

    /// The meaning of a word, ignoring case; `nil` for a plain name.
    static func keyword(_ word: String) -> Kind? { keywords[word.lowercased()] }

    private static let keywords: [String: Kind] = {
        var table: [String: Kind] = ["inf": .number, "nan": .number]
        for symbol in [BinaryOperator.and, .or, .unless, .atan2] { table[symbol.rawValue] = .operator(symbol) }
        for name in Aggregate.Operator.allCases { table[name.rawValue] = .aggregator(name) }
        for word in Keyword.allCases { table[word.rawValue] = .keyword(word) }
        for word in QueryWord.allCases { table[word.rawValue] = .query(word) }
        return table
    }()
}

/// The fields of a native histogram in series notation.
enum HistogramField: String, Hashable, Sendable, CaseIterable {
    case sum, count, schema, offset
    case negativeOffset = "n_offset"
    case buckets
    case negativeBuckets = "n_buckets"
    case zeroBucket = "z_bucket"
    case zeroBucketWidth = "z_bucket_w"
    case customValues = "custom_values"
    case counterResetHint = "counter_reset_hint"

    /// The number of this field in Prometheus's messages.
    var prometheusTokenNumber: Int { 57370 + (Self.allCases.firstIndex(of: self) ?? 0) }
}
