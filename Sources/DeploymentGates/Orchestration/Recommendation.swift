internal import JSON
internal import MetricModel
internal import Rollback

/// An improvement that would remove a bottleneck or repair a regression. A value.
struct Recommendation: Equatable {
    /// How urgent it is: by how much the limit is exceeded.
    enum Severity: String, CaseIterable, Comparable {
        case low
        case medium
        case high
        case critical

        /// 1 to 4.
        var rank: Int { (Self.allCases.firstIndex(of: self) ?? 0) + 1 }

        static func < (left: Severity, right: Severity) -> Bool { left.rank < right.rank }
    }

    enum Kind: String {
        case service = "service_improvement"
        case crossService = "cross_service_optimization"
        case resource = "resource_optimization"
        case constitutional = "constitutional_improvement"
        case repair = "regression_repair"
    }

    var kind: Kind
    /// The service to change; the instance, for a resource.
    var service: String
    var metric: String
    var current: Double?
    var target: Double?
    var severity: Severity
    /// The severity, 1 to 4, times the priority of the service, 1 to 10.
    var rank: Int
    var constraints: [String]
    var depends: [String]
    /// Services that benefit.
    var dependents: [String]
    var reason: String

    /// A line for people.
    var title: String { "\(kind.rawValue): \(metric) of \(service)" }
    /// Recommendations with the same key are about the same problem.
    var key: String { "\(service)\u{0}\(metric)" }

    /// The change that is needed, relative to the present value; `nil` if unknown.
    var relativeChange: Double? {
        guard let current, let target, current != 0 else { return nil }
        return target / current - 1
    }

    var json: JSON {
        func number(_ value: Double?) -> JSON { value.map { .number($0) } ?? .null }
        return [
            "title": .string(title), "type": .string(kind.rawValue), "service": .string(service),
            "target_metric": .string(metric), "current_value": number(current), "target_value": number(target),
            "severity": .string(severity.rawValue), "priority": .string(severity.rawValue),
            "rank": .integer(Int64(rank)),
            "constitutional_constraints": .array(constraints.map(JSON.string)),
            "estimated_impact": [
                "relative_change": number(relativeChange), "services": .array(dependents.map(JSON.string)),
            ],
            "dependencies": .array(depends.map(JSON.string)), "reason": .string(reason),
        ]
    }

    /// The body of an improvement.
    func request(analysis: String?, context: PipelineContext = PipelineContext()) -> JSON {
        var members: [JSON.Member] = [
            .init("title", .string(title)), .init("description", .string(reason)), .init("service", .string(service)),
            .init("parameters", json),
        ]
        if let analysis { members.append(.init("analysis_id", .string(analysis))) }
        for name in ["deployment_context", "deployment_id", "environment"] {
            if let value = context[name] { members.append(.init(name, value)) }
        }
        return .object(members)
    }
}

extension Recommendation {
    /// The recommendations for the bottlenecks of a survey, the most urgent first.
    static func all(
        for survey: BottleneckSurvey, _ configuration: OrchestrationConfiguration, _ graph: ServiceGraph
    ) -> [Recommendation] {
        sorted(
            survey.entries.compactMap { entry in
                guard let severity = entry.severity, entry.isBottleneck else { return nil }
                let name = entry.kind == .dependency ? entry.dependency ?? entry.subject : entry.subject
                let settings = configuration.service(name)
                let kind: Kind =
                    switch entry.kind {
                    case .service: .service
                    case .dependency: .crossService
                    case .resource: .resource
                    case .compliance: .constitutional
                    }
                return Recommendation(
                    kind: kind, service: name, metric: entry.name, current: entry.value, target: entry.threshold,
                    severity: severity, rank: severity.rank * settings.priority, constraints: settings.constraints,
                    depends: graph.dependencies(of: name), dependents: entry.dependents,
                    reason: "\(entry.name) of \(entry.subject) is \(MetricFinding.number(entry.value ?? .nan)), limit "
                        + MetricFinding.number(entry.threshold))
            })
    }

    /// The recommendations to repair what an analysis has found worse.
    static func repairing(
        _ analysis: JSON, _ configuration: OrchestrationConfiguration, _ graph: ServiceGraph
    ) -> [Recommendation] {
        let failed = (analysis["metrics"]?.elements ?? []).filter { $0["verdict"] == "fail" }
        return sorted(
            failed.compactMap { finding in
                // A comparison of services names a metric `service metric`.
                let words = (finding["metric"]?.text ?? "").split(separator: " ", maxSplits: 1).map(String.init)
                guard let last = words.last else { return nil }
                let service = words.count == 2 ? words[0] : analysis["service"]?.text ?? "platform"
                let settings = configuration.service(service)
                return Recommendation(
                    kind: .repair, service: service, metric: last, severity: .high,
                    rank: Severity.high.rank * settings.priority, constraints: settings.constraints,
                    depends: graph.dependencies(of: service), dependents: graph.dependents(of: service),
                    reason: finding["reason"]?.text ?? "")
            })
    }

    /// One for each key, the most urgent first.
    private static func sorted(_ all: [Recommendation]) -> [Recommendation] {
        var seen: Set<String> = []
        return all.sorted { ($1.rank, $0.key) < ($0.rank, $1.key) }.filter { seen.insert($0.key).inserted }
    }
}

extension BottleneckSurvey.Entry {
    /// Whether the limit is reached.
    var isBottleneck: Bool { (pressure ?? 0) >= 1 }

    /// How far a limit is exceeded; `nil` if nothing is measured. Where the constitution is concerned, any
    /// violation is at least `high`.
    var severity: Recommendation.Severity? {
        guard let pressure else { return nil }
        let own: Recommendation.Severity =
            switch pressure {
            case ..<1: .low
            case ..<1.5: .medium
            case ..<2.5: .high
            default: .critical
            }
        return kind == .compliance && pressure >= 1 ? max(own, .high) : own
    }
}
