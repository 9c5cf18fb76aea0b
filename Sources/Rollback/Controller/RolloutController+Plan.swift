internal import MetricModel

/// The effect of a changed plan file on an active rollout.
extension RolloutController {
    /// The plan file was read again. Gates, times and texts are in force at once. Services, routes and stages change
    /// only between rollouts: while one is under way, they wait for its end.
    ///
    /// - Returns: what waits, and why; `nil` where everything is in force.
    public mutating func planChanged(to new: RolloutPlan, at now: Instant) -> (waits: String?, actions: [Action]) {
        waitingPlan = nil
        var waits: String?
        if new.structure != plan.structure {
            if let reason = structureIsFixed {
                waits = "services, routes and stages change later: \(reason)"
                waitingPlan = new
                plan = plan.taking(new)
            } else {
                adopt(new)
            }
        } else {
            plan = new
        }
        let actions = handle(at: now) { controller in
            controller.journal("plan", at: now)
        }
        return (waits, actions)
    }

    /// Why services, routes and stages must not change now.
    private var structureIsFixed: String? {
        switch state.phase {
        case .promoting, .paused, .rollingBack: "generation \(state.generation) is under way"
        case .promoted where state.services.values.contains { $0.split > .allStable }:
            "the stable version of generation \(state.generation) is still retained"
        case .idle, .promoted, .retired, .rolledBack: nil
        }
    }

    /// The reason why the plan must not be removed: its rollout is active.
    package var unfinished: String? { structureIsFixed }

    /// Takes over the structure that has waited for the end of the rollout.
    mutating func adoptWaitingPlan(at now: Instant) {
        guard let new = waitingPlan, structureIsFixed == nil else { return }
        waitingPlan = nil
        adopt(new)
        journal("plan", at: now)
    }

    /// Begins with another structure where the rollouts of the former one have ended.
    private mutating func adopt(_ new: RolloutPlan) {
        for (service, traffic) in unmanaged.sorted(by: { $0.key < $1.key }) { withdraw(traffic, service) }
        unmanaged = [:]
        let old = self
        self = RolloutController(plan: new, epoch: old.epoch, nonce: old.processNonce)
        state.generation = old.state.generation
        state.cooldownUntil = old.state.cooldownUntil
        state.observingUntil = old.state.observingUntil
        // Those that a promotion or a rollback still owes.
        (state.hooks, hooks) = (old.state.hooks, old.hooks)
        tripPages = old.tripPages
        (state.loss, structureChange) = (old.state.loss, old.structureChange)
        (freezes, isAlone, journal) = (old.freezes, old.isAlone, old.journal)
        (isHistoryAvailable, standings, lastOperation) = (old.isHistoryAvailable, old.standings, old.lastOperation)
        (demands, evidence, began) = (old.demands, old.evidence, old.began)
        (outbox, freezePage) = (old.outbox, old.freezePage)
        structureRevision = old.structureRevision + 1
    }
}

extension RolloutPlan {
    /// The parts that may change only between rollouts: the services with their dependencies, routes and stages.
    var structure: [Service] {
        services.map { service in
            var bare = service
            (bare.bake, bare.gates, bare.preflight, bare.priority) = (.zero, [], [], 0)
            bare.reversibleUntil = nil
            return bare
        }
    }

    /// This plan's structure with everything else of `new`.
    func taking(_ new: RolloutPlan) -> RolloutPlan {
        var plan = new
        plan.levels = levels
        plan.services = services.map { service in
            guard let other = new.service(service.name) else { return service }
            var service = service
            (service.bake, service.gates) = (other.bake, other.gates)
            (service.preflight, service.priority) = (other.preflight, other.priority)
            service.reversibleUntil = other.reversibleUntil
            return service
        }
        return plan
    }
}
