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

    /// The same as something to be read piece by piece, which costs far less where many series are only added up.
    ///
    /// `selection` is where a store leaves what it found for these matchers for the next time. Sources that offer no scans,
    /// because their samples have start timestamps or because they have nothing to gain, need not implement this.
    func scan(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp, labels: LabelDemand,
        remembering selection: inout SeriesSelection?
    ) throws(SelectError) -> SeriesScan?

    /// What `selection`, found before with the same demand, stands for now, as a scan that neither looks anything up nor waits;
    /// `nil` where that is not possible.
    func rescan(
        _ selection: SeriesSelection, from: Timestamp, through: Timestamp, labels: LabelDemand
    ) -> SeriesScan?
}

extension Queryable {
    /// No scan.
    public func scan(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp, labels: LabelDemand,
        remembering selection: inout SeriesSelection?
    ) throws(SelectError) -> SeriesScan? { nil }

    /// Not possible.
    public func rescan(
        _ selection: SeriesSelection, from: Timestamp, through: Timestamp, labels: LabelDemand
    ) -> SeriesScan? { nil }
}

extension MetricStore: Queryable {
    /// Always a scan.
    public func scan(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp, labels: LabelDemand,
        remembering selection: inout SeriesSelection?
    ) throws(SelectError) -> SeriesScan? {
        try scan(matching: matchers, from: from, through: through, labels: labels, remembering: &selection)
    }
}
