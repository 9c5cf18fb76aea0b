public import JSON
internal import MetricModel
internal import Rollback
internal import Runtime
internal import Synchronization

extension GateRunner {
    /// The name under which the orchestrator requests improvements.
    private static let actor = "orchestrator"

    /// The state of the coordination of improvements, as JSON.
    public func orchestration() -> JSON { orchestrator.withLock { $0?.json } ?? .null }

    func makeOrchestrator() -> OrchestrationRunner {
        OrchestrationRunner(
            configuration.withLock(\.orchestration),
            .init(
                survey: { [self] () throws(GateRefusal) in try survey() },
                situation: { [self] in situation() },
                submit: { [self] (recommendation) throws(GateRefusal) in
                    let body = recommendation.request(analysis: nil)
                    return try submit(body, actor: Self.actor, at: settings.now()).id
                },
                abandon: { [self] id in abandon(id) },
                record: { [self] cycle in
                    record(.decision, "platform", .object([.init("orchestration", cycle)]), at: settings.now())
                },
                isResponsible: settings.rollouts.isResponsible), now: settings.now,
            logger: settings.logger.with("part", "orchestration"), registry: settings.registry)
    }

    private func survey() throws(GateRefusal) -> (BottleneckSurvey, [Recommendation], ServiceGraph) {
        let configuration = configuration.withLock { $0 }
        let graph = ServiceGraph(settings.rollouts.plans())
        let survey = BottleneckSurvey(configuration.bottlenecks, services: graph, data: settings.data)
        // Without any measurement nothing is healthy or unhealthy.
        guard survey.entries.contains(where: { $0.pressure != nil }) else {
            throw GateRefusal(.unavailable, "no metric of any service could be measured")
        }
        return (survey, Recommendation.all(for: survey, configuration.orchestration, graph), graph)
    }

    private func situation() -> ImprovementOrchestrator.Situation {
        var situation = ImprovementOrchestrator.Situation()
        for record in improvements.newest(Self.recordLimit) {
            guard let improvement = Improvement(record), !improvement.status.isFinal,
                let service = improvement.request["service"]?.text
            else { continue }
            let metric = improvement.request["parameters"]?["target_metric"]?.text ?? ""
            situation.active.append("\(service)\u{0}\(metric)")
        }
        for plan in settings.rollouts.plans() {
            for (service, split) in settings.rollouts.splits(plan.name) where (1..<100).contains(split.candidate) {
                situation.changing.insert(service)
            }
        }
        return situation
    }

    private func abandon(_ id: String) {
        let now = settings.now()
        guard var improvement = improvements.record(id).flatMap(Improvement.init) else { return }
        let timeout = configuration.withLock(\.orchestration.timeout)
        guard improvement.reported(.failed, "not finished within \(timeout)", at: now) == nil else { return }
        withdraw(id)
        do throws(GateRefusal) { try keep(id, improvement.json, in: improvements) } catch {
            settings.logger.error("cannot write improvement record", ["id": id, "reason": error.message])
        }
        reported(improvement, at: now)
    }

    /// Records a status that an executor reported, or that nobody reported in time.
    func reported(_ improvement: Improvement, at now: Timestamp) {
        record(
            .decision, improvement.id,
            [
                "improvement": .string(improvement.id), "status": .string(improvement.status.rawValue),
                "detail": .string(improvement.detail),
            ], at: now)
        guard improvement.status.isFinal else { return }
        orchestrator.withLock { $0 }?.finished(improvement.id, succeeded: improvement.status == .succeeded)
    }
}
