internal import MetricModel

/// `anchored` and `smoothed` ranges: no extrapolation. The values at the ends of the window are those of the previous
/// sample (anchored), or interpolated between the samples around them (smoothed).
extension RangeKernels {
    /// The first and last sample that count for a window, as indices into `times`; `nil` if there are too few.
    static func extendedEnds(
        _ times: [Int64], _ range: Range<Int>, start: Int64, end: Int64, isSmoothed: Bool
    ) -> (first: Int, last: Int)? {
        let final = range.upperBound - 1
        let after = times[range].firstIndex { $0 > start } ?? final
        let first = max(range.lowerBound, min(after, final) - 1)
        let last = isSmoothed ? min(times[range].firstIndex { $0 >= end } ?? final, final) : final
        if times[last] <= start || (isSmoothed && times[first] > end) { return nil }
        return (first, last)
    }

    static func interpolated(
        _ series: RangeSeries, between index: Int, at time: Int64, isCounter: Bool
    ) -> Double {
        let (low, high) = (series.floats[index], series.floats[index + 1])
        let (from, to) = (series.floatTimes[index], series.floatTimes[index + 1])
        let base = isCounter && high < low ? 0 : low
        return base + (high - base) * Double(time - from) / Double(to - from)
    }

    /// The values at both ends of the window.
    static func extendedValues(
        _ window: Window, _ ends: (first: Int, last: Int), isSmoothed: Bool, isCounter: Bool
    ) -> (left: Double, right: Double) {
        let series = window.series
        let (first, last) = ends
        let left =
            isSmoothed && series.floatTimes[first] < window.start
            ? interpolated(series, between: first, at: window.start, isCounter: isCounter) : series.floats[first]
        let right =
            isSmoothed && last > window.floats.lowerBound && series.floatTimes[last] > window.end
            ? interpolated(series, between: last - 1, at: window.end, isCounter: isCounter) : series.floats[last]
        return (left, right)
    }

    static func extendedRate(_ window: Window, _ kind: RateKind, isSmoothed: Bool) -> Sample? {
        let series = window.series
        guard
            let ends = extendedEnds(
                series.floatTimes, window.floats, start: window.start, end: window.end, isSmoothed: isSmoothed)
        else { return nil }
        let (left, right) = extendedValues(window, ends, isSmoothed: isSmoothed, isCounter: kind.isCounter)
        var result = right - left
        if kind.isCounter {
            // The values at the ends already include resets there.
            let first = series.floatTimes[ends.first] <= window.start ? ends.first + 1 : ends.first
            let last = series.floatTimes[ends.last] >= window.end ? ends.last - 1 : ends.last
            var previous = left
            if first <= last {
                for value in series.floats[first...last] {
                    if value < previous { result += previous }
                    previous = value
                }
            }
            if right < previous { result += previous }
        }
        return .float(kind.isPerSecond ? result / window.seconds : result)
    }

    static func extendedHistogramRate(
        _ window: Window, _ kind: RateKind, isSmoothed: Bool, _ context: RangeContext
    ) -> Sample? {
        let series = window.series
        guard
            let ends = extendedEnds(
                series.histogramTimes, window.histograms, start: window.start, end: window.end,
                isSmoothed: isSmoothed)
        else { return nil }
        let used = series.histograms[ends.first...ends.last]
        guard used.allSatisfy({ $0.usesCustomBuckets == used[ends.first].usesCustomBuckets }) else {
            context.remarkMixedSchemas(window)
            return nil
        }
        if kind.isCounter, used.contains(where: { $0.counterResetHint == .gauge }) { context.remarkNotCounter(window) }
        let interpolation = HistogramInterpolation(series: series, isCounter: kind.isCounter, context: context)
        guard
            let left = isSmoothed && series.histogramTimes[ends.first] < window.start
                ? interpolation.value(after: ends.first, at: window.start, window) : series.histograms[ends.first],
            let right =
                isSmoothed && ends.last > window.histograms.lowerBound
                    && series.histogramTimes[ends.last] > window.end
                ? interpolation.value(after: ends.last - 1, at: window.end, window) : series.histograms[ends.last]
        else { return nil }
        if !kind.isCounter, left.counterResetHint != .gauge || right.counterResetHint != .gauge {
            context.remarkNotGauge(window)
        }
        var result = right
        guard context.subtract(left, from: &result, window) else { return nil }
        if kind.isCounter {
            guard correct(&result, window, ends, left, right, isSmoothed: isSmoothed, context) else { return nil }
        }
        if kind.isPerSecond { result.divide(by: window.seconds) }
        result.counterResetHint = .gauge
        result.compact()
        return .histogram(result)
    }

    /// Adds the increases hidden by resets between the ends.
    private static func correct(
        _ result: inout FloatHistogram, _ window: Window, _ ends: (first: Int, last: Int), _ left: FloatHistogram,
        _ right: FloatHistogram, isSmoothed: Bool, _ context: RangeContext
    ) -> Bool {
        let histograms = window.series.histograms
        var next = ends.first + 1
        var previous = left
        if isSmoothed, next < histograms.count, window.series.histogramTimes[ends.first] < window.start,
            histograms[next].isReset(after: histograms[ends.first])
        {
            // The interpolated left value already starts after this reset.
            previous = histograms[next]
            next += 1
        }
        // The last sample is represented by the right value.
        if next > ends.last { return true }
        for index in next..<ends.last {
            if histograms[index].isReset(after: previous) {
                guard context.add(previous, to: &result, window) else { return false }
            }
            previous = histograms[index]
        }
        return right.isReset(after: previous) ? context.add(previous, to: &result, window) : true
    }
}

/// Histograms interpolated between two adjacent samples of a series.
struct HistogramInterpolation {
    let series: RangeSeries
    let isCounter: Bool
    let context: RangeContext

    /// The histogram at `time`, between the one at `index` and the next; `nil` if they are incompatible.
    func value(after index: Int, at time: Int64, _ window: Window) -> FloatHistogram? {
        let (low, high) = (series.histograms[index], series.histograms[index + 1])
        let (from, to) = (series.histogramTimes[index], series.histogramTimes[index + 1])
        if time == from { return low }
        if time == to { return high }
        guard low.usesCustomBuckets == high.usesCustomBuckets else {
            context.remarkMixedSchemas(window)
            return nil
        }
        let fraction = Double(time - from) / Double(to - from)
        var result = high
        if isCounter && high.isReset(after: low) {
            result.scale(by: fraction)
            return result
        }
        guard context.subtract(low, from: &result, window) else { return nil }
        result.scale(by: fraction)
        return context.add(low, to: &result, window) ? result : nil
    }
}
