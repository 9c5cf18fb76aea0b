internal import JSON
internal import MetricModel

/// The way forward: level by level, service by service, stage by stage.
extension RolloutController {
    /// Time between two looks at gates that are closed.
    private static var gateInterval: Milliseconds { .seconds(10) }

    /// Why no candidate may get more traffic now; `nil` when it may.
    public func obstacle(at now: Instant) -> String? {
        if let until = state.cooldownUntil, now < until { return "cooldown" }
        if isAlone { return "the lease cannot be renewed" }
        if !isHistoryAvailable { return "the history cannot be written" }
        if let freeze = freezes.min() { return "held back by \(freeze)" }
        for name in plan.freezeIf {
            switch standings[name] {
            case .healthy: continue
            case .violated: return "frozen by \(name): violated"
            // Before candidates have had traffic for a while, a rule that measures it has nothing to measure.
            case .missing where isDataDue(of: name, at: now): return "frozen by \(name): no data"
            case nil where isDataDue(of: name, at: now): return "frozen by \(name): not measured yet"
            case .missing, nil: continue
            }
        }
        return nil
    }

    /// Why the rollout stands still, for people: also a pause, and what a rollback of a part has left.
    package func standstill(at now: Instant) -> String? {
        switch state.phase {
        case .paused(let reason): return reason
        case .rolledBack:
            let left = plan.services.map(\.name).filter { takesTraffic($0) }
            guard left.isEmpty else {
                return "the candidate of \(left.joined(separator: ", ")) keeps its traffic: abort or rollback ends that"
            }
            return obstacle(at: now)
        case .idle, .promoting, .promoted, .retired, .rollingBack: return obstacle(at: now)
        }
    }

    /// Does what the rollout needs next.
    mutating func advancePromotion(at now: Instant) {
        if let until = state.cooldownUntil, now < until { wake(at: until) }
        guard obstacle(at: now) == nil else { return }
        for level in plan.levels {
            if level.allSatisfy({ isSettled($0) }) {
                let promoted = level.filter { state.services[$0]?.progress == .promoted }.count
                guard Double(promoted) >= plan.successRatio * Double(level.count) else {
                    let names = level.joined(separator: ", ")
                    return stop(
                        "only \(promoted) of \(level.count) services of the level \(names) were promoted", at: now)
                }
                continue
            }
            let isUntouched = level.allSatisfy { isSettled($0) || state.services[$0]?.progress == .waiting }
            if isUntouched, let last = state.lastPromotedAt, now < last + plan.settle {
                return wake(at: last + plan.settle)
            }
            let open = level.filter { !isSettled($0) }
            let moving = open.filter { state.services[$0]?.progress != .waiting }
            let next = open.filter { state.services[$0]?.progress == .waiting }
            for service in moving + next.prefix(max(0, plan.maximumConcurrent - moving.count)) {
                advancePromotion(of: service, at: now)
            }
            return
        }
        state.phase = .promoted(at: now)
        record(.deployment, ["step": "promoted"], at: now)
        journal("promoted", at: now)
    }

    /// Whether nothing more happens to `service` in this rollout.
    private func isSettled(_ service: String) -> Bool {
        switch state.services[service]?.progress {
        case .promoted, .rolledBack, nil: true
        case .waiting:
            plan.service(service)?.depends.contains { name in
                state.services[name]?.progress != .promoted && isSettled(name)
            } ?? true
        case .shifting, .baking, .rollingBack: false
        }
    }

    private mutating func advancePromotion(of service: String, at now: Instant) {
        // What another node left has to be read first: it may have been on its way back.
        guard let definition = plan.service(service), let current = state.services[service],
            !state.doubts.contains(service)
        else { return }
        switch current.progress {
        case .waiting: beginStage(0, of: definition, at: now)
        case .shifting:
            guard isFree(service, at: now) else { return }
            operate(service, .target, .inspect, at: now)
        case .baking(let stage, let since):
            let end = since + definition.bake
            guard now >= end || current.isApproved else { return wake(at: end) }
            passGates(definition, stage, since: end, at: now)
        case .promoted, .rollingBack, .rolledBack: break
        }
    }

