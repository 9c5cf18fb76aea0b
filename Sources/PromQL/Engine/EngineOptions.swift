public import MetricModel

/// The options and limits of an engine.
public struct EngineOptions: Hashable, Sendable {
    /// How far an instant selector looks back for a sample; the window is open on the left.
    public var lookback: Milliseconds = .minutes(5)
    /// Limit of the samples that a query may hold in memory at once.
    public var maximumSamples = 50_000_000
    /// Timeout of an evaluation; `nil` for no limit.
    public var timeout: Milliseconds? = .minutes(2)
    /// Step of subqueries without a step.
    public var defaultSubqueryStep: Milliseconds = .minutes(1)
    /// Whether metric names are kept until the end of the evaluation (`promql-delayed-name-removal`).
    public var delayedNameRemoval = false
    /// Whether rates use the start timestamps of samples (`use-start-timestamps`).
    public var useStartTimestamps = false
    /// Whether counters are recognised by their `__type__` label instead of their name (`type-and-unit-labels`).
    public var typeAndUnitLabels = false

    /// The options of a server without feature flags.
    public init() {}
}
