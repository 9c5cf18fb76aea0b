internal import MetricModel

/// The value of an instant query for a range vector: the samples themselves.
struct RangeResult {
    private let source: RangeSource
    private let time: Int64

    init(_ source: RangeSource, _ time: Int64) {
        self.source = source
        self.time = time
    }

    /// The samples in the window, by series.
    func value(_ run: Run) throws(QueryError) -> [SeriesSamples] {
        let contents = try source.load(run, over: Grid(at: time))
        let cleaned = run.options.delayedNameRemoval ? contents.set.cleaned : contents.set
        let context = RangeContext(run: run, position: SourceRange(0, 0), rangeExtension: source.rangeExtension)
        var result: [SeriesSamples] = []
        for row in 0..<contents.set.count {
            var window = Window(series: contents.series(row))
            window.time = time
            window.end = contents.times.reference(time)
            window.start = window.end &- contents.width
            window.advance(from: window.start &- contents.before, through: window.end &+ contents.after)
            if window.isEmpty { continue }
            let samples =
                source.rangeExtension == nil
                ? samples(window) : extendedSamples(window, context)
            guard var samples, samples.count > 0 else { continue }
            samples.labels = cleaned.labels[row]
            run.used(samples.count)
            try run.hold(samples.count)
            result.append(samples)
        }
        return result.sorted { $0.labels < $1.labels }
    }

    private func samples(_ window: Window) -> SeriesSamples {
        let series = window.series
        var result = SeriesSamples(labels: series.labels)
        if window.histograms.isEmpty {
            result.timestamps = Array(series.floatTimes[window.floats])
            result.values = Array(series.floats[window.floats])
            return result
        }
        var (float, histogram) = (window.floats.lowerBound, window.histograms.lowerBound)
        while float < window.floats.upperBound || histogram < window.histograms.upperBound {
            let takesFloat =
                histogram >= window.histograms.upperBound
                || (float < window.floats.upperBound && series.floatTimes[float] < series.histogramTimes[histogram])
            result.timestamps.append(takesFloat ? series.floatTimes[float] : series.histogramTimes[histogram])
            result.values.append(takesFloat ? series.floats[float] : 0)
            result.histograms.append(takesFloat ? nil : series.histograms[histogram])
            if takesFloat { float += 1 } else { histogram += 1 }
        }
        return result
    }

    /// The samples inside an extended range, with one at each end.
    private func extendedSamples(_ window: Window, _ context: RangeContext) -> SeriesSamples? {
        if window.isMixed {
            context.remarkMix(window)
            return nil
        }
        let series = window.series
        let isSmoothed = context.rangeExtension == .smoothed
        let times = window.histograms.isEmpty ? series.floatTimes : series.histogramTimes
        let range = window.histograms.isEmpty ? window.floats : window.histograms
        guard
            let ends = RangeKernels.extendedEnds(
                times, range, start: window.start, end: window.end, isSmoothed: isSmoothed)
        else { return nil }
        let first = times[ends.first] <= window.start ? ends.first + 1 : ends.first
        let last = times[ends.last] >= window.end ? ends.last - 1 : ends.last
        let inside = first <= last ? Array(first...last) : []
        var result = SeriesSamples(labels: series.labels)
        result.timestamps = [window.start] + inside.map { times[$0] } + [window.end]
        if window.histograms.isEmpty {
            let (left, right) = RangeKernels.extendedValues(window, ends, isSmoothed: isSmoothed, isCounter: false)
            result.values = [left] + inside.map { series.floats[$0] } + [right]
            return result
        }
        let interpolation = HistogramInterpolation(series: series, isCounter: false, context: context)
        guard
            let left = isSmoothed && times[ends.first] < window.start
                ? interpolation.value(after: ends.first, at: window.start, window) : series.histograms[ends.first],
            let right = isSmoothed && ends.last > range.lowerBound && times[ends.last] > window.end
                ? interpolation.value(after: ends.last - 1, at: window.end, window) : series.histograms[ends.last]
        else { return nil }
        result.values = [Double](repeating: 0, count: result.timestamps.count)
        result.histograms = [left] + inside.map { series.histograms[$0] } + [right]
        return result
    }
}
