internal import JSON
public import MetricModel
internal import Rollback

/// A metric that a gate compares: its data and its criteria.
public struct GateMetric: Equatable, Sendable {
    /// Selectors of series, such as `http_requests_total{job="shop"}`.
    public enum Source: Equatable, Sendable {
        /// A counter of events and one of trials.
        case counters(events: String, of: String)
        /// A histogram by its base name, classic (`…_bucket`) or native.
        case histogram(String)
        /// A gauge.
        case samples(String)

        /// The selectors with their fields.
        public var selectors: [(field: String, text: String)] {
            switch self {
            case .counters(let events, let trials): [("events", events), ("of", trials)]
            case .histogram(let text): [("histogram", text)]
            case .samples(let text): [("samples", text)]
            }
        }
    }

    /// The series that the data are read from.
    public var source: Source
    /// The criteria, with the metric's name.
    public var criteria: MetricCriteria

    static let limit = 20
}

/// Defaults for the comparisons of a gate. A value.
public struct GateProfile: Equatable, Sendable {
    /// The profile's name.
    public var name: String
    /// The label that names the service.
    public var serviceLabel = "service"
    /// Labels of the stable version's series.
    public var stable: Labels = .empty
    /// Labels of the candidate's series.
    public var candidate: Labels = .empty
    /// The length of the window.
    public var window = Milliseconds.minutes(10)
    /// The metrics to compare.
    public var metrics: [GateMetric] = []
    /// The required confidence.
    public var confidence = GateConfidence()

    static let windows = Milliseconds.seconds(1)...Milliseconds.hours(24 * 7)

    /// The metrics that the ACGS services share, blue against green. The default if no profile is configured.
    public static let acgs = GateProfile(
        name: "acgs", stable: ["env": "blue"], candidate: ["env": "green"],
        metrics: [
            GateMetric(
                source: .counters(events: #"http_requests_total{status=~"5.."}"#, of: "http_requests_total"),
                criteria: MetricCriteria(name: "errors")),
            GateMetric(
                source: .histogram("acgs_request_duration_seconds"), criteria: MetricCriteria(name: "latency")),
            GateMetric(
                source: .samples("acgs_constitutional_compliance_score"),
                criteria: MetricCriteria(
                    name: "compliance", better: .higher, minimum: .init(absolute: 0.01, relative: 0))),
        ])
}

extension GateProfile {
    /// Reads the settings of a profile, which replace those of this one. Configuration and requests use the same
    /// fields.
    mutating func read(_ fields: inout JSONFields) throws(JSONFieldError) {
        if let labels = try fields.labels("stable") { stable = labels }
        if let labels = try fields.labels("candidate") { candidate = labels }
        if let window = try fields.duration("window", in: Self.windows) { self.window = window }
        if let value = try fields.optionalNumber("significance", in: 1e-6...0.2) { confidence.significance = value }
        if let value = try fields.optionalNumber("confidence", in: 0.8...0.9999) { confidence.confidence = value }
        let listed = try fields.list("metrics", limit: GateMetric.limit)
        guard !listed.isEmpty else { return }
        metrics = []
        for (index, element) in listed.enumerated() {
            let path = "\(fields.path(of: "metrics"))[\(index)]"
            let metric = try GateMetric(element, path: path)
            if metrics.contains(where: { $0.criteria.name == metric.criteria.name }) {
                throw JSONFieldError(field: "\(path).name", message: "\"\(metric.criteria.name)\" appears twice")
            }
            metrics.append(metric)
        }
    }
}

extension GateMetric {
    init(_ json: JSON, path: String) throws(JSONFieldError) {
        var fields = try JSONFields(json, path: path)
        let name = try fields.text("name", limit: 100)
        let events = try fields.optionalText("events")
        let trials = try fields.optionalText("of")
        let histogram = try fields.optionalText("histogram")
        let samples = try fields.optionalText("samples")
        switch (events, trials, histogram, samples) {
        case (let events?, let trials?, nil, nil): source = .counters(events: events, of: trials)
        case (nil, nil, let histogram?, nil): source = .histogram(histogram)
        case (nil, nil, nil, let samples?): source = .samples(samples)
        default:
            throw JSONFieldError(field: path, message: "expected events and of, or histogram, or samples")
        }
        criteria = MetricCriteria(name: name, better: try fields.optionalCase("better") ?? .lower)
        if case .samples = source { criteria.minimum = .init(absolute: 0, relative: 0.05) }
        if let value = fields.optional("minimum") {
            var minimum = try JSONFields(value, path: fields.path(of: "minimum"))
            // If only one of the limits is given, it decides alone.
            let absolute = try minimum.optionalNumber("absolute", in: 0...1e12)
            let relative = try minimum.optionalNumber("relative", in: 0...1e6)
            if absolute != nil || relative != nil {
                criteria.minimum.absolute = absolute ?? 0
                criteria.minimum.relative = relative ?? 0
            }
            if let value = try minimum.optionalNumber("superiority", in: 0.5...1) {
                criteria.minimum.superiority = value
            }
            try minimum.finish()
        }
        try fields.finish()
    }
}

extension JSONFields {
    /// A duration in Prometheus's notation.
    mutating func duration(
        _ name: String, in range: ClosedRange<Milliseconds>
    ) throws(JSONFieldError) -> Milliseconds? {
        guard let text = try optionalText(name) else { return nil }
        guard let duration = Milliseconds(parsing: text) else { throw fault(name, "not a duration, such as 30s or 5m") }
        guard range.contains(duration) else {
            throw fault(name, "must be between \(range.lowerBound) and \(range.upperBound)")
        }
        return duration
    }

    /// A map of labels.
    mutating func labels(_ name: String) throws(JSONFieldError) -> Labels? {
        guard optional(name) != nil else { return nil }
        return Labels(try texts(name).map { Label($0.name, $0.value) })
    }
}
