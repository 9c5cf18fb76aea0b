internal import MetricModel
internal import Scraper

/// Translates metrics of OpenTelemetry to series, as Prometheus does. A value of the thread that handles the request.
///
/// Source: prometheus/storage/remote/otlptranslator/prometheusremotewrite/metrics_to_prw.go, helper.go.
struct TelemetryTranslation {
    /// The treatment of points that count since the previous one.
    enum Deltas: Equatable {
        /// They are rejected.
        case reject
        /// They are stored as they are, with an unknown type.
        case store
        /// They are added up.
        case accumulate
    }

    struct Options: Equatable {
        var otlp = OTLPSettings()
        var deltas = Deltas.reject
        /// The lookback of queries, which decides how often `target_info` is repeated.
        var lookback = Milliseconds.minutes(5)
    }

    /// Why a data point was not translated.
    struct Rejection: Error, Equatable {
        var reason: String

        init(_ reason: String) { self.reason = reason }
    }

    /// The maximum number of labels of all series of a request. Attributes of the resource are repeated for each data
    /// point, so that a short request could take much memory.
    static let mostLabels = 4_000_000
    /// The maximum number of samples of `target_info` for one resource.
    static let mostTargetInfos = 1000
    /// The maximum number of reasons in a response.
    private static let maximumReasons = 10

    private let options: Options
    private var labels: TelemetryLabels
    private var labelCount = 0
    /// The number of data points.
    private var pointCount = 0
    private var targetInfos: Set<TargetInfo> = []

    /// The series and metadata.
    private(set) var request = WriteRequest()
    /// The number of data points that were not translated, and some of the reasons.
    private(set) var rejected = 0
    private(set) var reasons: [String] = []
    /// The number of resources without `target_info` because an attribute has no usable name.
    private(set) var droppedTargetInfos = 0
    /// Whether the request has more than ``mostLabels``, so that nothing may be stored.
    private(set) var isTooLarge = false

    private struct TargetInfo: Hashable {
        var labels: Labels
        var time: Int64
    }

    init(_ options: Options) {
        self.options = options
        labels = TelemetryLabels(options.otlp)
    }

    mutating func take(_ metrics: TelemetryMetrics, _ accumulator: inout DeltaAccumulator) {
        for resource in metrics.resources {
            labels.enter(resource)
            var times = Times()
            for scope in resource.scopes {
                labels.enter(scope)
                for metric in scope.metrics where !isTooLarge { take(metric, &times, &accumulator) }
            }
            addTargetInfo(resource, times)
        }
    }

    /// The times of a resource's data points, in nanoseconds.
    private struct Times {
        var first = UInt64.max
        var last: UInt64 = 0

        mutating func add(_ time: UInt64) {
            first = min(first, time)
            last = max(last, time)
        }
    }

    private mutating func take(
        _ metric: TelemetryMetric, _ times: inout Times, _ accumulator: inout DeltaAccumulator
    ) {
        let count = metric.points.count
        for point in metric.points.all { times.add(point.time) }
        guard let family = labels.names.metric(metric.name, unit: metric.unit, metric.kind) else {
            return reject(count, "metric \"\(metric.name)\": nothing is left of its name")
        }
        let isDelta = metric.points.temporality == .delta
        if metric.points.temporality == .unspecified || (isDelta && options.deltas == .reject) {
            return reject(count, "invalid temporality and type combination for metric \"\(metric.name)\"")
        }
        if count == 0 { return reject(0, "metric \"\(metric.name)\" has no data points") }
        request.metadata.append(
            WriteRequest.Metadata(
                family: family, type: metric.typeNumber(isUnknown: isDelta && options.deltas == .store),
                help: metric.description, unit: labels.names.unit(metric.unit)))
        let steps = Steps(
            metric: metric.name, family: family, isDelta: isDelta, accumulates: isDelta && options.deltas == .accumulate
        )
        switch metric.points {
        case .none: return
        case .gauge(let points):
            translate(points, steps) { (translation, value) throws(Rejection) in
                // As in Prometheus, gauges have no exemplars.
                var value = value
                value.point.exemplars = []
                try translation.add(value, steps)
            }
        case .sum(let points, _, _):
            translate(points, steps) { (translation, value) throws(Rejection) in
                let sum =
                    steps.accumulates ? try accumulator.add(value, try translation.key(value.point, steps)) : value
                try translation.add(sum, steps)
            }
        case .histogram(let points, _):
            translate(points, steps) { (translation, value) throws(Rejection) in
                let sum =
                    steps.accumulates ? try accumulator.add(value, try translation.key(value.point, steps)) : value
                if translation.options.otlp.convertsToCustomBuckets {
                    try translation.add(try sum.customBuckets(isDelta: steps.storesDelta), sum.point, steps)
                } else {
                    try translation.add(sum, steps)
                }
            }
        case .exponential(let points, _):
            translate(points, steps) { (translation, value) throws(Rejection) in
                var (histogram, point) = (try value.native(isDelta: steps.storesDelta), value.point)
                if steps.accumulates {
                    (histogram, point) = try accumulator.add(histogram, point, try translation.key(point, steps))
                }
                try translation.add(histogram, point, steps)
            }
        case .summary(let points):
            translate(points, steps) { (translation, value) throws(Rejection) in try translation.add(value, steps) }
        }
    }

