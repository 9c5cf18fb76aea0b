public import MetricModel
internal import Rollback

/// Access to samples for gates. Provided by the composition root. May be called from any thread.
public struct GateData: Sendable {
    /// Why there is no result.
    public struct Fault: Error, Equatable, Sendable, CustomStringConvertible {
        /// The error text of the query engine.
        public var description: String

        /// An error.
        public init(_ description: String) {
            self.description = description
        }
    }

    /// One element of an instant vector.
    public struct Element: Equatable, Sendable {
        /// Its labels.
        public var labels: Labels
        /// Its value.
        public var value: Double

        /// An element.
        public init(labels: Labels, value: Double) {
            self.labels = labels
            self.value = value
        }
    }

    /// The matchers of a selector, including the one for the metric name.
    public var matchers: @Sendable (_ selector: String) -> Result<[Matcher], Fault>
    /// The samples of all matching series, from the first to the second time, both included.
    public var select: @Sendable ([Matcher], Timestamp, Timestamp) -> Result<[SeriesSamples], Fault>
    /// The current value of an expression.
    public var evaluate: @Sendable (_ expression: String) -> Result<[Element], Fault>

    /// Access to samples.
    public init(
        matchers: @escaping @Sendable (String) -> Result<[Matcher], Fault>,
        select: @escaping @Sendable ([Matcher], Timestamp, Timestamp) -> Result<[SeriesSamples], Fault>,
        evaluate: @escaping @Sendable (String) -> Result<[Element], Fault>
    ) {
        self.matchers = matchers
        self.select = select
        self.evaluate = evaluate
    }
}
