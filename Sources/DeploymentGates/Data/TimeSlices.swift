internal import MetricModel
internal import Rollback

/// A window, open at its start and closed at its end, divided into slices of equal length.
struct TimeSlices: Equatable {
    /// The start of the window, not included.
    var from: Timestamp
    /// The end of the window, included.
    var through: Timestamp
    /// The number of slices.
    var count = 1

    /// The maximum distance before the window of the sample from which the first increase is computed.
    static let lookback = Milliseconds.minutes(5)
    /// The maximum number of slices. More would not improve the estimate of a variance.
    static let most = 20

    /// The slice that contains `time`; `nil` outside the window.
    func index(of time: Int64) -> Int? {
        guard time > from.milliseconds, time <= through.milliseconds else { return nil }
        let width = through.milliseconds - from.milliseconds
        return Int((time - from.milliseconds - 1) * Int64(count) / width)
    }

    /// Divides the window into slices with at least two scrapes each, at most 20. A slice with one scrape would show
    /// the phase of the scrapes instead of bursts.
    func sliced(for series: [SeriesSamples]) -> TimeSlices {
        let scrapes = series.map { one in one.timestamps.count { index(of: $0) != nil } }.max() ?? 0
        var sliced = self
        sliced.count = max(1, min(Self.most, scrapes / 2))
        return sliced
    }
}

/// The first sample of each target. Distinguishes a series that began from one whose target was not scraped before.
struct TargetBirths: Equatable {
    private var first: [Labels: Int64] = [:]

    /// The first samples of `series` by target, identified by the labels `instance` and `job`.
    init(_ series: [SeriesSamples]) {
        for one in series {
            guard let time = one.timestamps.first else { continue }
            let target = Self.target(one.labels)
            first[target] = min(first[target] ?? time, time)
        }
    }

    /// Whether the target was scraped before the first sample of `series`, so that its counter started at 0.
    func isKnown(before series: SeriesSamples) -> Bool {
        guard let time = series.timestamps.first, let first = first[Self.target(series.labels)] else { return false }
        return first < time
    }

    private static func target(_ labels: Labels) -> Labels {
        Labels(labels.pairs.filter { $0.name == "instance" || $0.name == "job" }.map { Label($0.name, $0.value) })
    }
}