    /// The properties that the data points of a metric have in common.
    private struct Steps {
        var metric: String
        var family: String
        var isDelta: Bool
        var accumulates: Bool

        var storesDelta: Bool { isDelta && !accumulates }
    }

    private mutating func translate<Value>(
        _ values: [Value], _ steps: Steps, _ translate: (inout TelemetryTranslation, Value) throws(Rejection) -> Void
    ) {
        for value in values where !isTooLarge {
            pointCount += 1
            do throws(Rejection) {
                try translate(&self, value)
            } catch {
                reject(1, "metric \"\(steps.metric)\": \(error.reason)")
            }
        }
    }

    private mutating func reject(_ count: Int, _ reason: String) {
        rejected += count
        if reasons.count < Self.maximumReasons { reasons.append(String(reason.prefix(500))) }
    }

    // MARK: Series

    /// The identity of a data point's series, for sums of deltas.
    private mutating func key(_ point: TelemetryPoint, _ steps: Steps) throws(Rejection) -> Labels {
        Labels(metric: steps.family, try labels.labels(of: point.attributes))
    }

    private mutating func emit(
        _ name: String, _ base: [Label], _ more: Label? = nil, exemplars: [Exemplar] = [],
        sample: WriteRequest.Sample? = nil, histogram: WriteRequest.HistogramSample? = nil, isDerived: Bool = false
    ) {
        labelCount += base.count + 2
        if labelCount > Self.mostLabels { isTooLarge = true }
        if isTooLarge { return }
        var labels = base
        if let more { labels.append(more) }
        labels.append(Label(Labels.metricName, name))
        request.append(
            labels: labels, samples: sample.map { [$0] } ?? [], histograms: histogram.map { [$0] } ?? [],
            exemplars: exemplars, point: isDerived ? nil : pointCount, isDerived: isDerived)
    }

    private mutating func emitSample(
        _ name: String, _ base: [Label], _ more: Label? = nil, exemplars: [Exemplar] = [], value: Double,
        at point: TelemetryPoint
    ) {
        let sample = WriteRequest.Sample(
            time: point.milliseconds, value: point.hasNoValue ? .staleMarker : value, start: point.startMilliseconds)
        emit(name, base, more, exemplars: exemplars, sample: sample)
    }

    private mutating func add(_ number: TelemetryNumber, _ steps: Steps) throws(Rejection) {
        let base = try labels.labels(of: number.point.attributes)
        emitSample(
            steps.family, base, exemplars: number.point.prometheusExemplars, value: number.value, at: number.point)
    }

    private mutating func add(
        _ histogram: FloatHistogram, _ point: TelemetryPoint, _ steps: Steps
    ) throws(Rejection) {
        let base = try labels.labels(of: point.attributes)
        let sample = WriteRequest.HistogramSample(
            time: point.milliseconds, histogram: histogram, start: point.startMilliseconds)
        emit(steps.family, base, exemplars: point.prometheusExemplars, histogram: sample)
    }

    /// A histogram with explicit bounds as `_bucket`, `_sum` and `_count`.
    private mutating func add(_ histogram: TelemetryHistogram, _ steps: Steps) throws(Rejection) {
        let (point, family) = (histogram.point, steps.family)
        let base = try labels.labels(of: point.attributes)
        if let sum = histogram.sum { emitSample("\(family)_sum", base, value: sum, at: point) }
        emitSample("\(family)_count", base, value: Double(histogram.count), at: point)
        var exemplars = point.prometheusExemplars.sorted { $0.value < $1.value }[...]
        var total = 0.0
        for (bound, count) in zip(histogram.bounds, histogram.bucketCounts) {
            total += Double(count)
            let own = exemplars.prefix { $0.value <= bound }
            exemplars = exemplars.dropFirst(own.count)
            emitSample(
                "\(family)_bucket", base, Label("le", FloatText.plain(bound)), exemplars: Array(own), value: total,
                at: point)
        }
        emitSample(
            "\(family)_bucket", base, Label("le", "+Inf"), exemplars: Array(exemplars),
            value: Double(histogram.count), at: point)
    }

