internal import MetricModel

/// `x smoothed`: at each step, the value interpolated between the samples around it.
struct SmoothedSelection {
    let selector: VectorSelector
    let times: SampleTimes

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        let lookback = run.options.lookback.rawValue
        let (first, last) = times.references(grid)
        let found = try run.select(
            selector.matchers, from: first &- lookback &+ 1, through: last &+ lookback)
        try run.allow(rows: found.count, width: grid.count)
        var block = Block(SeriesSet(found.map(\.labels)), width: grid.count)
        let context = RangeContext(run: run, position: selector.range, rangeExtension: .smoothed)
        for (row, samples) in found.enumerated() {
            try run.check()
            var window = Window(series: RangeSeries(samples, withStarts: false))
            for column in 0..<grid.count {
                let moment = times.reference(grid.time(column))
                window.advance(from: moment &- lookback, through: moment &+ lookback)
                run.used(window.floats.count + window.histograms.count)
                if window.isMixed {
                    context.remarkMix(window)
                } else if let sample = sample(window, at: moment, context) {
                    block.set(block.cell(row, column), to: sample)
                }
            }
        }
        return block
    }

    private func sample(_ window: Window, at moment: Int64, _ context: RangeContext) -> Sample? {
        let series = window.series
        let (range, times) =
            window.histograms.isEmpty
            ? (window.floats, series.floatTimes) : (window.histograms, series.histogramTimes)
        let after = range.first { times[$0] >= moment } ?? range.upperBound
        let isExact = after < range.upperBound && times[after] == moment
        if !isExact && after == range.lowerBound { return nil }
        // After the last sample, its value is used.
        let index = isExact ? after : after - 1
        let isBetween = !isExact && after < range.upperBound
        if window.histograms.isEmpty {
            return .float(
                isBetween
                    ? RangeKernels.interpolated(series, between: index, at: moment, isCounter: false)
                    : series.floats[index])
        }
        if !isBetween { return .histogram(series.histograms[index]) }
        // Histograms have a gauge hint; floats do not.
        let isCounter = series.histograms[index + 1].counterResetHint != .gauge
        return HistogramInterpolation(series: series, isCounter: isCounter, context: context)
            .value(after: index, at: moment, window).map { .histogram($0) }
    }
}
