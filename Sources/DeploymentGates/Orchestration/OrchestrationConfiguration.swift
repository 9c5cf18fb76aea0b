internal import JSON
public import MetricModel

/// The section `gates.orchestration`: how improvements of several services are coordinated. A value.
///
/// ```yaml
/// gates:
///   orchestration:
///     enabled: true
///     interval: 5m
///     services:
///     - {name: auth, priority: 10, improvement_frequency: triggered, max_concurrent_improvements: 1}
/// ```
public struct OrchestrationConfiguration: Equatable, Sendable {
    /// How often a service may be improved.
    public enum Frequency: String, Equatable, Sendable, CaseIterable {
        /// In every cycle.
        case continuous
        /// At most once per ``OrchestrationConfiguration/schedule``.
        case scheduled
        /// Only for bottlenecks of severity `high` or `critical`.
        case triggered
    }

    /// A service that may be improved.
    public struct Service: Equatable, Sendable {
        /// The value of the label `service`.
        public var name: String
        /// The port, for reports; `nil` if unknown.
        public var port: Int?
        /// 1 to 10; higher is more critical.
        public var priority = 5
        /// How often it may be improved.
        public var frequency = Frequency.continuous
        /// Principles that every improvement has to keep. They are sent to the executor.
        public var constraints: [String] = []
        /// The most improvements in progress.
        public var maximumConcurrent = 1
    }

    /// Whether cycles run. Recommendations are made in any case.
    public var isEnabled = false
    /// The time from the end of a cycle to the next.
    public var interval = Milliseconds.minutes(5)
    /// The time after a cycle that failed.
    public var errorInterval = Milliseconds.minutes(10)
    /// The share of a level's improvements that must succeed before the next level.
    public var successRatio = 0.8
    /// The time between levels.
    public var stabilization = Milliseconds.seconds(120)
    /// The shortest time between improvements of a `scheduled` service.
    public var schedule = Milliseconds.hours(24)
    /// An improvement that takes longer counts as failed.
    public var timeout = Milliseconds.minutes(30)
    /// The services. Others have the defaults of ``Service``.
    public var services: [Service] = Self.acgs

    /// Cycles of five minutes for the ACGS services, not enabled.
    public init() {}

    /// The settings of `name`.
    func service(_ name: String) -> Service { services.first { $0.name == name } ?? Service(name: name) }

    private static let acgs: [Service] = [
        Service(
            name: "auth", port: 8000, priority: 10, frequency: .triggered,
            constraints: ["maintain_security", "ensure_access_control"]),
        Service(
            name: "ac", port: 8001, priority: 9, frequency: .continuous,
            constraints: ["preserve_constitutional_integrity", "maintain_democratic_oversight"], maximumConcurrent: 2),
        Service(
            name: "integrity", port: 8002, priority: 5, frequency: .triggered,
            constraints: ["maintain_cryptographic_integrity", "ensure_data_security"]),
        Service(
            name: "fv", port: 8003, priority: 7, frequency: .scheduled,
            constraints: ["maintain_verification_integrity", "ensure_safety_properties"]),
        Service(
            name: "gs", port: 8004, priority: 8, frequency: .continuous,
            constraints: ["maintain_democratic_oversight", "ensure_transparency"], maximumConcurrent: 2),
        Service(
            name: "pgc", port: 8005, priority: 6, frequency: .continuous,
            constraints: ["ensure_policy_compliance", "maintain_governance_integrity"], maximumConcurrent: 2),
        Service(
            name: "ec", port: 8006, priority: 4, frequency: .scheduled,
            constraints: ["maintain_oversight_capability", "ensure_executive_accountability"]),
    ]
}

extension OrchestrationConfiguration {
    private static let serviceLimit = 200

    /// Reads the section. `services` replaces the default ones.
    init(_ json: JSON, path: String) throws(JSONFieldError) {
        var fields = try JSONFields(json, path: path)
        isEnabled = try fields.optionalFlag("enabled") ?? true
        let range = Milliseconds.milliseconds(100)...Milliseconds.hours(24 * 7)
        interval = try fields.duration("interval", in: range) ?? interval
        errorInterval = try fields.duration("error_interval", in: range) ?? errorInterval
        stabilization = try fields.duration("stabilization", in: .zero...(.hours(24))) ?? stabilization
        schedule = try fields.duration("schedule", in: range) ?? schedule
        timeout = try fields.duration("timeout", in: range) ?? timeout
        successRatio = try fields.optionalNumber("success_ratio", in: 0...1) ?? successRatio
        let listed = try fields.list("services", limit: Self.serviceLimit)
        if !listed.isEmpty { services = [] }
        for (index, element) in listed.enumerated() {
            let service = try Service(element, path: "\(fields.path(of: "services"))[\(index)]")
            guard !services.contains(where: { $0.name == service.name }) else {
                throw fields.fault("services[\(index)].name", "\"\(service.name)\" appears twice")
            }
            services.append(service)
        }
        try fields.finish()
    }
}

extension OrchestrationConfiguration.Service {
    init(_ json: JSON, path: String) throws(JSONFieldError) {
        var fields = try JSONFields(json, path: path)
        name = try fields.text("name", limit: 100)
        port = try fields.optionalNumber("port", in: 1...65535).map { Int($0) }
        priority = try fields.optionalNumber("priority", in: 1...10).map { Int($0) } ?? priority
        frequency = try fields.optionalCase("improvement_frequency") ?? frequency
        maximumConcurrent =
            try fields.optionalNumber("max_concurrent_improvements", in: 1...100).map { Int($0) } ?? maximumConcurrent
        for (index, element) in try fields.list("constitutional_constraints", limit: 50).enumerated() {
            guard let text = element.text, !text.isEmpty, text.utf8.count <= 200 else {
                throw fields.fault("constitutional_constraints[\(index)]", "expected 1 to 200 bytes of text")
            }
            constraints.append(text)
        }
        try fields.finish()
    }
}
