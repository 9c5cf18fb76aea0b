internal import MetricModel
internal import Rollback

/// A window, open at its start and closed at its end, cut into slices of equal length.
struct TimeSlices: Equatable {
    /// The window begins after this.
    var from: Timestamp
    /// The window ends with this.
    var through: Timestamp
    /// How many slices there are.
    var count = 1

    /// How far before the window a sample may lie from which an increase is counted.
    static let lookback = Milliseconds.minutes(5)
    /// More slices than this say no more about a variance.
    static let most = 20

    /// The slice that holds `time`; `nil` outside the window.
    func index(of time: Int64) -> Int? {
        guard time > from.milliseconds, time <= through.milliseconds else { return nil }
        let width = through.milliseconds - from.milliseconds
        return Int((time - from.milliseconds - 1) * Int64(count) / width)
    }

    /// As many slices as have two scrapes each, at most 20: a slice of one scrape would show the phase of the scrapes
    /// rather than bursts.
    func sliced(for series: [SeriesSamples]) -> TimeSlices {
        let scrapes = series.map { one in one.timestamps.count { index(of: $0) != nil } }.max() ?? 0
        var sliced = self
        sliced.count = max(1, min(Self.most, scrapes / 2))
        return sliced
    }
}

/// Where targets were first seen, which tells a series that came into being from one that merely came into sight.
struct TargetBirths: Equatable {
    private var first: [Labels: Int64] = [:]

    /// The first samples of `series` by target: what they share of the labels `instance` and `job`.
    init(_ series: [SeriesSamples]) {
        for one in series {
            guard let time = one.timestamps.first else { continue }
            let target = Self.target(one.labels)
            first[target] = min(first[target] ?? time, time)
        }
    }

    /// Whether the target was there before the first sample of `series`, so that its counter began at 0 in between.
    func isKnown(before series: SeriesSamples) -> Bool {
        guard let time = series.timestamps.first, let first = first[Self.target(series.labels)] else { return false }
        return first < time
    }

    private static func target(_ labels: Labels) -> Labels {
        Labels(labels.pairs.filter { $0.name == "instance" || $0.name == "job" }.map { Label($0.name, $0.value) })
    }
}
