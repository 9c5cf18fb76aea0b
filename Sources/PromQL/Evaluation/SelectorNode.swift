internal import MetricModel
internal import MetricStore

/// An instant selector: at each step the latest sample of each series, if it is fresh.
final class SelectorNode: PlanNode {
    /// What is taken from the sample.
    enum Field {
        case value
        /// Its time in seconds, as `timestamp(x)` wants it.
        case timestamp
        /// Its start timestamp in seconds, where it has one.
        case startTimestamp
        /// Its time in milliseconds, which tells the newer of two info series.
        case age
    }

    private let selector: VectorSelector
    private let field: Field
    private let modifiers: [TimeModifiers]
    private let resolvesHints: Bool
    private var series: SeriesSet?
    private var selection: SeriesSelection?

    /// - Parameters:
    ///   - modifiers: When to look, if not when the selector says.
    ///   - resolvesHints: Whether histograms that do not know are compared with their predecessors for resets.
    init(
        _ selector: VectorSelector, field: Field = .value, modifiers: [TimeModifiers]? = nil,
        resolvesHints: Bool = false
    ) {
        self.selector = selector
        self.field = field
        self.modifiers = modifiers ?? [TimeModifiers(offset: selector.offset, at: selector.at)]
        self.resolvesHints = resolvesHints
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        let times = try SampleTimes(modifiers, run: run)
        if times.fixed != nil && grid.count > 1 {
            let block = try evaluate(run, over: Grid(at: grid.start))
            try run.allow(rows: block.rows, width: grid.count)
            return block.repeated(grid.count)
        }
        if selector.rangeExtension == .smoothed && field == .value {
            return try SmoothedSelection(selector: selector, times: times).evaluate(
                run, over: grid, remembering: &selection)
        }
        let lookback = run.options.lookback.rawValue
        let (first, last) = times.references(grid)
        let found = try run.select(
            selector.matchers, from: first &- lookback &+ 1, through: last, remembering: &selection)
        let set = SeriesSet.reusing(series, for: found)
        series = set
        try run.allow(rows: set.count, width: grid.count)
        var block = Block(set, width: grid.count)
        for (row, samples) in found.enumerated() {
            if grid.count > 16 || row & 63 == 63 { try run.check() }
            run.used(try fill(&block, row: row, from: samples, times: times, grid: grid, lookback: lookback))
        }
        return block
    }

    private func fill(
        _ block: inout Block, row: Int, from samples: SeriesSamples, times: SampleTimes, grid: Grid, lookback: Int64
    ) throws(QueryError) -> Int {
        var next = 0
        var filled = 0
        let count = samples.timestamps.count
        for column in 0..<grid.count {
            let reference = times.reference(grid.time(column))
            while next < count, samples.timestamps[next] <= reference { next += 1 }
            let index = next - 1
            guard index >= 0, samples.timestamps[index] > reference &- lookback else { continue }
            let cell = row * grid.count + column
            let histogram = samples.histograms.isEmpty ? nil : samples.histograms[index]
            if histogram?.isStaleMarker ?? samples.values[index].isStaleMarker { continue }
            filled += 1
            switch field {
            case .value:
                if var histogram {
                    if resolvesHints, index > 0 { histogram.resolveHint(after: samples.histograms[index - 1]) }
                    block.set(cell, to: histogram)
                } else {
                    block.set(cell, to: samples.values[index])
                }
            case .timestamp: block.set(cell, to: Double(samples.timestamps[index]) / 1000)
            case .age:
                if histogram != nil {
                    throw .execution(
                        "this should be an info metric, with float samples: \(samples.labels)")
                }
                block.set(cell, to: Double(samples.timestamps[index]))
            case .startTimestamp:
                // 0 stands for "not known", here as in the samples that Prometheus stores.
                let known = index < samples.startTimestamps.count ? samples.startTimestamps[index] : .min
                block.set(cell, to: known == .min ? 0 : Double(known) / 1000)
            }
        }
        return filled
    }
}

extension FloatHistogram {
    /// Finds out whether there was a reset after `previous`, where this is not known.
    mutating func resolveHint(after previous: FloatHistogram?) {
        guard counterResetHint == .unknown, let previous, !previous.isStaleMarker else { return }
        counterResetHint = isReset(after: previous) ? .reset : .notReset
    }
}
