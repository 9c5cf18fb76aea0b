public import MetricModel
internal import Rollback

/// Where gates get samples from. Handed in by the composition root; any thread may call.
public struct GateData: Sendable {
    /// Why there is no answer.
    public struct Fault: Error, Equatable, Sendable, CustomStringConvertible {
        /// The words of the query engine.
        public var description: String

        /// A fault.
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

    /// The matchers of a selector, the metric's name among them.
    public var matchers: @Sendable (_ selector: String) -> Result<[Matcher], Fault>
    /// The samples of all series that match, from the first to the second moment, both included.
    public var select: @Sendable ([Matcher], Timestamp, Timestamp) -> Result<[SeriesSamples], Fault>
    /// The value of an expression now.
    public var evaluate: @Sendable (_ expression: String) -> Result<[Element], Fault>

    /// Where samples come from.
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
