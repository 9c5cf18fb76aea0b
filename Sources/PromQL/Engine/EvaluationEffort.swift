/// How much an evaluation may do to compute its value.
public enum EvaluationEffort: Sendable {
    /// Whatever it takes, within the engine's limits.
    case full
    /// Only what takes next to no time: series are read as they were found at an evaluation before, no lock is waited
    /// for, and after a millisecond it is over. Fails with `QueryError.timeout` where more is needed.
    case brief

    static let longestBrief: Duration = .milliseconds(1)
}

/// The cost of an evaluation, which predicts the cost of the same query the next time.
public struct EvaluationCost: Equatable, Sendable {
    /// Processor time of the evaluation.
    public var nanoseconds: Int64
    /// Values in the result.
    public var values: Int
    /// Steps of the query; 1 for an instant query.
    public var steps: Int64
    /// From the first step to the last.
    public var milliseconds: Int64

    /// The cost of one evaluation.
    public init(nanoseconds: Int64, values: Int, steps: Int64, milliseconds: Int64) {
        self.nanoseconds = nanoseconds
        self.values = values
        self.steps = steps
        self.milliseconds = milliseconds
    }

    /// Whether a query over that many steps and milliseconds can be expected to take next to no time, if nothing has
    /// changed.
    func promisesBrief(steps: Int64, milliseconds: Int64) -> Bool {
        nanoseconds <= 200_000 && values <= 500 && steps <= self.steps && milliseconds <= self.milliseconds
    }
}
