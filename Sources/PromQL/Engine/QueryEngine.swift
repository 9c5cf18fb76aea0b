public import MetricModel

/// Evaluates expressions. A value without state; may be used from many threads at once.
public struct QueryEngine: Sendable {
    /// The options of this engine.
    public let options: EngineOptions

    /// An engine with `options`.
    public init(options: EngineOptions = EngineOptions()) {
        self.options = options
    }

    /// The value of `expression` at a time.
    public func instant(
        _ expression: Expression, at moment: Timestamp, from source: any Queryable,
        cancellation: QueryCancellation? = nil
    ) throws(QueryError) -> QueryResult {
        try prepare(expression).instant(at: moment, from: source, cancellation: cancellation)
    }

    /// The values of `expression` from `start` to `end`, both included, every `step`.
    public func range(
        _ expression: Expression, start: Timestamp, end: Timestamp, step: Milliseconds, from source: any Queryable,
        cancellation: QueryCancellation? = nil
    ) throws(QueryError) -> QueryResult {
        try prepare(expression).range(start: start, end: end, step: step, from: source, cancellation: cancellation)
    }

    /// Prepares `expression` for many evaluations.
    public func prepare(_ expression: Expression) -> PreparedQuery {
        PreparedQuery(expression, options: options)
    }
}
