internal import JSON
internal import MetricModel
internal import Rollback
internal import Runtime

/// The observations of one metric of one service, by slice.
enum SideObservations: Equatable {
    case counts([EventCount])
    case histogram(bounds: [Double], slices: [[Double]])
    case samples([[Double]])
    /// Why there are none.
    case missing(String)
}

/// The traffic of services in a window, with everything that a statistical comparison needs: counts by slice, not
/// averages. A value that a pipeline stores as JSON before a deployment and gives back after it.
///
/// ```
/// {"format": "tribune-metrics/1", "window": "5m", "services": {"auth": {
///   "errors_ratio": 0.001, "latency_p95": 0.12,
///   "metrics": {
///     "errors": {"events": [0, 1], "of": [900, 880]},
///     "latency": {"bounds": [0.1, "+Inf"], "slices": [[890, 10], [870, 10]]}}}}}
/// ```
struct ServiceMetrics: Equatable {
    /// The value of `format`.
    static let format = "tribune-metrics/1"

    /// The observations by service and metric.
    var services: [(name: String, metrics: [(name: String, observations: SideObservations)])] = []

    static func == (left: ServiceMetrics, right: ServiceMetrics) -> Bool { left.json == right.json }

    /// The observations of `service` for `metric`.
    subscript(service: String, metric: String) -> SideObservations? {
        services.first { $0.name == service }?.metrics.first { $0.name == metric }?.observations
    }

    // MARK: JSON

    /// The member `services`.
    var json: JSON {
        .object(
            services.map { service in
                let summary = service.metrics.flatMap { Self.summary($0.name, $0.observations) }
                let metrics = JSON.object(service.metrics.map { .init($0.name, $0.observations.json) })
                return .init(service.name, .object(summary + [.init("metrics", metrics)]))
            })
    }

    private static func summary(_ name: String, _ observations: SideObservations) -> [JSON.Member] {
        func member(_ suffix: String, _ value: Double?) -> JSON.Member {
            .init("\(name)_\(suffix)", value.map { .number(Double(MetricFinding.number($0)) ?? $0) } ?? .null)
        }
        switch observations {
        case .counts(let slices):
            let sum = slices.reduce(EventCount(events: 0, trials: 0), +)
            return [member("of", sum.trials), member("ratio", sum.trials > 0 ? sum.share : nil)]
        case .histogram(let bounds, let slices):
            let quantiles = BucketQuantiles(bounds: bounds)
            let counts = slices.reduce(into: [Double](repeating: 0, count: bounds.count)) { sums, slice in
                for (index, value) in slice.enumerated() { sums[index] += value }
            }
            return [(0.5, "p50"), (0.95, "p95"), (0.99, "p99")].map { member($0.1, quantiles.quantile($0.0, counts)) }
        case .samples(let slices):
            let sorted = slices.flatMap(\.self).sorted()
            return [member("median", sorted.isEmpty ? nil : sorted[sorted.count / 2])]
        case .missing: return []
        }
    }

    /// The most numbers of a snapshot, so that a large body cannot occupy a gate for long.
    private static let numberLimit = 200_000

    /// Reads `services` of a value written by ``json``; `nil` if `value` is something else, such as the numbers of
    /// another tool.
    init?(_ value: JSON, path: String) throws(JSONFieldError) {
        guard value["format"]?.text == Self.format else { return nil }
        var left = Self.numberLimit
        for service in value["services"]?.members ?? [] {
            let place = "\(path).services.\(service.name)"
            var metrics: [(name: String, observations: SideObservations)] = []
            for metric in service.value["metrics"]?.members ?? [] {
                let read = try SideObservations(metric.value, path: "\(place).metrics.\(metric.name)", left: &left)
                metrics.append((metric.name, read))
            }
            services.append((service.name, metrics))
        }
    }

    init() {}
}

