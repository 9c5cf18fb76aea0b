public import JSON
internal import MetricModel
internal import Rollback
internal import Runtime
internal import Synchronization

/// Requests of pipelines that are about a whole platform: what services have served, a comparison of two such
/// readings, and recommendations.
extension GateRunner {
    /// The most services of one request.
    private static let serviceLimit = 50

    /// The traffic of services in a window, by profile. Blocks while the store reads.
    ///
    /// - Parameter body: `services` (names), and optionally `profile`, `window`, `match` (labels), `end`,
    ///   `environment`.
    public func serviceMetrics(_ body: [UInt8]) -> Result<JSON, GateRefusal> {
        limited { () throws(GateRefusal) in try readServiceMetrics(body) }
    }

    private func readServiceMetrics(_ body: [UInt8]) throws(GateRefusal) -> JSON {
        let now = settings.now()
        let profiles = configuration.withLock(\.profiles)
        let request = GateRequest(.create, .deployment, body: body, actor: "")
        let (names, profile, match, end, environment) = try parsed(request) { json throws(JSONFieldError) in
            var fields = try JSONFields(json)
            var names: [String] = []
            for (index, element) in try fields.list("services", limit: Self.serviceLimit).enumerated() {
                guard let name = element.text, !name.isEmpty, name.utf8.count <= 200 else {
                    throw fields.fault("services[\(index)]", "expected the name of a service")
                }
                names.append(name)
            }
            guard !names.isEmpty, Set(names).count == names.count else {
                throw fields.fault("services", "expected different names of services")
            }
            var profile = try GateProfile.named(try fields.optionalText("profile", limit: 100), in: profiles, fields)
            let match = try fields.labels("match") ?? .empty
            let end = try fields.moment("end", now: now) ?? now
            let environment = try fields.optionalText("environment", limit: 200)
            try profile.read(&fields)
            try fields.finish()
            return (names, profile, match, end, environment)
        }
        var metrics = ServiceMetrics()
        for name in names {
            let labels = Labels(match.pairs.map { Label($0.name, $0.value) } + [Label(profile.serviceLabel, name)])
            let arm = GateArm(labels: labels, window: TimeSlices(from: end - profile.window, through: end))
            let reader = ObservationReader(data: settings.data, stable: arm, candidate: arm)
            metrics.services.append((name, profile.metrics.map { ($0.criteria.name, reader.side(of: $0, arm)) }))
        }
        return [
            "format": .string(ServiceMetrics.format), "environment": environment.map(JSON.string) ?? .null,
            "time": .string(RFC3339.text(milliseconds: end.milliseconds)), "window": .string("\(profile.window)"),
            "profile": .string(profile.name), "services": metrics.json,
        ]
    }

    // MARK: comparisons

    /// Compares what a pipeline measured before and after a deployment; `nil` if the request is not about that.
    func snapshotComparison(_ request: GateRequest, at now: Timestamp) throws(GateRefusal) -> JSON? {
        let profiles = configuration.withLock(\.profiles)
        return try parsed(request) { json throws(JSONFieldError) -> JSON? in
            guard json["post_deployment_metrics"] != nil || json["baseline_metrics"] != nil else { return nil }
            var fields = try JSONFields(json)
            let context = try PipelineContext(&fields)
            let service = try fields.optionalText("service", limit: 200)
            let annotations = try fields.labels("annotations") ?? .empty
            var profile = try GateProfile.named(try fields.optionalText("profile", limit: 100), in: profiles, fields)
            try profile.read(&fields)
            try fields.finish()
            let findings = try SnapshotComparison.findings(
                before: context["baseline_metrics"] ?? .null, after: context["post_deployment_metrics"] ?? .null,
                profile)
            let members: JSON = [
                "id": .string(newID("analysis", at: now)), "kind": "performance_change",
                "time": .string(RFC3339.text(milliseconds: now.milliseconds)), "actor": .string(request.actor),
                "verdict": .string(RegressionTest.verdict(of: findings).rawValue),
                "reason": .string(RegressionTest.reason(of: findings)), "service": service.map(JSON.string) ?? .null,
                "profile": .string(profile.name), "significance": .number(profile.confidence.significance),
                "confidence": .number(profile.confidence.confidence), "annotations": .object(annotations.jsonMembers),
                "metrics": .array(findings.map(\.json)),
                "regressions": .array(findings.filter { $0.verdict == .fail }.map { .string($0.metric) }),
            ]
            return .object((members.members ?? []) + context.kept)
        }
    }

