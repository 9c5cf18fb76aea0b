internal import MetricModel

/// The samples of one series for range functions: floats and histograms separate, without staleness markers.
///
/// Immutable. A class, so that windows refer to it without copying.
final class RangeSeries {
    let labels: Labels
    let floatTimes: [Int64]
    let floats: [Double]
    let histogramTimes: [Int64]
    let histograms: [FloatHistogram]
    /// Start timestamps of the floats, 0 if unknown; empty if none are known or needed.
    let floatStarts: [Int64]
    /// Start timestamps of the histograms, likewise.
    let histogramStarts: [Int64]

    /// The samples as returned by a store.
    init(_ samples: SeriesSamples, withStarts: Bool, resolvesHints: Bool = false) {
        labels = samples.labels
        let wantsStarts = withStarts && !samples.startTimestamps.isEmpty
        let hasMarkers = samples.values.contains { $0.isStaleMarker }
        if samples.histograms.isEmpty && !hasMarkers {
            floatTimes = samples.timestamps
            floats = samples.values
            floatStarts = wantsStarts ? samples.startTimestamps.map { $0 == .min ? 0 : $0 } : []
            histogramTimes = []
            histograms = []
            histogramStarts = []
            return
        }
        var parts = Parts()
        for index in samples.timestamps.indices {
            let start = wantsStarts && samples.startTimestamps[index] != .min ? samples.startTimestamps[index] : 0
            if !samples.histograms.isEmpty, var histogram = samples.histograms[index] {
                if histogram.isStaleMarker { continue }
                if resolvesHints { histogram.resolveHint(after: parts.histograms.last) }
                parts.append(samples.timestamps[index], histogram, start)
            } else if !samples.values[index].isStaleMarker {
                parts.append(samples.timestamps[index], samples.values[index], start)
            }
        }
        floatTimes = parts.floatTimes
        floats = parts.floats
        floatStarts = wantsStarts ? parts.floatStarts : []
        histogramTimes = parts.histogramTimes
        histograms = parts.histograms
        histogramStarts = wantsStarts ? parts.histogramStarts : []
    }

    /// A row of an evaluated subquery.
    ///
    /// Hints about counter resets are valid only between adjacent stored samples, not between the steps of a subquery.
    init(_ block: Block, row: Int, grid: Grid) {
        labels = block.series.labels[row]
        var parts = Parts()
        for column in 0..<block.width {
            let cell = block.cell(row, column)
            switch block.sample(at: cell) {
            case nil: break
            case .float(let value): parts.append(grid.time(column), value, 0)
            case .histogram(var histogram):
                if histogram.counterResetHint != .gauge { histogram.counterResetHint = .unknown }
                parts.append(grid.time(column), histogram, 0)
            }
        }
        floatTimes = parts.floatTimes
        floats = parts.floats
        histogramTimes = parts.histogramTimes
        histograms = parts.histograms
        floatStarts = []
        histogramStarts = []
    }

    private struct Parts {
        var floatTimes: [Int64] = []
        var floats: [Double] = []
        var floatStarts: [Int64] = []
        var histogramTimes: [Int64] = []
        var histograms: [FloatHistogram] = []
        var histogramStarts: [Int64] = []

        mutating func append(_ time: Int64, _ value: Double, _ start: Int64) {
            floatTimes.append(time)
            floats.append(value)
            floatStarts.append(start)
        }

        mutating func append(_ time: Int64, _ histogram: FloatHistogram, _ start: Int64) {
            histogramTimes.append(time)
            histograms.append(histogram)
            histogramStarts.append(start)
        }
    }
}

/// The part of a series that one call of a range function uses: samples in `(start, end]`; wider for extended ranges.
struct Window {
    let series: RangeSeries
    /// Indices of the floats.
    var floats: Range<Int> = 0..<0
    /// Indices of the histograms.
    var histograms: Range<Int> = 0..<0
    /// The ends of the range itself, in milliseconds.
    var start: Int64 = 0
    var end: Int64 = 0
    /// The evaluation time.
    var time: Int64 = 0
    /// The scalar arguments, in order.
    var parameters: [Double] = []

    var seconds: Double { Double(end &- start) / 1000 }
    var isMixed: Bool { !floats.isEmpty && !histograms.isEmpty }
    var isEmpty: Bool { floats.isEmpty && histograms.isEmpty }
    var metricName: String { series.labels.metricName ?? "" }

    /// Moves to the samples in `(from, through]`. Both must not be less than in the previous call.
    mutating func advance(from: Int64, through: Int64) {
        floats = Self.advanced(floats, in: series.floatTimes, from: from, through: through)
        if !series.histogramTimes.isEmpty {
            histograms = Self.advanced(histograms, in: series.histogramTimes, from: from, through: through)
        }
    }

    private static func advanced(_ range: Range<Int>, in times: [Int64], from: Int64, through: Int64) -> Range<Int> {
        var low = range.lowerBound
        while low < times.count, times[low] <= from { low += 1 }
        var high = max(range.upperBound, low)
        while high < times.count, times[high] <= through { high += 1 }
        return low..<high
    }
}
