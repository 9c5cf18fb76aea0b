internal import JSON
internal import Rollback

/// What is asked of the metrics to find bottlenecks. A value.
public struct BottleneckQueries: Equatable, Sendable {
    /// What kind of thing holds others up.
    public enum Kind: String, Equatable, Sendable, CaseIterable {
        case service
        case dependency
        case resource
        case compliance
    }

    /// One query with the threshold beyond which its elements count as bottlenecks.
    public struct Query: Equatable, Sendable {
        /// What it measures, such as `p95_latency_seconds`.
        public var name: String
        /// What kind of bottleneck it finds.
        public var kind: Kind
        /// PromQL that yields an instant vector.
        public var expression: String
        /// The limit.
        public var threshold: Double
        /// Limits of single services, by name.
        public var thresholds: [String: Double] = [:]
        /// In which direction healthy lies.
        public var better = MetricCriteria.Direction.lower
        /// The best value there is; 0 where lower is better.
        public var best = 0.0
        /// The label that names what is measured. Where it is `service`, every service of a plan is expected to have a
        /// value.
        public var label = "service"
        /// How much it counts.
        public var weight = 1.0

        /// How much of what is allowed is used up: 1 at the threshold, never below 0, at most 10.
        func pressure(of value: Double, service: String) -> Double {
            let limit = thresholds[service] ?? threshold
            let room = (limit - best).magnitude
            let used = better == .lower ? value - best : best - value
            guard room > 0 else { return used > 0 ? Self.most : 0 }
            return min(Self.most, max(0, used / room))
        }

        static let most = 10.0
    }

    /// What is measured of services, resources and compliance.
    public var queries: [Query] = Self.acgs
    /// PromQL for the mean latency of each service, by the label `service`; along the plans' `depends`, the share that
    /// a dependency has in its caller's time follows.
    public var latency = """
        sum by (service) (rate(acgs_request_duration_seconds_sum[5m])) \
        / sum by (service) (rate(acgs_request_duration_seconds_count[5m]))
        """
    /// The share of its caller's time from which a dependency counts as a bottleneck.
    public var dependencyShare = 0.5

    static let limit = 50

    /// The names the ACGS services use.
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
    /// Reads the section `gates.bottlenecks`; `queries` replaces the default ones.
    init(_ json: JSON, path: String) throws(JSONFieldError) {
        var fields = try JSONFields(json, path: path)
        latency = try fields.optionalText("latency", limit: 4000) ?? latency
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
            throw fields.fault("kind", "dependencies follow from latency and the plans' depends")
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
