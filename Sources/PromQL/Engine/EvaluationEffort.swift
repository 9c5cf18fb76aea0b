/// Limits the work of an evaluation.
public enum EvaluationEffort: Sendable {
    /// No limit other than the engine's.
    case full
    /// Only what takes almost no time: series are read as a previous evaluation found them, no lock is waited for, and
    /// the
    /// evaluation ends after a millisecond. Throws `QueryError.timeout` if more is needed.
    case brief

    static let longestBrief: Duration = .milliseconds(1)
}

/// The cost of an evaluation, which predicts the cost of the same query the next time.
public struct EvaluationCost: Equatable, Sendable {
    /// Processor time of the evaluation.
    public var nanoseconds: Int64
    /// The number of values in the result.
    public var values: Int
    /// The number of steps of the query; 1 for an instant query.
    public var steps: Int64
    /// The time from the first step to the last.
    public var milliseconds: Int64

    /// The cost of one evaluation.
    public init(nanoseconds: Int64, values: Int, steps: Int64, milliseconds: Int64) {
        self.nanoseconds = nanoseconds
        self.values = values
        self.steps = steps
        self.milliseconds = milliseconds
    }

    /// Whether a query over that many steps and milliseconds is expected to take almost no time, if nothing has
    /// changed.
    func promisesBrief(steps: Int64, milliseconds: Int64) -> Bool {
        nanoseconds <= 200_000 && values <= 500 && steps <= self.steps && milliseconds <= self.milliseconds
    }
}