    /// Adds to the record of an analysis what a pipeline should improve: after a regression what got worse, else what
    /// limits the services. Requests the improvements if the pipeline wants that.
    func advised(_ json: JSON, _ context: PipelineContext, _ request: GateRequest, at now: Timestamp) -> JSON {
        let configuration = configuration.withLock { $0 }
        let graph = ServiceGraph(settings.rollouts.plans())
        var advice = Recommendation.repairing(json, configuration.orchestration, graph)
        if advice.isEmpty, json["kind"] == "deployment" {
            let survey = BottleneckSurvey(configuration.bottlenecks, services: graph, data: settings.data)
            advice = Recommendation.all(for: survey, configuration.orchestration, graph)
        }
        var members = json.members ?? []
        members.append(.init("recommendations", .array(advice.map(\.json))))
        let isPossible = configuration.executor != nil && !advice.isEmpty
        members.append(.init("auto_improve", .bool(isPossible)))
        if isPossible, context.wantsImprovement {
            var ids: [JSON] = []
            var refused: [JSON] = []
            for recommendation in advice {
                do throws(GateRefusal) {
                    let body = recommendation.request(analysis: json["id"]?.text, context: context)
                    ids.append(.string(try submit(body, actor: request.actor, at: now).id))
                } catch {
                    refused.append(.string("\(recommendation.title): \(error.message)"))
                }
            }
            members.append(.init("improvement_ids", .array(ids)))
            if ids.count == 1 { members.append(.init("improvement_id", ids[0])) }
            if !refused.isEmpty { members.append(.init("improvements_refused", .array(refused))) }
        }
        return .object(members)
    }
}

extension GateProfile {
    /// The profile `name`, or the first one.
    static func named(
        _ name: String?, in profiles: [GateProfile], _ fields: JSONFields
    ) throws(JSONFieldError) -> GateProfile {
        guard let profile = name.map({ name in profiles.first { $0.name == name } }) ?? profiles.first else {
            let known = profiles.map(\.name).joined(separator: ", ")
            throw fields.fault("profile", "unknown profile, expected one of \(known)")
        }
        return profile
    }
}

/// The comparison of two readings of services. A pure function.
enum SnapshotComparison {
    /// The most single numbers of another tool that are listed.
    private static let numberLimit = 200

    /// The findings by service and metric, named `service metric`.
    static func findings(
        before: JSON, after: JSON, _ profile: GateProfile
    ) throws(JSONFieldError) -> [MetricFinding] {
        let old = try ServiceMetrics(before, path: "baseline_metrics")
        let new = try ServiceMetrics(after, path: "post_deployment_metrics")
        guard let old, let new else { return numbers(before, after) }
        // A service that vanished is a finding without data, not one less to compare.
        let names =
            old.services.map(\.name)
            + new.services.map(\.name).filter { name in
                !old.services.contains { $0.name == name }
            }
        let pairs = names.flatMap { service in
            profile.metrics.map { metric -> (MetricCriteria, MetricObservations) in
                var criteria = metric.criteria
                criteria.name = "\(service) \(metric.criteria.name)"
                let observations = MetricObservations(
                    stable: old[service, metric.criteria.name], candidate: new[service, metric.criteria.name])
                return (criteria, observations)
            }
        }
        return RegressionTest.findings(of: pairs, profile.confidence)
    }

    /// Numbers without counts, as another tool may send them, are listed side by side. Whether a difference is more
    /// than chance cannot be told, so the result is inconclusive.
    private static func numbers(_ before: JSON, _ after: JSON) -> [MetricFinding] {
        let (old, new) = (leaves(before, ""), leaves(after, ""))
        let names = (old.keys.sorted() + new.keys.filter { old[$0] == nil }.sorted()).prefix(numberLimit)
        guard !names.isEmpty else {
            return [.missing(MetricCriteria(name: "metrics"), .none, "there are no numbers to compare")]
        }
        return names.map { name in
            func text(_ value: Double?) -> String { value.map(MetricFinding.number) ?? "nothing" }
            return .missing(
                MetricCriteria(name: name), .none,
                "\(text(old[name])) before, \(text(new[name])) after; numbers without counts cannot be tested")
        }
    }

    private static func leaves(_ json: JSON, _ path: String) -> [String: Double] {
        var found: [String: Double] = [:]
        for member in json.members ?? [] {
            let name = path.isEmpty ? member.name : "\(path).\(member.name)"
            if let number = member.value.number { found[name] = number }
            // Deeper than any tool's report; the parser limits the depth of a body as well.
            if name.utf8.count < 1000 { found.merge(leaves(member.value, name)) { first, _ in first } }
        }
        return found
    }
}
