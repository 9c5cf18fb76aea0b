internal import MetricModel

/// The series of a source that meet further conditions: every selector gets them in addition to its own.
struct LimitedSource: Queryable {
    let source: any Queryable
    /// The conditions.
    let matchers: [Matcher]

    func select(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp, sampleLimit: Int
    ) throws(SelectError) -> [SeriesSamples] {
        try source.select(matchers + self.matchers, from: from, through: through, sampleLimit: sampleLimit)
    }

    func scan(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp, labels: LabelDemand,
        remembering selection: inout (any SeriesSelection)?
    ) throws(SelectError) -> (any SeriesScan)? {
        try source.scan(
            matchers + self.matchers, from: from, through: through, labels: labels, remembering: &selection)
    }
}
