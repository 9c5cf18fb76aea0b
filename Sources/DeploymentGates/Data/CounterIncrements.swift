internal import MetricModel
internal import Rollback

/// Exact increases of counters, by slice, from the samples themselves: no rate, no extrapolation.
///
/// A value below the previous one is a reset: the counter continued from 0. A series that appears on a target that was
/// scraped before started at 0, so its first value counts fully: the first error of a kind is counted.
enum CounterIncrements {
    /// The increases of one series.
    static func increments(of series: SeriesSamples, in slices: TimeSlices, isNewborn: Bool) -> [Double] {
        var sums = [Double](repeating: 0, count: slices.count)
        var previous: Double? = isNewborn ? 0 : nil
        for (time, value) in zip(series.timestamps, series.values) where !value.isNaN {
            defer { previous = value }
            guard let slice = slices.index(of: time), let previous else { continue }
            sums[slice] += value >= previous ? value - previous : value
        }
        return sums
    }

    /// The sum of the increases of several series; `nil` if none has a sample in the window.
    static func sum(
        of series: [SeriesSamples], in slices: TimeSlices, births: TargetBirths
    ) -> [Double]? {
        var sums = [Double](repeating: 0, count: slices.count)
        var isSeen = false
        for one in series where one.timestamps.contains(where: { slices.index(of: $0) != nil }) {
            isSeen = true
            let own = increments(of: one, in: slices, isNewborn: births.isKnown(before: one))
            for index in sums.indices { sums[index] += own[index] }
        }
        return isSeen ? sums : nil
    }
}
