internal import MetricModel

/// `resets` and `changes`: compare adjacent samples, floats and histograms together in time order.
extension RangeKernels {
    /// Counts the adjacent pairs for which `happened` returns true. A float next to a histogram always counts.
    private static func count(
        _ window: Window, _ context: RangeContext, floats: (Int) -> Bool, histograms: (Int) -> Bool
    ) -> Sample? {
        guard let (firstFloat, firstHistogram) = beginnings(window, isAnchored: context.rangeExtension != nil) else {
            return nil
        }
        let series = window.series
        var (float, histogram) = (firstFloat, firstHistogram)
        var count = 0.0
        var wasFloat: Bool?
        while float < window.floats.upperBound || histogram < window.histograms.upperBound {
            let isFloat =
                histogram >= window.histograms.upperBound
                || (float < window.floats.upperBound && series.floatTimes[float] < series.histogramTimes[histogram])
            if let wasFloat {
                if wasFloat != isFloat || (isFloat ? floats(float) : histograms(histogram)) { count += 1 }
            }
            wasFloat = isFloat
            if isFloat { float += 1 } else { histogram += 1 }
        }
        return .float(count)
    }

    /// The first indices: for an anchored range the latest sample before it, then all inside.
    private static func beginnings(_ window: Window, isAnchored: Bool) -> (float: Int, histogram: Int)? {
        if !isAnchored { return (window.floats.lowerBound, window.histograms.lowerBound) }
        let series = window.series
        let float = window.floats.first { series.floatTimes[$0] > window.start } ?? window.floats.upperBound
        let histogram =
            window.histograms.first { series.histogramTimes[$0] > window.start } ?? window.histograms.upperBound
        if float == window.floats.upperBound && histogram == window.histograms.upperBound { return nil }
        let hasFloat = float > window.floats.lowerBound
        let hasHistogram = histogram > window.histograms.lowerBound
        if !hasFloat && !hasHistogram { return (float, histogram) }
        let anchorIsFloat =
            !hasHistogram || (hasFloat && series.floatTimes[float - 1] >= series.histogramTimes[histogram - 1])
        return anchorIsFloat ? (float - 1, histogram) : (float, histogram - 1)
    }

    static func resets(_ window: Window, _ context: RangeContext) throws(QueryError) -> Sample? {
        let series = window.series
        return count(
            window, context,
            floats: { index in
                series.floats[index] < series.floats[index - 1]
                    || (!series.floatStarts.isEmpty
                        && StartGap(series.floatTimes, series.floatStarts, index).isReset)
            },
            histograms: { index in
                (!series.histogramStarts.isEmpty
                    && StartGap(series.histogramTimes, series.histogramStarts, index).isReset)
                    || series.histograms[index].isReset(after: series.histograms[index - 1])
            })
    }

    static func changes(_ window: Window, _ context: RangeContext) throws(QueryError) -> Sample? {
        let series = window.series
        return count(
            window, context,
            floats: { index in
                let (now, before) = (series.floats[index], series.floats[index - 1])
                return now != before && !(now.isNaN && before.isNaN)
            },
            histograms: { !series.histograms[$0].isEqual(to: series.histograms[$0 - 1]) })
    }
}
