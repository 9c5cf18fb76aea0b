internal import MetricModel

/// The aggregations over time.
extension RangeKernels {
    /// A function of the floats of a window. Histograms are skipped with an annotation.
    static func ofFloats(_ body: @escaping @Sendable (Window) -> Double) -> RangeFunctionNode.Kernel {
        { (window, context) throws(QueryError) in
            if window.floats.isEmpty { return nil }
            if !window.histograms.isEmpty { context.remarkIgnoredHistograms(window) }
            return .float(body(window))
        }
    }

    /// A function of only the number and times of samples.
    static func ofAny(_ body: @escaping @Sendable (Window) -> Double) -> RangeFunctionNode.Kernel {
        { (window, _) throws(QueryError) in .float(body(window)) }
    }

    static func sumOverTime(_ window: Window, _ context: RangeContext) throws(QueryError) -> Sample? {
        if window.isMixed {
            context.remarkMix(window)
            return nil
        }
        if window.floats.isEmpty { return histogramSum(window, context).map { .histogram($0) } }
        let floats = window.series.floats
        let span = floats.span
        return .float(Reductions.sum(span.extracting(window.floats)))
    }

    static func averageOverTime(_ window: Window, _ context: RangeContext) throws(QueryError) -> Sample? {
        if window.isMixed {
            context.remarkMix(window)
            return nil
        }
        if window.floats.isEmpty { return histogramMean(window, context).map { .histogram($0) } }
        let floats = window.series.floats
        let span = floats.span
        return .float(Reductions.mean(span.extracting(window.floats)))
    }

    private static func histogramSum(_ window: Window, _ context: RangeContext) -> FloatHistogram? {
        let histograms = window.series.histograms[window.histograms]
        var sum = HistogramAccumulator(histograms[window.histograms.lowerBound])
        var reconciled = false
        for histogram in histograms.dropFirst() {
            guard let outcome = sum.add(histogram) else {
                context.remarkMixedSchemas(window)
                return nil
            }
            reconciled = reconciled || outcome.boundsReconciled
        }
        context.remark(hintsOf: histograms, reconciled: reconciled)
        return sum.total
    }

    private static func histogramMean(_ window: Window, _ context: RangeContext) -> FloatHistogram? {
        let histograms = window.series.histograms[window.histograms]
        var mean = HistogramMean(first: histograms[window.histograms.lowerBound])
        for histogram in histograms.dropFirst() {
            guard mean.add(histogram) else {
                context.remarkMixedSchemas(window)
                return nil
            }
        }
        context.remark(hintsOf: histograms, reconciled: mean.boundsReconciled)
        return mean.mean
    }

    /// `min_over_time`, `max_over_time` and their `ts_of_` variants: the value for which `isBetter` holds against all
    /// others, and its time.
    static func extreme(_ window: Window, _ isBetter: (Double, Double) -> Bool) -> (value: Double, time: Int64) {
        let series = window.series
        var best = series.floats[window.floats.lowerBound]
        var time = series.floatTimes[window.floats.lowerBound]
        for index in window.floats where isBetter(series.floats[index], best) || best.isNaN {
            best = series.floats[index]
            time = series.floatTimes[index]
        }
        return (best, time)
    }

    static func variance(_ window: Window) -> Double {
        let floats = window.series.floats
        let span = floats.span
        return Reductions.variance(span.extracting(window.floats))
    }

    static func medianAbsoluteDeviation(_ window: Window) -> Double {
        let values = window.series.floats[window.floats]
        if values.contains(where: \.isNaN) { return .nan }
        let median = Quantile.of(Array(values), 0.5)
        return Quantile.of(values.map { ($0 - median).magnitude }, 0.5)
    }

    static func quantileOverTime(_ window: Window, _ context: RangeContext) throws(QueryError) -> Sample? {
        if window.floats.isEmpty { return nil }
        let fraction = window.parameters[0]
        context.run.remarkInvalidQuantile(fraction, at: context.position)
        if !window.histograms.isEmpty { context.remarkIgnoredHistograms(window) }
        return .float(Quantile.of(Array(window.series.floats[window.floats]), fraction))
    }

