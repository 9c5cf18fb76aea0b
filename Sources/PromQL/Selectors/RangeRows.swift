internal import MetricModel

/// The rows of a lane in the windows of a range function, step by step.
struct RangeSteps {
    struct Step {
        /// Rows of the lane.
        var rows: Range<Int>
        /// The ends of the range, in milliseconds.
        var start: Int64
        var end: Int64
    }

    let steps: [Step]
    /// The rows from the first to the last in any window.
    let rows: Range<Int>
    /// The number of samples in all windows of a series with a sample in every row.
    let sampleCount: Int
    /// The extrapolation of a rate at each step, for a series with a sample in every row.
    let extrapolations: [Extrapolation]

    init(_ times: [Int64], _ contents: SampleTimes, width: Int64, _ grid: Grid) {
        var steps: [Step] = []
        steps.reserveCapacity(grid.count)
        var extrapolations: [Extrapolation] = []
        extrapolations.reserveCapacity(grid.count)
        var (low, high, total) = (0, 0, 0)
        var all: Range<Int>?
        for column in 0..<grid.count {
            let end = contents.reference(grid.time(column))
            let start = end &- width
            while low < times.count, times[low] <= start { low += 1 }
            high = max(high, low)
            while high < times.count, times[high] <= end { high += 1 }
            steps.append(Step(rows: low..<high, start: start, end: end))
            total += high - low
            if low < high { all = (all?.lowerBound ?? low)..<high }
            extrapolations.append(
                low < high
                    ? Extrapolation(
                        from: start, through: end, first: times[low], last: times[high - 1], count: high - low)
                    : Extrapolation(from: start, through: end, first: start, last: end, count: 0))
        }
        self.steps = steps
        self.extrapolations = extrapolations
        rows = all ?? 0..<0
        sampleCount = total
    }
}

extension RangeFunctionNode: SeriesRowsNode {
    func rows(_ run: Run, over grid: Grid, groupedBy grouping: Grouping) throws(QueryError) -> SeriesRows? {
        // Rows without names may have equal labels, unless all have the same name.
        guard parameters.isEmpty, !run.options.delayedNameRemoval, !run.options.typeAndUnitLabels,
            definition.keepsName || source.singleName != nil,
            let scan = try source.scan(
                run, over: grid, labels: grouping.demand(dropsNames: !definition.keepsName)),
            definition.keepsName || !scan.scan.selection.mayHaveMetadataLabels
        else { return nil }
        return rows(scan, [], run, grid) { [self] (block, _, count) in
            guard definition.wantsCounter, let name = source.singleName, !SeriesSet.isCounterName(name) else { return }
            if block.kinds[0..<count * grid.count].contains(Block.Kind.float) { remarkNonCounter(name, run) }
        }
    }

    /// - Parameter finished: called with the rows of a piece in the block that was computed, and their number.
    func rows(
        _ contents: RangeSource.Scan, _ scalars: [Block], _ run: Run, _ grid: Grid,
        finished: @escaping (Block, Int, Int) -> Void = { _, _, _ in }
    ) -> SeriesRows {
        let reader = TileReader<RangeSteps>(contents.scan)
        let context = RangeContext(run: run, position: position, rangeExtension: nil)
        return SeriesRows(contents.scan) { [self] (piece, block, row) throws(QueryError) in
            if let lane = piece.block {
                let steps = reader.steps(of: lane) {
                    RangeSteps($0, contents.times, width: contents.width, grid)
                }
                if steps.rows.isEmpty { return }
                reader.read(steps.rows, of: lane)
                try fill(&block, at: row, from: reader.tile, steps, piece, contents, scalars, context, grid)
            } else {
                for (index, series) in piece.rows.enumerated() {
                    if index & 15 == 15 { try run.check() }
                    let samples = contents.scan.samples(of: series)
                    if samples.count == 0 { continue }
                    try fill(&block, row: row + index, series, samples, contents, scalars, context, grid)
                }
            }
            finished(block, row, piece.rows.count)
        }
    }

    private func fill(
        _ block: inout Block, at row: Int, from tile: SampleTile, _ steps: RangeSteps, _ piece: SeriesRows.Piece,
        _ contents: RangeSource.Scan, _ scalars: [Block], _ context: RangeContext, _ grid: Grid
    ) throws(QueryError) {
        var rest = Array(repeating: true, count: piece.rows.count)
        if let kernel = definition.tileKernel {
            let done = kernel(tile, steps, &block, row, &rest)
            context.run.used(done * steps.sampleCount)
            if done == piece.rows.count { return }
        }
        for index in rest.indices where rest[index] {
            if index & 15 == 15 { try context.run.check() }
            let (times, values) = tile.samples(of: index)
            if times.isEmpty { continue }
            try fill(
                &block, row: row + index, piece.rows.lowerBound + index,
                SeriesSamples(labels: .empty, timestamps: times, values: values), contents, scalars, context, grid)
        }
    }

    private func fill(
        _ block: inout Block, row: Int, _ series: Int, _ samples: SeriesSamples, _ contents: RangeSource.Scan,
        _ scalars: [Block], _ context: RangeContext, _ grid: Grid
    ) throws(QueryError) {
        var samples = samples
        samples.labels = contents.labels(of: series)
        try fill(
            &block, row: row,
            series: RangeSeries(samples, withStarts: false, resolvesHints: contents.resolvesHints),
            times: contents.times, width: contents.width, scalars: scalars, context, grid)
    }
}
