internal import MetricModel

extension RolloutState {
    /// The same state without what has no influence on what happens next, with times relative to now.
    ///
    /// Left out are texts, the timeline, causes (all that matters is whether each is a failed promotion), the numbers
    /// of rollbacks and revisions, which only make keys, a rollback that is over, and times that can no longer be
    /// waited for. Whatever this function does not name stays.
    ///
    /// - Parameters:
    ///   - plan: the plan of the machine that may continue with it.
    ///   - awaitsData: whether rules wait some time for the first data of a candidate.
    package func normalised(for plan: RolloutPlan, awaitsData: Bool, _ scale: TimeScale) -> RolloutState {
        var state = self
        state.cooldownUntil = scale.due(cooldownUntil)
        if let last = lastPromotedAt, scale.now >= last + plan.settle { state.lastPromotedAt = nil }
        state.lastPromotedAt = scale.since(state.lastPromotedAt)
        state.observingUntil = scale.since(observingUntil)
        switch phase {
        // Reasons are compared after a loss, and where a service cannot go back.
        case .paused where loss == nil && plan.services.allSatisfy({ $0.reversibleUntil == nil }):
            state.phase = .paused(reason: "")
        case .promoted(let at): state.phase = .promoted(at: scale.since(at, within: plan.retainStable))
        case .idle, .promoting, .paused, .retired, .rollingBack, .rolledBack: break
        }
        state.rollback = rollback?.step == .finished ? nil : rollback?.normalised(for: plan, scale)
        for (name, service) in services {
            state.services[name] = service.normalised(plan.service(name), awaitsData: awaitsData, scale)
        }
        return state
    }

    /// Forgets texts that grow.
    package mutating func forgetTimeline() {
        state(of: \.timeline, becomes: [])
        if let causes = rollback?.causes, causes.count > 1 {
            // A trip or an order matters more than a failed promotion.
            let kept = causes.first { if case .promotion = $0 { false } else { true } } ?? causes[0]
            state(of: \.causes, becomes: [kept])
        }
    }

    private mutating func state<Value>(of path: WritableKeyPath<RollbackRecord, Value>, becomes value: Value) {
        rollback?[keyPath: path] = value
    }
}

extension ServiceRollout {
    fileprivate func normalised(
        _ definition: RolloutPlan.Service?, awaitsData: Bool, _ scale: TimeScale
    ) -> ServiceRollout {
        var service = self
        service.revision = 0
        if frozen != nil { service.frozen = "" }
        service.trafficSince = awaitsData ? scale.since(trafficSince) : nil
        if case .baking(let stage, let since) = progress {
            service.progress = .baking(stage: stage, since: scale.since(since, within: definition?.bake ?? .zero))
        }
        if !progress.isShifting { service.raisedFrom = nil }
        return service
    }
}

extension RollbackRecord {
    fileprivate func normalised(for plan: RolloutPlan, _ scale: TimeScale) -> RollbackRecord {
        var record = self
        record.id = ""
        record.number = 1
        let isPromotion = causes.allSatisfy { if case .promotion = $0 { true } else { false } }
        record.causes = [isPromotion ? .promotion(service: "", reason: "") : .command(by: "", reason: "")]
        record.validatingSince =
            step == .validate ? scale.since(validatingSince, within: plan.validation.timeout) : nil
        record.verdict?.detail = ""
        record.timeline = []
        return record
    }
}
