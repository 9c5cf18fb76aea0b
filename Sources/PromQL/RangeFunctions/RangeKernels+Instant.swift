internal import MetricModel

/// `irate` and `idelta`: the last two samples of a window.
extension RangeKernels {
    private struct Point {
        var time: Int64
        var start: Int64
        var sample: Sample
    }

    static func instantChange(isRate: Bool) -> RangeFunctionNode.Kernel {
        { (window, context) throws(QueryError) in
            guard let (earlier, later) = lastTwo(window), later.time != earlier.time else { return nil }
            let seconds = Double(later.time - earlier.time) / 1000
            let gap = StartGap([earlier.time, later.time], [earlier.start, later.start], 1)
            switch (earlier.sample, later.sample) {
            case (.float(let first), .float(let second)):
                let change = isRate && (second < first || gap.isReset) ? second : second - first
                return .float(isRate ? change / seconds : change)
            case (.histogram(let first), .histogram(let second)):
                return histogramChange(
                    first, second, startReset: gap.isReset, seconds: seconds, isRate: isRate, window, context)
            default:
                context.remarkMix(window)
                return nil
            }
        }
    }

    private static func histogramChange(
        _ first: FloatHistogram, _ second: FloatHistogram, startReset: Bool, seconds: Double, isRate: Bool,
        _ window: Window, _ context: RangeContext
    ) -> Sample? {
        let areGauges = first.counterResetHint == .gauge && second.counterResetHint == .gauge
        let haveGauge = first.counterResetHint == .gauge || second.counterResetHint == .gauge
        if isRate && haveGauge { context.remarkNotCounter(window) }
        if !isRate && !areGauges { context.remarkNotGauge(window) }
        var change = second
        if !isRate || !(startReset || second.isReset(after: first)) {
            guard let outcome = change.subtract(first) else {
                context.remarkMixedSchemas(window)
                return nil
            }
            if outcome.boundsReconciled { context.remarkReconciled("subtraction") }
        }
        change.counterResetHint = .gauge
        change.compact()
        if isRate { change.divide(by: seconds) }
        return .histogram(change)
    }

    private static func lastTwo(_ window: Window) -> (Point, Point)? {
        let series = window.series
        let points =
            window.floats.suffix(2).map {
                Point(
                    time: series.floatTimes[$0], start: series.floatStarts.isEmpty ? 0 : series.floatStarts[$0],
                    sample: .float(series.floats[$0]))
            }
            + window.histograms.suffix(2).map {
                Point(
                    time: series.histogramTimes[$0],
                    start: series.histogramStarts.isEmpty ? 0 : series.histogramStarts[$0],
                    sample: .histogram(series.histograms[$0]))
            }
        guard points.count >= 2 else { return nil }
        let latest = points.sorted { $0.time < $1.time }.suffix(2)
        return (latest[latest.startIndex], latest[latest.startIndex + 1])
    }
}
