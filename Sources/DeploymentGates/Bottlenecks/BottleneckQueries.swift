internal import JSON
internal import Rollback

/// The queries that find bottlenecks. A value.
public struct BottleneckQueries: Equatable, Sendable {
    /// The kind of a bottleneck.
    public enum Kind: String, Equatable, Sendable, CaseIterable {
        case service
        case dependency
        case resource
        case compliance
    }

    /// A query, with the threshold above which its elements are bottlenecks.
    public struct Query: Equatable, Sendable {
        /// The name of the measurement, such as `p95_latency_seconds`.
        public var name: String
        /// The kind of bottleneck that it finds.
        public var kind: Kind
        /// A PromQL expression for an instant vector.
        public var expression: String
        /// The threshold.
        public var threshold: Double
        /// Thresholds of single services, by name.
        public var thresholds: [String: Double] = [:]
        /// Whether lower or higher values are healthy.
        public var better = MetricCriteria.Direction.lower
        /// The best possible value; 0 if lower is better.
        public var best = 0.0
        /// The label that identifies the measured object. If it is `service`, every service of a plan must have a
        /// value.
        public var label = "service"
        /// The weight in the score.
        public var weight = 1.0

        /// The used part of the allowed range: 1 at the threshold, between 0 and 10.
        func pressure(of value: Double, service: String) -> Double {
            let limit = thresholds[service] ?? threshold
            let room = (limit - best).magnitude
            let used = better == .lower ? value - best : best - value
            guard room > 0 else { return used > 0 ? Self.most : 0 }
            return min(Self.most, max(0, used / room))
        }

        static let most = 10.0
    }

    /// The queries about services, resources and compliance.
    public var queries: [Query] = Self.acgs
    /// The name of the query for the latency of services that tells whether a caller is slow. A dependency can only be
    /// the bottleneck of a caller that is close to its own limit.
    public var callerLatency = "p95_latency_seconds"
    /// A PromQL expression for the mean latency of each service, with the label `service`. With the `depends` of the
    /// plans, it gives the share of a caller's time that a dependency takes.
    public var latency = """
        sum by (service) (rate(acgs_request_duration_seconds_sum[5m])) \
        / sum by (service) (rate(acgs_request_duration_seconds_count[5m]))
        """
    /// A dependency is a bottleneck if its caller is too slow and it takes at least this share of the caller's time.
    public var dependencyShare = 0.5

    static let limit = 50

    /// The metric names of the ACGS services.
    public init() {}

    private static let acgs: [Query] = [
        Query(
            name: "p95_latency_seconds", kind: .service,
            expression:
                "histogram_quantile(0.95, sum by (service, le) (rate(acgs_request_duration_seconds_bucket[5m])))",
            threshold: 0.5,
            thresholds: ["auth": 0.2, "ac": 0.3, "integrity": 0.1, "fv": 5, "gs": 0.5, "pgc": 0.4, "ec": 0.6]),
        Query(
            name: "error_ratio", kind: .service,
            expression: """
                sum by (service) (rate(http_requests_total{status=~"5.."}[5m])) \
                / sum by (service) (rate(http_requests_total[5m])) \
                or 0 * sum by (service) (rate(http_requests_total[5m]))
                """, threshold: 0.001),
        Query(
            name: "cpu", kind: .resource,
            expression: #"1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m]))"#, threshold: 0.8,
            label: "instance"),
        Query(
            name: "memory", kind: .resource,
            expression: "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes", threshold: 0.9,
            label: "instance"),
        Query(
            name: "file_descriptors", kind: .resource, expression: "process_open_fds / process_max_fds", threshold: 0.8,
            label: "instance"),
        Query(
            name: "connection_pool", kind: .resource,
            expression: "acgs_connection_pool_in_use / acgs_connection_pool_size", threshold: 0.8, label: "instance"),
        Query(
            name: "compliance_score", kind: .compliance,
            expression: "avg by (service) (acgs_constitutional_compliance_score)", threshold: 0.95, better: .higher,
            best: 1, weight: 2),
        Query(
            name: "constitutional_hash", kind: .compliance, expression: "min by (service) (constitutional_hash_match)",
            threshold: 1, better: .higher, best: 1, weight: 2),
    ]
}

extension BottleneckQueries {
    /// Reads the section `gates.bottlenecks`. `queries` replaces the default queries.
    init(_ json: JSON, path: String) throws(JSONFieldError) {
        var fields = try JSONFields(json, path: path)
        latency = try fields.optionalText("latency", limit: 4000) ?? latency
        callerLatency = try fields.optionalText("caller_latency", limit: 100) ?? callerLatency
        dependencyShare = try fields.optionalNumber("dependency_share", in: 0.01...1) ?? dependencyShare
        let listed = try fields.list("queries", limit: Self.limit)
        if !listed.isEmpty { queries = [] }
        for (index, element) in listed.enumerated() {
            queries.append(try Query(element, path: "\(fields.path(of: "queries"))[\(index)]"))
        }
        try fields.finish()
    }
}

extension BottleneckQueries.Query {
    init(_ json: JSON, path: String) throws(JSONFieldError) {
        var fields = try JSONFields(json, path: path)
        name = try fields.text("name", limit: 100)
        kind = try fields.optionalCase("kind") ?? .service
        guard kind != .dependency else {
            throw fields.fault("kind", "dependencies are computed from latency and the depends of plans")
        }
        expression = try fields.text("expr", limit: 4000)
        guard let limit = try fields.optionalNumber("threshold", in: -1e15...1e15) else {
            throw fields.fault("threshold", "is required")
        }
        threshold = limit
        better = try fields.optionalCase("better") ?? .lower
        best = try fields.optionalNumber("best", in: -1e15...1e15) ?? (better == .lower ? 0 : 1)
        label = try fields.optionalText("label", limit: 200) ?? "service"
        weight = try fields.optionalNumber("weight", in: 0...100) ?? 1
        if let value = fields.optional("thresholds") {
            var inner = try JSONFields(value, path: fields.path(of: "thresholds"))
            for member in value.members ?? [] {
                thresholds[member.name] = try inner.optionalNumber(member.name, in: -1e15...1e15)
            }
        }
        try fields.finish()
    }
}
