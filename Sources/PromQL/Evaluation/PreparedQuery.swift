public import MetricModel

/// An expression that is readied once and evaluated many times.
///
/// It remembers what depends on the set of series alone (group keys, matching partners, result labels), so that an
/// evaluation that meets the same series again does no label work. Owned by one thread at a time.
public final class PreparedQuery {
    /// The expression.
    public let expression: Expression
    private let options: EngineOptions

    init(_ expression: Expression, options: EngineOptions) {
        self.expression = expression
        self.options = options
    }

    /// The value at one moment.
    public func instant(
        at moment: Timestamp, from source: any Queryable, cancellation: QueryCancellation? = nil
    ) throws(QueryError) -> QueryResult {
        throw .execution("evaluation is not available yet")
    }

    /// The values from `start` to `end`, both included, every `step`.
    public func range(
        start: Timestamp, end: Timestamp, step: Milliseconds, from source: any Queryable,
        cancellation: QueryCancellation? = nil
    ) throws(QueryError) -> QueryResult {
        throw .execution("evaluation is not available yet")
    }
}
