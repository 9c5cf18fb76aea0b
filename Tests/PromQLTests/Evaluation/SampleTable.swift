import MetricModel
import MetricStore
import PromQL
import RE2

/// Series in memory, with values at equal distances from time 0.
struct SampleTable: Queryable {
    private(set) var series: [SeriesSamples] = []

    /// Adds a series whose value number i is at i × `interval`; `nil` leaves a gap.
    mutating func add(_ labels: Labels, every interval: Milliseconds = .minutes(1), _ values: [Double?]) {
        var samples = SeriesSamples(labels: labels)
        for (index, value) in values.enumerated() {
            guard let value else { continue }
            samples.timestamps.append(Int64(index) * interval.rawValue)
            samples.values.append(value)
        }
        series.append(samples)
    }

    func select(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp, sampleLimit: Int
    ) throws(SelectError) -> [SeriesSamples] {
        var result: [SeriesSamples] = []
        var count = 0
        for candidate in series where try matchers.allSatisfyThrowing(candidate.labels) {
            var samples = SeriesSamples(labels: candidate.labels)
            for (time, value) in zip(candidate.timestamps, candidate.values)
            where time >= from.milliseconds && time <= through.milliseconds {
                samples.timestamps.append(time)
                samples.values.append(value)
            }
            count += samples.count
            if samples.count > 0 { result.append(samples) }
        }
        guard count <= sampleLimit else { throw SelectError(.sampleLimit, "too many samples") }
        return result
    }
}

extension [Matcher] {
    fileprivate func allSatisfyThrowing(_ labels: Labels) throws(SelectError) -> Bool {
        for matcher in self {
            let value = labels[matcher.name] ?? ""
            let matches: Bool
            switch matcher.operation {
            case .equal: matches = value == matcher.value
            case .notEqual: matches = value != matcher.value
            case .regex, .notRegex:
                do {
                    let isMatch = try RegularExpression(matcher.value).matchesWhole(value)
                    matches = isMatch == (matcher.operation == .regex)
                } catch {
                    throw SelectError(.badMatcher, error.description)
                }
            }
            if !matches { return false }
        }
        return true
    }
}