    private mutating func add(_ summary: TelemetrySummary, _ steps: Steps) throws(Rejection) {
        let base = try labels.labels(of: summary.point.attributes)
        emitSample("\(steps.family)_sum", base, value: summary.sum, at: summary.point)
        emitSample("\(steps.family)_count", base, value: Double(summary.count), at: summary.point)
        for quantile in summary.quantiles {
            emitSample(
                steps.family, base, Label("quantile", FloatText.plain(quantile.quantile)), value: quantile.value,
                at: summary.point)
        }
    }

    /// Adds `target_info` with the attributes that identify no series, so often that queries at all times of the data
    /// points find it.
    private mutating func addTargetInfo(_ resource: TelemetryResource, _ times: Times) {
        let found: [Label]?
        do throws(Rejection) { found = try labels.targetInfo(resource) } catch {
            // It costs no data point.
            droppedTargetInfos += 1
            return
        }
        guard times.last > 0, let base = found else { return }
        let (first, last) = (Int64(times.first / 1_000_000), Int64(times.last / 1_000_000))
        let step = max(1, options.lookback.rawValue / 2)
        var time = max(first, last - step * Int64(Self.mostTargetInfos - 1))
        var samples: [Int64] = []
        while time < last {
            samples.append(time)
            time += step
        }
        let identity = Labels(metric: "target_info", base)
        for time in samples + [last] where targetInfos.insert(TargetInfo(labels: identity, time: time)).inserted {
            emit("target_info", base, sample: WriteRequest.Sample(time: time, value: 1), isDerived: true)
        }
        request.metadata.append(
            WriteRequest.Metadata(family: "target_info", type: 2, help: "Target metadata", unit: ""))
    }
}

extension TelemetryMetric {
    /// The kind of metric, which determines its name.
    fileprivate var kind: TelemetryNames.Kind {
        switch points {
        case .gauge: .gauge
        case .sum(_, _, isMonotonic: true): .counter
        case .none, .sum, .histogram, .exponential, .summary: .other
        }
    }

    /// The number of the type in metadata of remote write.
    fileprivate func typeNumber(isUnknown: Bool) -> UInt64 {
        if isUnknown { return 0 }
        switch points {
        case .none: return 0
        case .sum(_, _, isMonotonic: true): return 1
        case .gauge, .sum: return 2
        case .histogram, .exponential: return 3
        case .summary: return 5
        }
    }
}

extension TelemetryMetric.Points {
    /// The common parts of the data points.
    fileprivate var all: [TelemetryPoint] {
        switch self {
        case .none: []
        case .gauge(let points), .sum(let points, _, _): points.map(\.point)
        case .histogram(let points, _): points.map(\.point)
        case .exponential(let points, _): points.map(\.point)
        case .summary(let points): points.map(\.point)
        }
    }
}

extension TelemetryPoint {
    /// The longest labels of an exemplar, in characters.
    private static let longestExemplar = 128

    /// The exemplars with their trace and, if there is room, the attributes.
    fileprivate var prometheusExemplars: [Exemplar] {
        exemplars.compactMap { exemplar in
            guard let value = exemplar.value else { return nil }
            var labels: [Label] = []
            if exemplar.traceID.contains(where: { $0 != "0" }) { labels.append(Label("trace_id", exemplar.traceID)) }
            if exemplar.spanID.contains(where: { $0 != "0" }) { labels.append(Label("span_id", exemplar.spanID)) }
            let attributes = exemplar.attributes.map { Label($0.key, $0.value) }
            let length = (labels + attributes).reduce(0) {
                $0 + $1.name.unicodeScalars.count + $1.value.unicodeScalars.count
            }
            if length <= Self.longestExemplar { labels += attributes }
            let time = Int64(exemplar.time / 1_000_000)
            return Exemplar(
                labels: Labels(labels), value: value, timestamp: time == 0 ? nil : Timestamp(milliseconds: time))
        }
    }
}
