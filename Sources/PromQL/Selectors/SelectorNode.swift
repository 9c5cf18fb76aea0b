internal import MetricModel

/// An instant selector: at each step the latest sample of each series, if it is not too old.
final class SelectorNode: PlanNode {
    /// The part of the sample that is selected.
    enum Field {
        case value
        /// Its time in seconds, for `timestamp(x)`.
        case timestamp
        /// Its start timestamp in seconds, if it has one.
        case startTimestamp
        /// Its time in milliseconds, used to find the newer of two info series.
        case age
    }

    private let selector: VectorSelector
    private let field: Field
    private let modifiers: [TimeModifiers]
    private let resolvesHints: Bool
    private var selected = SelectedSeries()
    private var selection: (any SeriesSelection)?

    /// - Parameters:
    ///   - modifiers: the time modifiers, if they are not the selector's own.
    ///   - resolvesHints: whether to compare histograms without a hint with their predecessors to detect resets.
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
            return try SmoothedSelection(selector: selector, times: times).evaluate(run, over: grid)
        }
        if let scan = try scan(run, times, grid, .each), let set = selected.set(of: scan.selection) {
            try run.allow(rows: set.count, width: grid.count)
            return try rows(scan, times, run, grid).whole(set, width: grid.count, run)
        }
        let (first, last) = times.references(grid)
        let found = try run.select(
            selector.matchers, from: first &- run.options.lookback.rawValue &+ 1, through: last)
        try run.allow(rows: found.count, width: grid.count)
        var block = try Block(SeriesSet(found.map(\.labels)), width: grid.count, run)
        for (row, samples) in found.enumerated() {
            if grid.count > 16 || row & 63 == 63 { try run.check() }
            try fill(&block, row: row, from: samples, times: times, grid: grid, run)
        }
        return block
    }

    fileprivate func scan(
        _ run: Run, _ times: SampleTimes, _ grid: Grid, _ demand: LabelDemand
    ) throws(QueryError) -> (any SeriesScan)? {
        let (first, last) = times.references(grid)
        return try run.scan(
            selector.matchers, from: first &- run.options.lookback.rawValue &+ 1, through: last, labels: demand,
            remembering: &selection)
    }

    private func fill(
        _ block: inout Block, row: Int, from samples: SeriesSamples, times: SampleTimes, grid: Grid, _ run: Run
    ) throws(QueryError) {
        let lookback = run.options.lookback.rawValue
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
                // 0 means "unknown", as in Prometheus's samples.
                let known = index < samples.startTimestamps.count ? samples.startTimestamps[index] : .min
                block.set(cell, to: known == .min ? 0 : Double(known) / 1000)
            }
        }
        run.used(filled)
    }
}

// MARK: Series of a store

extension SelectorNode: SeriesRowsNode {
    func rows(_ run: Run, over grid: Grid, groupedBy grouping: Grouping) throws(QueryError) -> SeriesRows? {
        let times = try SampleTimes(modifiers, run: run)
        guard field == .value, selector.rangeExtension == nil, !run.options.delayedNameRemoval,
            times.fixed == nil || grid.count == 1,
            let scan = try scan(run, times, grid, grouping.demand(dropsNames: false))
        else { return nil }
        return rows(scan, times, run, grid)
    }

    private func rows(_ scan: any SeriesScan, _ times: SampleTimes, _ run: Run, _ grid: Grid) -> SeriesRows {
        let reader = TileReader<LatestRows>(scan)
        return SeriesRows(scan) { [self] (piece, block, row) throws(QueryError) in
            var rest = Array(repeating: true, count: piece.rows.count)
            if let lane = piece.block {
                let steps = reader.steps(of: lane) {
                    LatestRows($0, times, lookback: run.options.lookback.rawValue, grid)
                }
                if let rows = steps.rows {
                    reader.read(rows, of: lane)
                    run.used(fill(&block, at: row, from: reader.tile, steps, &rest))
                } else {
                    return
                }
            }
            for (index, series) in piece.rows.enumerated() where rest[index] {
                if index & 15 == 15 { try run.check() }
                var samples = scan.samples(of: series)
                if samples.count == 0 { continue }
                if case .each(let labels) = scan.selection.labelling { samples.labels = labels[series] }
                try fill(&block, row: row + index, from: samples, times: times, grid: grid, run)
            }
        }
    }

    /// Fills rows with the series that have a sample in every row read, and removes them from `rest`.
    ///
    /// - Returns: the number of samples used.
    private func fill(
        _ block: inout Block, at row: Int, from tile: SampleTile, _ steps: LatestRows, _ rest: inout [Bool]
    ) -> Int {
        var used = 0
        let width = block.width
        let tileValues = tile.values
        let source = tileValues.span
        for series in 0..<tile.count where tile.isComplete[series] {
            rest[series] = false
            let start = series * tile.stride - tile.firstRow
            for step in 0..<width {
                let latest = steps.latest[step]
                if latest < 0 { continue }
                let value = source[start + latest]
                if value.isStaleMarker { continue }
                used += 1
                let cell = (row + series) * width + step
                switch field {
                case .value: block.set(cell, to: value)
                case .timestamp: block.set(cell, to: Double(tile.times[latest - tile.firstRow]) / 1000)
                case .age: block.set(cell, to: Double(tile.times[latest - tile.firstRow]))
                case .startTimestamp: block.set(cell, to: 0)
                }
            }
        }
        return used
    }
}

/// The latest row of a lane at each step, if it is not too old.
private struct LatestRows {
    /// -1 for none.
    let latest: [Int]
    /// From the first to the last row used by any step.
    let rows: Range<Int>?

    init(_ times: [Int64], _ references: SampleTimes, lookback: Int64, _ grid: Grid) {
        var latest: [Int] = []
        latest.reserveCapacity(grid.count)
        var next = 0
        for column in 0..<grid.count {
            let reference = references.reference(grid.time(column))
            while next < times.count, times[next] <= reference { next += 1 }
            latest.append(next > 0 && times[next - 1] > reference &- lookback ? next - 1 : -1)
        }
        self.latest = latest
        rows = latest.first { $0 >= 0 }.map { $0..<(latest.last { $0 >= 0 } ?? $0) + 1 }
    }
}

extension FloatHistogram {
    /// Detects a reset after `previous`, if the hint is unknown.
    mutating func resolveHint(after previous: FloatHistogram?) {
        guard counterResetHint == .unknown, let previous, !previous.isStaleMarker else { return }
        counterResetHint = isReset(after: previous) ? .reset : .notReset
    }
}
