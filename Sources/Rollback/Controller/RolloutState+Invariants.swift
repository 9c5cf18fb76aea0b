extension RolloutState {
    /// The first inconsistency in the state of a rollout of `plan`; `nil` if there is none. Checked after every event
    /// in debug builds, by tests and by the simulation.
    package func checkInvariants(of plan: RolloutPlan) -> String? {
        if let fault = rollbackFault { return fault }
        for (name, service) in services.sorted(by: { $0.key < $1.key }) {
            if let fault = fault(of: service, plan.service(name)) { return "\(name): \(fault)" }
            guard case .rollingBack = service.progress else { continue }
            guard phase == .rollingBack else { return "\(name): is rolled back in the phase \(phase.name)" }
            guard rollback?.services.contains(name) == true else { return "\(name): no rollback takes it back" }
        }
        if let stranger = doubts.sorted().first(where: { services[$0] == nil }) {
            return "\(stranger): doubted, and not there"
        }
        return nil
    }

    private var rollbackFault: String? {
        guard let rollback else { return phase == .rollingBack ? "it rolls back without a rollback" : nil }
        if rollback.generation > generation { return "the rollback \(rollback.id) is of a later generation" }
        if rollback.number < 1 || rollback.services.isEmpty || rollback.causes.isEmpty {
            return "the rollback \(rollback.id) has no number, service or cause"
        }
        if Set(rollback.services).count != rollback.services.count {
            return "the rollback \(rollback.id) names a service twice"
        }
        let isUnderWay = rollback.step != .finished && rollback.generation == generation
        if phase == .rollingBack, !isUnderWay { return "the rollback \(rollback.id) is over" }
        if phase != .rollingBack, isUnderWay { return "the rollback \(rollback.id) is active in \(phase.name)" }
        return nil
    }

    private func fault(of service: ServiceRollout, _ definition: RolloutPlan.Service?) -> String? {
        let stages = definition?.stages
        switch service.progress {
        case .waiting, .rollingBack, .rolledBack:
            if service.split != .allStable { return "\(service.progress.name) at \(service.split)" }
        case .promoted:
            if service.split != .allCandidate { return "promoted at \(service.split)" }
        case .shifting(let stage):
            let isBelow = stage == -1 && service.isRestoring
            if let stages, !stages.indices.contains(stage), !isBelow { return "there is no stage \(stage)" }
            if let stages, !service.isRestoring, service.split != stages[stage] {
                return "shifting to \(service.split), stage \(stage) is \(stages[stage])"
            }
        case .baking(let stage, _):
            if let stages, !stages.indices.contains(stage), stage != -1 { return "there is no stage \(stage)" }
        }
        if service.isRestoring {
            guard case .shifting = service.progress else { return "restored while \(service.progress.name)" }
        }
        if let stranger = service.abandoned.first(where: { !(definition?.routes.indices.contains($0) ?? true) }) {
            return "there is no route \(stranger + 1)"
        }
        switch service.progress {
        case .rollingBack, .rolledBack: return nil
        case .waiting, .shifting, .baking, .promoted:
            return service.abandoned.isEmpty ? nil : "given up while \(service.progress.name)"
        }
    }
}
