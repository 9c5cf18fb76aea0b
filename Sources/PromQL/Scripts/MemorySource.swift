public import MetricModel
internal import RE2
internal import Synchronization

/// Samples in memory, for tests of expressions and rules. It only grows.
///
/// It handles the counter reset hints of native histograms like a store that keeps histograms in chunks: see
/// `ResetHints`. May be shared between threads.
public final class MemorySource: Queryable {
    private let series = Mutex<[Labels: StoredSeries]>([:])

    /// A source without samples.
    public init() {}

    /// A sample of a series: a number or a histogram, with its start timestamp if it is known.
    public struct Sample: Sendable {
        /// Its time.
        public var time: Timestamp
        /// The number; the staleness marker if the series ends.
        public var value: Double
        /// The native histogram, instead of the number.
        public var histogram: FloatHistogram?
        /// The start timestamp.
        public var start: Timestamp?

        /// A number.
        public init(time: Timestamp, value: Double, start: Timestamp? = nil) {
            self.time = time
            self.value = value
            self.start = start
        }

        /// A histogram.
        public init(time: Timestamp, histogram: FloatHistogram, start: Timestamp? = nil) {
            self.time = time
            self.value = 0
            self.histogram = histogram
            self.start = start
        }
    }

    /// Adds a sample. It replaces a sample with the same time.
    public func append(_ sample: Sample, to labels: Labels) {
        series.withLock { $0[labels, default: StoredSeries(samples: SeriesSamples(labels: labels))].insert(sample) }
    }

    /// Adds the values of `notation` at `start`, one `interval` later, and so on.
    public func append(_ notation: SeriesNotation, interval: Milliseconds, from start: Timestamp = .epoch) {
        for (time, value) in zip(notation.values.indices.map { start + interval * Int64($0) }, notation.values) {
            switch value {
            case .missing: break
            case .float(let number): append(Sample(time: time, value: number), to: notation.labels)
            case .histogram(let histogram, _):
                append(Sample(time: time, histogram: histogram), to: notation.labels)
            }
        }
    }

    /// Removes all samples.
    public func clear() {
        series.withLock { $0 = [:] }
    }

    /// The samples in a window, as required by `Queryable`.
    public func select(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp, sampleLimit: Int
    ) throws(SelectError) -> [SeriesSamples] {
        let tests = try matchers.map { matcher throws(SelectError) in try MatcherTest(matcher) }
        let found = series.withLock { series in
            series.values.filter { candidate in
                tests.allSatisfy { $0.accepts(candidate.samples.labels) }
            }
        }
        let cut = found.map { $0.samples.from(from, through: through) }.filter { $0.count > 0 }
        guard cut.reduce(0, { $0 + $1.count }) <= sampleLimit else {
            throw SelectError(.sampleLimit, "more than \(sampleLimit) samples")
        }
        return cut.sorted { $0.labels < $1.labels }
    }
}

/// A series, with a store's state for its last histogram.
private struct StoredSeries {
    var samples: SeriesSamples
    var hints = ResetHints()

    init(samples: SeriesSamples) {
        self.samples = samples
    }

    mutating func insert(_ sample: MemorySource.Sample) {
        let time = sample.time.milliseconds
        let index = samples.timestamps.lastIndex { $0 < time }.map { $0 + 1 } ?? 0
        let histogram = sample.histogram.map { hints.read(back: $0) }
        if sample.histogram == nil { hints.metFloat(isStale: sample.value.isStaleMarker) }
        if index < samples.count, samples.timestamps[index] == time { remove(at: index) }

        if histogram != nil && samples.histograms.isEmpty {
            samples.histograms = Array(repeating: nil, count: samples.count)
        }
        if sample.start != nil && samples.startTimestamps.isEmpty {
            samples.startTimestamps = Array(repeating: .min, count: samples.count)
        }
        let hasHistograms = histogram != nil || !samples.histograms.isEmpty
        let hasStarts = sample.start != nil || !samples.startTimestamps.isEmpty
        samples.timestamps.insert(time, at: index)
        samples.values.insert(sample.value, at: index)
        if hasHistograms { samples.histograms.insert(histogram, at: index) }
        if hasStarts { samples.startTimestamps.insert(sample.start?.milliseconds ?? .min, at: index) }
    }

    private mutating func remove(at index: Int) {
        samples.timestamps.remove(at: index)
        samples.values.remove(at: index)
        if !samples.histograms.isEmpty { samples.histograms.remove(at: index) }
        if !samples.startTimestamps.isEmpty { samples.startTimestamps.remove(at: index) }
    }
}

extension SeriesSamples {
    fileprivate func from(_ first: Timestamp, through last: Timestamp) -> SeriesSamples {
        let start = timestamps.firstIndex { $0 >= first.milliseconds } ?? count
        let end = timestamps.lastIndex { $0 <= last.milliseconds }.map { $0 + 1 } ?? 0
        guard start < end else { return SeriesSamples(labels: labels) }
        return SeriesSamples(
            labels: labels, timestamps: Array(timestamps[start..<end]), values: Array(values[start..<end]),
            histograms: histograms.isEmpty ? [] : Array(histograms[start..<end]),
            startTimestamps: startTimestamps.isEmpty ? [] : Array(startTimestamps[start..<end]))
    }
}

/// A matcher with its pattern compiled.
private struct MatcherTest {
    let matcher: Matcher
    let pattern: RegularExpression?

    init(_ matcher: Matcher) throws(SelectError) {
        self.matcher = matcher
        guard matcher.operation == .regex || matcher.operation == .notRegex else {
            pattern = nil
            return
        }
        do {
            pattern = try RegularExpression(matcher.value)
        } catch {
            throw SelectError(.badMatcher, error.description)
        }
    }

    func accepts(_ labels: Labels) -> Bool {
        let value = labels[matcher.name] ?? ""
        return switch matcher.operation {
        case .equal: ByteOrder.equal(value, matcher.value)
        case .notEqual: !ByteOrder.equal(value, matcher.value)
        case .regex: pattern?.matchesWhole(value) ?? false
        case .notRegex: !(pattern?.matchesWhole(value) ?? false)
        }
    }
}

extension Timestamp {
    /// 1970-01-01T00:00:00Z, the start of time in tests.
    public static let epoch = Timestamp(milliseconds: 0)
}
