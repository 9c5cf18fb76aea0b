public import MetricModel

/// A series with its values at equal distances, in the notation of test scripts and rule unit tests:
/// `http_requests{job="api"} 0+10x4 _ 7 stale {{sum:1 count:2}}`.
public struct SeriesNotation: Equatable, Sendable {
    /// The entry of one step.
    public enum Value: Equatable, Sendable {
        /// No sample.
        case missing
        /// A number; the staleness marker for `stale`.
        case float(Double)
        /// A native histogram. `hasResetHint` is true if the hint was given.
        case histogram(FloatHistogram, hasResetHint: Bool)

        /// Numbers are compared bit by bit, so that NaN equals itself.
        public static func == (left: Value, right: Value) -> Bool {
            switch (left, right) {
            case (.missing, .missing): true
            case (.float(let left), .float(let right)): left.bitPattern == right.bitPattern
            case (.histogram(let left, let leftHint), .histogram(let right, let rightHint)):
                left == right && leftHint == rightHint
            default: false
            }
        }
    }

    /// Limit of the values in one line.
    public static let valueLimit = 1_000_000

    /// The series.
    public var labels: Labels
    /// One for each step, from the first.
    public var values: [Value]

    /// The series `labels` with `values`.
    public init(labels: Labels, values: [Value]) {
        self.labels = labels
        self.values = values
    }

    /// Reads a line.
    public init(parsing line: String) throws(ParseError) {
        var parser = Parser(Lexer(Array(line.utf8), isSeries: true), features: .all)
        let series = parser.whole { parser throws(Parser.Interruption) in try parser.series() }
        self = try parser.result(series)
    }

    /// Reads a metric alone: `name{a="b"}`, `{a="b"}`, `{"quoted name", "l.m"="b"}`.
    public static func metric(_ text: String) throws(ParseError) -> Labels {
        var parser = Parser(Lexer(Array(text.utf8)), features: .all)
        let labels = parser.whole { parser throws(Parser.Interruption) in try parser.metric() }
        return try parser.result(labels)
    }
}