    private mutating func beginStage(_ stage: Int, of service: RolloutPlan.Service, at now: Instant) {
        // The reply to a question asked at rest must not be taken for one about the new weight.
        pending[service.name] = nil
        succeeded(service.name)
        state.services[service.name]?.progress = .shifting(stage: stage)
        state.services[service.name]?.split = service.stages[stage]
        state.services[service.name]?.revision &+= 1
        state.services[service.name]?.isApproved = false
        state.services[service.name]?.isWithoutData = false
        if stage == 0 { state.services[service.name]?.trafficSince = now }
        recordStage("intended", service.name, stage, "", at: now)
        journal("stage", at: now)
    }

    private mutating func endStage(_ stage: Int, of service: RolloutPlan.Service, at now: Instant) {
        gateOpenSince[service.name] = nil
        gateLacks[service.name] = nil
        guard stage + 1 < service.stages.count else {
            state.services[service.name]?.progress = .promoted
            state.services[service.name]?.isApproved = false
            state.services[service.name]?.isWithoutData = false
            state.lastPromotedAt = now
            recordStage("promoted", service.name, stage, "", at: now)
            journal("service promoted", at: now)
            return
        }
        beginStage(stage + 1, of: service, at: now)
    }

    /// Lets `service` pass when all its gates are open; those that the machine cannot answer itself are asked.
    private mutating func passGates(
        _ service: RolloutPlan.Service, _ stage: Int, since: Instant, at now: Instant
    ) {
        // Gates are asked when there is something that they can judge; lack of data never fails a service.
        guard isFree(service.name, at: now), lack(of: service.name, at: now) == nil || gateLacks[service.name] != nil
        else { return }
        var outside: [RolloutPlan.Gate] = []
        for gate in service.gates {
            switch gate.kind {
            case .expression, .http: outside.append(gate)
            case .rule(let name):
                guard standings[name] != .violated else {
                    return gateClosed(service.name, "\(gate.name): violated", since: since, at: now)
                }
            case .approval:
                guard state.services[service.name]?.isApproved == true else {
                    return gateClosed(service.name, "\(gate.name): not approved", since: since, at: now)
                }
            }
        }
        guard !outside.isEmpty else { return endStage(stage, of: service, at: now) }
        lastOperation &+= 1
        let deadline = now + .seconds(60)
        pending[service.name] = Pending(id: lastOperation, purpose: .gates, deadline: deadline)
        wake(at: deadline)
        outbox.append(.ask(GateQuestion(id: lastOperation, service: service.name, gates: outside)))
    }

    /// The gates that were asked have answered.
    public mutating func gatesAnswered(_ question: UInt64, _ answers: [GateAnswer], at now: Instant) -> [Action] {
        guard let (name, entry) = pending.first(where: { $0.value.id == question }), entry.purpose == .gates else {
            return []
        }
        return handle(at: now) { controller in
            controller.pending[name] = nil
            if name == Self.versionQuestion { return controller.versionSeen(answers.first?.value, at: now) }
            guard case .baking(let stage, let since) = controller.state.services[name]?.progress,
                let service = controller.plan.service(name)
            else { return }
            controller.gatesAnswered(answers, service, stage, verified: since, at: now)
        }
    }

