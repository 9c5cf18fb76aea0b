internal import MetricModel

/// The functions of range vectors, one window at a time.
enum RangeKernels {}

extension RangeKernels {
    /// The differences between `rate`, `increase` and `delta`.
    struct RateKind {
        /// Whether decreasing values are counter resets.
        let isCounter: Bool
        /// Whether the result is per second.
        let isPerSecond: Bool
    }

    /// `rate`, `increase` and `delta`.
    static func rate(_ kind: RateKind) -> RangeFunctionNode.Kernel {
        { (window, context) throws(QueryError) in
            if window.isMixed {
                context.remarkMix(window)
                return nil
            }
            if let rangeExtension = context.rangeExtension {
                return window.histograms.isEmpty
                    ? extendedRate(window, kind, isSmoothed: rangeExtension == .smoothed)
                    : extendedHistogramRate(window, kind, isSmoothed: rangeExtension == .smoothed, context)
            }
            return window.histograms.isEmpty
                ? floatRate(window, kind, context) : histogramRate(window, kind, context)
        }
    }

    private static func floatRate(_ window: Window, _ kind: RateKind, _ context: RangeContext) -> Sample? {
        let series = window.series
        let first = window.floats.lowerBound
        let last = window.floats.upperBound - 1
        var increase = series.floats[last] - series.floats[first]
        if kind.isCounter {
            increase += resets(in: window, context)
        }
        var extrapolation = Extrapolation(
            window, first: series.floatTimes[first], last: series.floatTimes[last], count: window.floats.count)
        let start = kind.isCounter && !series.floatStarts.isEmpty ? series.floatStarts[first] : 0
        if start != 0 && start > window.start && start < series.floatTimes[first] {
            // The series started at zero in the window, so no extrapolation is needed.
            increase += series.floats[first]
            extrapolation.begin(at: start, last: series.floatTimes[last])
        } else if window.floats.count < 2 {
            return nil
        } else if kind.isCounter, increase > 0, series.floats[first] >= 0 {
            extrapolation.limitStart(ratio: series.floats[first] / increase)
        }
        return .float(increase * extrapolation.factor(window.seconds, kind))
    }

    /// The sum of the values before each counter reset.
    private static func resets(in window: Window, _ context: RangeContext) -> Double {
        let series = window.series
        var correction = 0.0
        if series.floatStarts.isEmpty {
            let floats = series.floats
            let span = floats.span
            let values = span.extracting(window.floats)
            var previous = values[0]
            for index in values.indices {
                let value = values[index]
                if value < previous { correction += previous }
                previous = value
            }
            return correction
        }
        var overlaps = false
        for index in window.floats.dropFirst() {
            let gap = StartGap(series.floatTimes, series.floatStarts, index)
            overlaps = overlaps || gap.overlaps
            if series.floats[index] < series.floats[index - 1] || gap.isReset { correction += series.floats[index - 1] }
        }
        if overlaps { context.remarkOverlap(window) }
        return correction
    }

    private static func histogramRate(_ window: Window, _ kind: RateKind, _ context: RangeContext) -> Sample? {
        let series = window.series
        let first = window.histograms.lowerBound
        let last = window.histograms.upperBound - 1
        var increase: FloatHistogram?
        if window.histograms.count > 1 {
            increase = histogramIncrease(window, kind, context)
            if increase == nil { return nil }
        }
        var extrapolation = Extrapolation(
            window, first: series.histogramTimes[first], last: series.histogramTimes[last],
            count: window.histograms.count)
        let start = kind.isCounter && !series.histogramStarts.isEmpty ? series.histogramStarts[first] : 0
        if start != 0 && start > window.start && start < series.histogramTimes[first] {
            if increase == nil {
                increase = series.histograms[first]
            } else if !context.add(series.histograms[first], to: &increase!, window) {
                return nil
            }
            extrapolation.begin(at: start, last: series.histogramTimes[last])
        } else if window.histograms.count < 2 {
            return nil
        } else if kind.isCounter, let total = increase?.count, total > 0, series.histograms[first].count >= 0 {
            extrapolation.limitStart(ratio: series.histograms[first].count / total)
        }
        guard var result = increase else { return nil }
        result.scale(by: extrapolation.factor(window.seconds, kind))
        return .histogram(result)
    }