    static func firstOverTime(_ window: Window, _ context: RangeContext) throws(QueryError) -> Sample? {
        let (float, histogram) = (window.floats.lowerBound, window.histograms.lowerBound)
        let series = window.series
        let takesFloat =
            window.histograms.isEmpty
            || (!window.floats.isEmpty && series.floatTimes[float] < series.histogramTimes[histogram])
        return takesFloat ? .float(series.floats[float]) : .histogram(series.histograms[histogram])
    }

    static func lastOverTime(_ window: Window, _ context: RangeContext) throws(QueryError) -> Sample? {
        let (float, histogram) = (window.floats.upperBound - 1, window.histograms.upperBound - 1)
        let series = window.series
        let takesFloat =
            window.histograms.isEmpty
            || (!window.floats.isEmpty && series.floatTimes[float] > series.histogramTimes[histogram])
        return takesFloat ? .float(series.floats[float]) : .histogram(series.histograms[histogram])
    }

    static func firstTime(_ window: Window) -> Double {
        let float = window.floats.isEmpty ? Int64.max : window.series.floatTimes[window.floats.lowerBound]
        let histogram =
            window.histograms.isEmpty ? Int64.max : window.series.histogramTimes[window.histograms.lowerBound]
        return Double(min(float, histogram)) / 1000
    }

    static func lastTime(_ window: Window) -> Double {
        let float = window.floats.isEmpty ? Int64.min : window.series.floatTimes[window.floats.upperBound - 1]
        let histogram =
            window.histograms.isEmpty ? Int64.min : window.series.histogramTimes[window.histograms.upperBound - 1]
        return Double(max(float, histogram)) / 1000
    }
}

extension RangeContext {
    /// Adds annotations about conflicting hints and reconciled custom bounds.
    func remark(hintsOf histograms: some Sequence<FloatHistogram>, reconciled: Bool) {
        let hints = Set(histograms.map(\.counterResetHint))
        if hints.contains(.reset) && hints.contains(.notReset) { remarkCollision("aggregation") }
        if reconciled { remarkReconciled("aggregation") }
    }
}

/// A mean of histograms, computed like `CompensatedMean`.
struct HistogramMean {
    private var accumulated: HistogramAccumulator
    private var count = 1.0
    private var isIncremental = false
    /// Whether custom bounds differed.
    private(set) var boundsReconciled = false

    init(first histogram: FloatHistogram) {
        accumulated = HistogramAccumulator(histogram)
    }

    /// - Returns: whether the histogram is compatible with the previous ones.
    mutating func add(_ histogram: FloatHistogram) -> Bool {
        count += 1
        if !isIncremental {
            var next = accumulated
            guard let outcome = next.add(histogram) else { return false }
            boundsReconciled = boundsReconciled || outcome.boundsReconciled
            if !next.hasOverflow {
                accumulated = next
                return true
            }
            isIncremental = true
            accumulated.divide(by: count - 1)
        }
        accumulated.scale(by: (count - 1) / count)
        var part = histogram
        part.divide(by: count)
        guard let outcome = accumulated.add(part) else { return false }
        boundsReconciled = boundsReconciled || outcome.boundsReconciled
        return true
    }

    var mean: FloatHistogram {
        if isIncremental { return accumulated.total }
        var result = accumulated
        result.divide(by: count)
        return result.total
    }
}

/// Quantiles of a list of values.
enum Quantile {
    /// The `fraction`-quantile, linearly interpolated between adjacent values. NaN is the least value.
    ///
    /// - Returns: NaN for no values or a NaN fraction, -Inf below 0, +Inf above 1.
    static func of(_ values: [Double], _ fraction: Double) -> Double {
        if values.isEmpty || fraction.isNaN { return .nan }
        if fraction < 0 { return -.infinity }
        if fraction > 1 { return .infinity }
        let ordered = values.sorted { $0.isNaN ? !$1.isNaN : $0 < $1 }
        let rank = fraction * Double(ordered.count - 1)
        let lower = Int(max(0, rank.rounded(.down)))
        let upper = min(ordered.count - 1, lower + 1)
        let weight = rank - rank.rounded(.down)
        return ordered[lower] * (1 - weight) + ordered[upper] * weight
    }
}