    private mutating func gatesAnswered(
        _ answers: [GateAnswer], _ service: RolloutPlan.Service, _ stage: Int, verified: Instant, at now: Instant
    ) {
        let (name, since) = (service.name, verified + service.bake)
        let missing = answers.first { $0.isMissing }
        let passesMissing = state.services[name]?.isWithoutData == true
        if let closed = answers.first(where: { !$0.isOpen && !$0.isMissing }) {
            gateLacks[name] = nil
            gateClosed(name, "\(closed.name): \(closed.detail)", since: since, at: now)
        } else if let missing, !passesMissing {
            // No data is not a closed gate: it holds, and people are notified.
            let first = gateLacks[name]?.since ?? now
            gateLacks[name] = EvidenceLack(rule: "gate \(missing.name)", service: name, since: first)
            retryAt[name] = now + Self.gateInterval
            wake(at: now + Self.gateInterval)
        } else {
            gateLacks[name] = nil
            guard mayRaise(at: now), obstacle(at: now) == nil, lack(of: name, verified: verified) == nil else { return }
            endStage(stage, of: service, at: now)
        }
    }

    private mutating func gateClosed(_ service: String, _ reason: String, since: Instant, at now: Instant) {
        let opened = gateOpenSince[service] ?? max(since, now)
        gateOpenSince[service] = opened
        guard now < opened + plan.gateTimeout else {
            gateOpenSince[service] = nil
            return fail(service, "gate \(reason)", at: now)
        }
        retryAt[service] = now + Self.gateInterval
        wake(at: now + Self.gateInterval)
    }

    /// An operation on the way forward has come to an end.
    mutating func promotionAnswered(
        _ service: String, _ stage: Int, _ purpose: Purpose, _ result: OperationResult, at now: Instant
    ) {
        guard let wanted = state.services[service]?.split else { return }
        switch (purpose, result) {
        case (.target, .inspected(let seen)):
            if state.services[service]?.isRestoring == true { return restoreInspected(service, seen, at: now) }
            guard mayRaise(at: now), obstacle(at: now) == nil else { return }
            guard case .healthy = seen.stable else {
                return raiseFailed(service, "there is no verified way back: \(seen.stable)", at: now)
            }
            if case .unhealthy(let reason) = seen.candidate, !seen.isCandidateIsolated {
                return raiseFailed(service, "the candidate is unhealthy: \(reason)", at: now)
            }
            thaw(service, at: now)
            operate(service, .shift(wanted), .shift(wanted), at: now)
        case (.shift, .done): operate(service, .verify, .inspect, at: now)
        case (.verify, .inspected(let seen)) where seen.split == wanted:
            succeeded(service)
            state.services[service]?.progress = .baking(stage: stage, since: now)
            state.services[service]?.isRestoring = false
            recordStage("verified", service, stage, "read back \(wanted)", at: now)
            journal("baking", at: now)
        case (.verify, .inspected(let seen)):
            state.services[service]?.revision &+= 1
            journal("unverified", at: now)
            raiseFailed(service, "read back \(seen.split?.description ?? "no traffic"), wanted \(wanted)", at: now)
        case (_, .failed(let reason)): raiseFailed(service, reason, at: now)
        case (_, .done), (_, .inspected): retryLater(service, at: now)
        }
    }

    /// A stage could not be reached. After some attempts the service counts as failed.
    private mutating func raiseFailed(_ service: String, _ reason: String, at now: Instant) {
        retryLater(service, at: now)
        if state.services[service]?.isRestoring == true { return freeze(service, reason, at: now) }
        if state.phase == .promoting, failures[service, default: 0] >= 10 { fail(service, reason, at: now) }
    }

    /// Takes a service back that could not be promoted.
    private mutating func fail(_ service: String, _ reason: String, at now: Instant) {
        beginRollback(of: [service], because: .promotion(service: service, reason: reason), at: now)
        page("\(service)/promotion", "plan \(plan.name): \(service) could not be promoted: \(reason)")
    }

    mutating func recordStage(
        _ step: String, _ service: String, _ stage: Int, _ detail: String, at now: Instant
    ) {
        record(
            .deployment,
            [
                "step": .string(step), "service": .string(service), "stage": .integer(Int64(stage)),
                "split": .string(state.services[service]?.split.description ?? ""), "detail": .string(detail),
            ], at: now)
    }
}