    /// The difference between the last and the first histogram, corrected for resets; `nil` if they are incompatible.
    private static func histogramIncrease(
        _ window: Window, _ kind: RateKind, _ context: RangeContext
    ) -> FloatHistogram? {
        let series = window.series
        let range = window.histograms
        let last = series.histograms[range.upperBound - 1]
        let first = series.histograms[range.lowerBound]
        if kind.isCounter {
            if series.histograms[range].contains(where: { $0.counterResetHint == .gauge }) {
                context.remarkNotCounter(window)
            }
        } else if first.counterResetHint != .gauge || last.counterResetHint != .gauge {
            context.remarkNotGauge(window)
        }
        var base = first
        let second = range.lowerBound + 1
        if kind.isCounter,
            isReset(series, second) || series.histograms[second].isReset(after: first)
        {
            // Samples before the reset do not matter, and neither does their bucket layout.
            base = FloatHistogram()
            base.schema = series.histograms[second].schema
            base.customValues = series.histograms[second].customValues
        }
        let custom = base.usesCustomBuckets
        let between = kind.isCounter ? series.histograms[second..<range.upperBound] : [last]
        guard between.allSatisfy({ $0.usesCustomBuckets == custom }) else {
            context.remarkMixedSchemas(window)
            return nil
        }
        var result = last
        if !custom { result.reduceResolution(to: min(base.schema, between.map(\.schema).min() ?? base.schema)) }
        guard context.subtract(base, from: &result, window) else { return nil }
        if kind.isCounter {
            var previous = base
            var overlaps = false
            for index in second..<range.upperBound {
                let current = series.histograms[index]
                if !series.histogramStarts.isEmpty {
                    overlaps =
                        overlaps || StartGap(series.histogramTimes, series.histogramStarts, index).overlaps
                }
                if isReset(series, index) || current.isReset(after: previous) {
                    guard context.add(previous, to: &result, window) else { return nil }
                }
                previous = current
            }
            if overlaps { context.remarkOverlap(window) }
        }
        result.counterResetHint = .gauge
        result.compact()
        return result
    }

    private static func isReset(_ series: RangeSeries, _ index: Int) -> Bool {
        series.histogramStarts.isEmpty
            ? false : StartGap(series.histogramTimes, series.histogramStarts, index).isReset
    }
}

/// How far the increase between the first and the last sample is extrapolated towards the ends of the window.
///
/// Up to an end that is closer than 1.1 times the average distance of samples. Otherwise by half that distance, because
/// the series is assumed to start or end inside the window.
struct Extrapolation {
    private var interval: Double
    private var toStart: Double
    private var toEnd: Double

    init(_ window: Window, first: Int64, last: Int64, count: Int) {
        self.init(from: window.start, through: window.end, first: first, last: last, count: count)
    }

    /// - Parameters:
    ///   - start: the start of the window, in milliseconds, as all others.
    ///   - end: the end of the window.
    ///   - first: the first of `count` samples in it.
    ///   - last: the last one.
    init(from start: Int64, through end: Int64, first: Int64, last: Int64, count: Int) {
        interval = Double(last - first) / 1000
        toStart = Double(first - start) / 1000
        toEnd = Double(end - last) / 1000
        let distance = count > 1 ? interval / Double(count - 1) : 0
        let threshold = distance * 1.1
        if toStart >= threshold { toStart = distance / 2 }
        if toEnd >= threshold { toEnd = distance / 2 }
    }

    /// Treats the series as starting at `start`, in the window.
    mutating func begin(at start: Int64, last: Int64) {
        toStart = 0
        interval = Double(last - start) / 1000
    }

    /// A counter is never below zero: the window is not extrapolated beyond the time at which it would be zero.
    mutating func limitStart(ratio: Double) {
        let toZero = interval * ratio
        if toZero < toStart { toStart = toZero }
    }

    /// The factor by which the increase is multiplied.
    func factor(_ seconds: Double, _ kind: RangeKernels.RateKind) -> Double {
        let factor = interval == 0 ? 1 : (interval + toStart + toEnd) / interval
        return kind.isPerSecond ? factor / seconds : factor
    }
}

/// The start timestamps of a sample and its predecessor; 0 means unknown.
struct StartGap {
    private let previousStart: Int64
    private let previous: Int64
    private let start: Int64
    private let current: Int64

    init(_ times: [Int64], _ starts: [Int64], _ index: Int) {
        previousStart = starts[index - 1]
        previous = times[index - 1]
        start = starts[index]
        current = times[index]
    }

    /// Whether the counter was reset after the previous sample.
    ///
    /// A start at the time of the previous sample is that of a delta series, unless that sample's own start is unknown.
    var isReset: Bool {
        if start == 0 || start >= current || start < previous { return false }
        if start > previous { return true }
        return previousStart < previous && previousStart != 0
    }

    /// Whether the sample covers time that the previous one also covers, with a different start.
    var overlaps: Bool { start != 0 && start < previous && start != previousStart }
}