extension SideObservations {
    var json: JSON {
        func numbers(_ values: [Double]) -> JSON {
            .array(values.map { $0.isFinite ? .number($0) : .string(FloatText.plain($0)) })
        }
        return switch self {
        case .counts(let slices): ["events": numbers(slices.map(\.events)), "of": numbers(slices.map(\.trials))]
        case .histogram(let bounds, let slices):
            ["bounds": numbers(bounds), "slices": .array(slices.map(numbers))]
        case .samples(let slices): ["samples": .array(slices.map(numbers))]
        case .missing(let reason): ["missing": .string(reason)]
        }
    }

    init(_ json: JSON, path: String, left: inout Int) throws(JSONFieldError) {
        func fault(_ message: String) -> JSONFieldError { JSONFieldError(field: path, message: message) }
        func numbers(_ json: JSON, from least: Double) throws(JSONFieldError) -> [Double] {
            guard let elements = json.elements else { throw fault("expected a list of numbers") }
            left -= elements.count
            guard left >= 0 else { throw fault("too many numbers") }
            var values: [Double] = []
            for element in elements {
                guard let value = element.number ?? (element == "+Inf" ? .infinity : nil), value >= least else {
                    throw fault("expected numbers from \(least)")
                }
                values.append(value)
            }
            return values
        }
        func slices(_ json: JSON, from least: Double) throws(JSONFieldError) -> [[Double]] {
            guard let elements = json.elements else { throw fault("expected a list of lists") }
            var slices: [[Double]] = []
            for element in elements { slices.append(try numbers(element, from: least)) }
            return slices
        }
        if let reason = json["missing"]?.text {
            self = .missing(reason)
        } else if let events = json["events"], let of = json["of"] {
            let (bad, all) = (try numbers(events, from: 0), try numbers(of, from: 0))
            guard bad.count == all.count, zip(bad, all).allSatisfy({ $0 <= $1 && $1.isFinite }) else {
                throw fault("events and of must have the same length, and events must not exceed of")
            }
            self = .counts(zip(bad, all).map { EventCount(events: $0, trials: $1) })
        } else if let bounds = json["bounds"], let counts = json["slices"] {
            let (ends, rows) = (try numbers(bounds, from: -.infinity), try slices(counts, from: 0))
            guard ends.last == .infinity, zip(ends, ends.dropFirst()).allSatisfy({ $0 < $1 }),
                rows.allSatisfy({ $0.count == ends.count && $0.allSatisfy(\.isFinite) })
            else { throw fault("bounds must ascend to +Inf, and each slice must have a count for each") }
            self = .histogram(bounds: ends, slices: rows)
        } else if let samples = json["samples"] {
            self = .samples(try slices(samples, from: -.greatestFiniteMagnitude))
        } else {
            throw fault("expected events and of, or bounds and slices, or samples, or missing")
        }
    }
}

extension MetricObservations {
    /// Two sides that were read at different times or places.
    init(stable: SideObservations?, candidate: SideObservations?) {
        switch (stable, candidate) {
        case (.counts(let s)?, .counts(let c)?): self = .counts(stable: s, candidate: c)
        case (.samples(let s)?, .samples(let c)?): self = .samples(stable: s, candidate: c)
        case (.histogram(let ends, let s)?, .histogram(let others, let c)?):
            let common = ends.filter(others.contains)
            guard common.count > 2 else {
                self = .missing("the histograms have no buckets in common")
                return
            }
            self = .histogram(
                bounds: common, stable: BucketIncrements(bounds: ends, slices: s).merged(to: common).slices,
                candidate: BucketIncrements(bounds: others, slices: c).merged(to: common).slices)
        case (.missing(let reason)?, _): self = .missing("before: \(reason)")
        case (_, .missing(let reason)?): self = .missing("after: \(reason)")
        case (nil, _): self = .missing("no data before")
        case (_, nil): self = .missing("no data after")
        default: self = .missing("the kinds of data before and after differ")
        }
    }
}
