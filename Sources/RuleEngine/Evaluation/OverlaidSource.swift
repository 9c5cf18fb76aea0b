internal import MetricModel
internal import PromQL

/// A source with newer samples of some metrics in memory, which were not stored.
struct OverlaidSource: Queryable {
    let base: any Queryable
    /// Samples that are newer than those of the base.
    let overlay: MemorySource
    /// The metrics in `overlay`.
    let metrics: Set<String>

    func select(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp, sampleLimit: Int
    ) throws(SelectError) -> [SeriesSamples] {
        var found = try base.select(matchers, from: from, through: through, sampleLimit: sampleLimit)
        guard mayMatch(matchers) else { return found }
        let positions = Dictionary(found.enumerated().map { ($1.labels, $0) }, uniquingKeysWith: { first, _ in first })
        for series in try overlay.select(matchers, from: from, through: through, sampleLimit: sampleLimit) {
            if let position = positions[series.labels] {
                found[position].append(series)
            } else {
                found.append(series)
            }
        }
        return found
    }

    func scan(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp, labels: LabelDemand,
        remembering selection: inout (any SeriesSelection)?
    ) throws(SelectError) -> (any SeriesScan)? {
        if mayMatch(matchers) { return nil }
        return try base.scan(matchers, from: from, through: through, labels: labels, remembering: &selection)
    }

    private func mayMatch(_ matchers: [Matcher]) -> Bool {
        let name = matchers.first { $0.name == Labels.metricName && $0.operation == .equal }
        return name.map { metrics.contains($0.value) } ?? true
    }
}

extension SeriesSamples {
    /// Appends the samples of `newer` that are later than the last one.
    fileprivate mutating func append(_ newer: SeriesSamples) {
        let last = timestamps.last ?? .min
        guard let start = newer.timestamps.firstIndex(where: { $0 > last }) else { return }
        if !histograms.isEmpty || !newer.histograms.isEmpty {
            if histograms.isEmpty { histograms = Array(repeating: nil, count: count) }
            histograms +=
                newer.histograms.isEmpty
                ? Array(repeating: nil, count: newer.count - start) : Array(newer.histograms[start...])
        }
        if !startTimestamps.isEmpty {
            startTimestamps += Array(repeating: .min, count: newer.count - start)
        }
        timestamps += newer.timestamps[start...]
        values += newer.values[start...]
    }
}
