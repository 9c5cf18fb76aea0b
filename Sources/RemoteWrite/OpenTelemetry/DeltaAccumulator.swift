internal import MetricModel

/// Adds up data points that count since the previous one. A value, protected by ``TelemetryReceiver``.
///
/// As the processor `deltatocumulative` of OpenTelemetry's collector, which Prometheus uses: a point that is not newer
/// than the previous one of its series, or that starts before it began, is rejected; a series without points for five
/// minutes starts again. Sums are only in memory: after a restart they start at zero, which queries see as the reset of
/// a counter.
struct DeltaAccumulator {
    typealias Rejection = TelemetryTranslation.Rejection

    /// The maximum number of series.
    static let mostSeries = 500_000
    private static let lifetime: Milliseconds = .minutes(5)

    private enum Total {
        case number(Double)
        case histogram(TelemetryHistogram)
        case native(FloatHistogram)
    }

    private struct Sum {
        var total: Total
        /// The times of the first start and of the last point, in nanoseconds.
        var start: UInt64
        var time: UInt64
        var lastUsed: Timestamp
    }

    private var sums: [Labels: Sum] = [:]
    private var swept = Timestamp.distantPast
    private var now = Timestamp.distantPast

    /// The number of series.
    var count: Int { sums.count }

    /// Starts a request at the time `now`.
    mutating func begin(now: Timestamp) {
        self.now = now
        guard now - swept >= Self.lifetime else { return }
        swept = now
        sums = sums.filter { now - $0.value.lastUsed < Self.lifetime }
    }

    /// The sum with `point` added.
    mutating func add(_ number: TelemetryNumber, _ labels: Labels) throws(Rejection) -> TelemetryNumber {
        let (total, start) = try add(.number(number.value), number.point, labels) { sum in
            guard case .number(let before) = sum else { return nil }
            return .number(before + number.value)
        }
        var result = number
        result.point.start = start
        if case .number(let value) = total { result.value = value }
        return result
    }

    /// The histogram with `histogram` added. One with other bounds starts again.
    mutating func add(_ histogram: TelemetryHistogram, _ labels: Labels) throws(Rejection) -> TelemetryHistogram {
        let (total, start) = try add(.histogram(histogram), histogram.point, labels) { sum in
            guard case .histogram(var before) = sum, before.bounds == histogram.bounds,
                before.bucketCounts.count == histogram.bucketCounts.count
            else { return nil }
            before.count &+= histogram.count
            if let first = before.sum, let second = histogram.sum {
                before.sum = first + second
            } else {
                before.sum = nil
            }
            for index in histogram.bucketCounts.indices { before.bucketCounts[index] &+= histogram.bucketCounts[index] }
            return .histogram(before)
        }
        guard case .histogram(var result) = total else { return histogram }
        result.point = histogram.point
        result.point.start = start
        return result
    }

    /// The histogram with `histogram` added, at the lower of the two resolutions.
    mutating func add(
        _ histogram: FloatHistogram, _ point: TelemetryPoint, _ labels: Labels
    ) throws(Rejection) -> (FloatHistogram, TelemetryPoint) {
        let (total, start) = try add(.native(histogram), point, labels) { sum in
            guard case .native(var before) = sum, before.add(histogram) != nil else { return nil }
            return .native(before)
        }
        var result = point
        result.start = start
        guard case .native(let sum) = total else { return (histogram, result) }
        return (sum, result)
    }

    private mutating func add(
        _ first: Total, _ point: TelemetryPoint, _ labels: Labels, _ join: (Total) -> Total?
    ) throws(Rejection) -> (Total, start: UInt64) {
        if point.hasNoValue {
            let start = sums.removeValue(forKey: labels)?.start ?? point.start
            return (first, start)
        }
        guard let before = sums[labels], now - before.lastUsed < Self.lifetime else {
            guard sums.count < Self.mostSeries || sums[labels] != nil else {
                throw Rejection("more than \(Self.mostSeries) series of deltas")
            }
            sums[labels] = Sum(total: first, start: point.start, time: point.time, lastUsed: now)
            return (first, point.start)
        }
        guard point.start >= before.start else { throw Rejection("a delta starts before its series began") }
        guard point.time > before.time else { throw Rejection("a delta is not newer than the previous one") }
        var sum = before
        if let joined = join(before.total) {
            sum.total = joined
        } else {
            (sum.total, sum.start) = (first, point.start)
        }
        sum.time = point.time
        sum.lastUsed = now
        sums[labels] = sum
        return (sum.total, sum.start)
    }
}
