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

    /// The same, asked again and again with the same matchers: `selection` is where a store leaves what it found for the
    /// next time. Sources that have nothing to gain from it need not implement this.
    func select(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp, sampleLimit: Int,
        remembering selection: inout SeriesSelection?
    ) throws(SelectError) -> [SeriesSamples]
}

extension Queryable {
    /// Asks anew each time.
    public func select(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp, sampleLimit: Int,
        remembering selection: inout SeriesSelection?
    ) throws(SelectError) -> [SeriesSamples] {
        try select(matchers, from: from, through: through, sampleLimit: sampleLimit)
    }
}

extension MetricStore: Queryable {}
