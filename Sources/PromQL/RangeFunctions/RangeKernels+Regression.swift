internal import MetricModel

/// Functions that fit a line or a trend to the floats of a window.
extension RangeKernels {
    /// Runs `body` for windows with at least two floats. Adds an annotation about histograms if there is any float.
    private static func ofTwoFloats(
        _ window: Window, _ context: RangeContext, _ body: () throws(QueryError) -> Double
    ) throws(QueryError) -> Sample? {
        if !window.floats.isEmpty && !window.histograms.isEmpty { context.remarkIgnoredHistograms(window) }
        return window.floats.count < 2 ? nil : .float(try body())
    }

    static func derivative(_ window: Window, _ context: RangeContext) throws(QueryError) -> Sample? {
        try ofTwoFloats(window, context) { () throws(QueryError) in
            // An origin near the samples keeps the sums precise.
            regression(window, origin: window.series.floatTimes[window.floats.lowerBound]).slope
        }
    }

    static func predictLinear(_ window: Window, _ context: RangeContext) throws(QueryError) -> Sample? {
        try ofTwoFloats(window, context) { () throws(QueryError) in
            let (slope, intercept) = regression(window, origin: window.time)
            return slope * window.parameters[0] + intercept
        }
    }

    /// The least-squares line through the floats: slope per second and value at `origin`.
    private static func regression(_ window: Window, origin: Int64) -> (slope: Double, intercept: Double) {
        let series = window.series
        let first = series.floats[window.floats.lowerBound]
        var isConstant = true
        var (sumX, sumY, sumXY, sumX2) = (CompensatedSum(), CompensatedSum(), CompensatedSum(), CompensatedSum())
        for index in window.floats {
            let value = series.floats[index]
            if index > window.floats.lowerBound, value != first { isConstant = false }
            let x = Double(series.floatTimes[index] - origin) / 1000
            sumX.add(x)
            sumY.add(value)
            sumXY.add(x * value)
            sumX2.add(x * x)
        }
        if isConstant { return first.isInfinite ? (.nan, .nan) : (0, first) }
        let count = Double(window.floats.count)
        let (x, y) = (sumX.sum + sumX.compensation, sumY.sum + sumY.compensation)
        let covariance = (sumXY.sum + sumXY.compensation) - x * y / count
        let variance = (sumX2.sum + sumX2.compensation) - x * x / count
        let slope = covariance / variance
        return (slope, y / count - slope * x / count)
    }

    /// Double exponential smoothing with a smoothing factor and a trend factor.
    static func smoothing(_ window: Window, _ context: RangeContext) throws(QueryError) -> Sample? {
        let (smoothing, trendFactor) = (window.parameters[0], window.parameters[1])
        if smoothing <= 0 || smoothing >= 1 {
            throw .execution(
                "invalid smoothing factor. Expected: 0 < sf < 1, got: \(NumberText.fixed(smoothing))")
        }
        if trendFactor <= 0 || trendFactor >= 1 {
            throw .execution("invalid trend factor. Expected: 0 < tf < 1, got: \(NumberText.fixed(trendFactor))")
        }
        return try ofTwoFloats(window, context) { () throws(QueryError) in
            let values = window.series.floats[window.floats]
            var previous = 0.0
            var smoothed = values[values.startIndex]
            var trend = values[values.startIndex + 1] - smoothed
            for index in values.indices.dropFirst() {
                if index > values.startIndex + 1 {
                    trend = trendFactor * (smoothed - previous) + (1 - trendFactor) * trend
                }
                let next = smoothing * values[index] + (1 - smoothing) * (smoothed + trend)
                previous = smoothed
                smoothed = next
            }
            return smoothed
        }
    }
}
