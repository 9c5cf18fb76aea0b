/// Why a query failed. `description` is Prometheus's text.
public enum QueryError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The text is not a valid expression.
    case parse(ParseError)
    /// The evaluation failed.
    case execution(String)
    /// The evaluation took longer than `EngineOptions.timeout`.
    case timeout
    /// The query was cancelled.
    case cancelled
    /// The query needs more samples than `EngineOptions.maximumSamples`.
    case tooManySamples

    /// Prometheus's error text.
    public var description: String {
        switch self {
        case .parse(let error): error.description
        case .execution(let text): text
        case .timeout: "query timed out in expression evaluation"
        case .cancelled: "query was canceled in query execution"
        case .tooManySamples: "query processing would load too many samples into memory in query execution"
        }
    }
}
