public import MetricModel
public import MetricStore

/// Where an engine reads samples from. May be asked from any thread.
public protocol Queryable: Sendable {
    /// The samples of all series that match, in the closed window `from...through`, stale markers included.
    ///
    /// Each label set comes out once. Series without a sample in the window are left out.
    func select(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp, sampleLimit: Int
    ) throws(SelectError) -> [SeriesSamples]
}

extension MetricStore: Queryable {}
