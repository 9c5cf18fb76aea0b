internal import JSON
internal import MetricModel

/// Promotion: level by level, service by service, stage by stage.
extension RolloutController {
    /// The interval at which closed gates are evaluated.
    private static var gateInterval: Milliseconds { .seconds(10) }

    /// Why no candidate may get more traffic now; `nil` if it may.
    public func obstacle(at now: Instant) -> String? {
        if let until = state.cooldownUntil, now < until { return "cooldown" }
        if let text = observationText { return text }
        if isAlone { return "the lease cannot be renewed" }
        if let trouble = journalTrouble(at: now) ?? lossText ?? formatText { return trouble }
        if !isHistoryAvailable { return "the history cannot be written" }
        if let freeze = freezes.min() { return "held back by \(freeze)" }
        if let route = unreadRoute { return "\(route.service) has not been read: \(name(of: route))" }
        if let reason = contestedRoute { return reason }
        for name in plan.freezeIf {
            switch standings[name] {
            case .healthy: continue
            case .violated: return "frozen by \(name): violated"
            // Before candidates have had traffic for a while, a rule has no data to measure.
            case .missing where isDataDue(of: name, at: now): return "frozen by \(name): no data"
            case nil where isDataDue(of: name, at: now): return "frozen by \(name): not measured yet"
            case .missing, nil: continue
            }
        }
        return nil
    }

    /// A route that was not read since the process, or the term of the lease, began: its weights may be those of
    /// another process.
    var unreadRoute: RouteID? {
        plan.services.lazy.flatMap { routes(of: $0.name) }.first { !self[$0].isRead }
    }

    /// Why the rollout does not continue, including a pause and the rest of a partial rollback.
    package func standstill(at now: Instant) -> String? {
        switch state.phase {
        case .paused(let reason): return reason
        case .rolledBack:
            let left = plan.services.map(\.name).filter { takesTraffic($0) }
            guard left.isEmpty else {
                return "the candidate of \(left.joined(separator: ", ")) keeps its traffic: abort or rollback ends that"
            }
            return obstacle(at: now)
        case .promoting: return obstacle(at: now) ?? waitedHook
        case .idle, .promoted, .retired, .rollingBack: return obstacle(at: now)
        }
    }

    /// Performs the next step of the promotion.
    mutating func advancePromotion(at now: Instant) {
        if let until = state.cooldownUntil, now < until { wake(at: until) }
        guard obstacle(at: now) == nil, passHooksBeforeRollout(at: now) else { return }
        for level in plan.levels {
            if level.allSatisfy({ isSettled($0) }) {
                let meant = level.filter { state.services[$0]?.isLeftOut == false }
                let promoted = meant.filter { state.services[$0]?.progress == .promoted }.count
                guard Double(promoted) >= plan.successRatio * Double(meant.count) else {
                    let names = meant.joined(separator: ", ")
                    return stop(
                        "only \(promoted) of \(meant.count) services of the level \(names) were promoted", at: now)
                }
                continue
            }
            let isUntouched = level.allSatisfy { isSettled($0) || state.services[$0]?.progress == .waiting }
            if isUntouched, !state.isFull, let last = state.lastPromotedAt, now < last + plan.settle {
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
        oweHooks(.afterPromotion)
        record(.deployment, ["step": "promoted"], at: now)
        journal("promoted", at: now)
    }

    /// Whether `service` is finished in this rollout.
    private func isSettled(_ service: String) -> Bool {
        switch state.services[service]?.progress {
        case .promoted, .rolledBack, nil: true
        case .waiting where state.services[service]?.isLeftOut == true: true
        case .waiting:
            // Services that are no part of the rollout keep the versions that the others know.
            plan.service(service)?.depends.contains { name in
                state.services[name]?.progress != .promoted && state.services[name]?.isLeftOut == false
                    && isSettled(name)
            } ?? true
        case .shifting, .baking, .rollingBack: false
        }
    }

    private mutating func advancePromotion(of service: String, at now: Instant) {
        // The weights left by another node are read first: it may have been rolling back.
        guard let definition = plan.service(service), let current = state.services[service],
            !state.doubts.contains(service) || current.progress.isShifting
        else { return }
        switch current.progress {
        case .waiting where state.isFull: beginStage(definition.stages.count - 1, of: definition, at: now)
        case .baking(let stage, _) where state.isFull: endStage(stage, of: definition, at: now)
        case .waiting: if passHooks(before: 0, of: service, at: now) { beginStage(0, of: definition, at: now) }
        case .shifting(let stage): advanceShift(of: service, stage, to: current.split, at: now)
        case .baking(let stage, let since):
            let end = since + definition.bake
            guard now >= end || current.isApproved else { return wake(at: end) }
            guard passHooks(after: stage, of: service, at: now) else { return }
            let isLast = stage + 1 >= definition.stages.count
            guard isLast || passHooks(before: stage + 1, of: service, at: now) else { return }
            passGates(definition, stage, since: end, at: now)
        case .promoted, .rollingBack, .rolledBack: break
        }
    }

    private mutating func beginStage(_ stage: Int, of service: RolloutPlan.Service, at now: Instant) {
        work[service.name]?.begin()
        forgetHooks(of: service.name)
        endReduction(of: service.name)
        gateAnswers[service.name] = nil
        if !takesTraffic(service.name) { state.services[service.name]?.trafficSince = now }
        let before = state.services[service.name]?.split
        state.services[service.name]?.raisedFrom = before
        state.services[service.name]?.progress = .shifting(stage: stage)
        state.services[service.name]?.split = service.stages[stage]
        state.services[service.name]?.revision &+= 1
        state.services[service.name]?.withdrawApproval()
        passReversible(service.name)
        recordStage("intended", service.name, stage, "", at: now)
        journal("stage", at: now)
    }

    private mutating func endStage(_ stage: Int, of service: RolloutPlan.Service, at now: Instant) {
        work[service.name]?.gateClosedSince = nil
        work[service.name]?.gateLack = nil
        guard stage + 1 < service.stages.count else {
            state.services[service.name]?.progress = .promoted
            state.services[service.name]?.withdrawApproval()
            state.lastPromotedAt = now
            recordStage("promoted", service.name, stage, "", at: now)
            journal("service promoted", at: now)
            return
        }
        beginStage(state.isFull ? service.stages.count - 1 : stage + 1, of: service, at: now)
    }

    /// Lets `service` pass when all its gates are open; requests the evaluation of gates outside of the machine.
    private mutating func passGates(
        _ service: RolloutPlan.Service, _ stage: Int, since: Instant, at now: Instant
    ) {
        // Gates are evaluated when they have data to judge; missing data never fails a service.
        guard work[service.name]?.gates == nil,
            lack(of: service.name, at: now) == nil || work[service.name]?.gateLack != nil
        else { return }
        if let due = work[service.name]?.gatesDue, due > now { return wake(at: due) }
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
        work[service.name]?.gates = ServiceWork.Question(id: lastOperation, deadline: deadline)
        wake(at: deadline)
        outbox.append(.ask(GateQuestion(id: lastOperation, service: service.name, gates: outside)))
    }

    /// The gates were evaluated.
    public mutating func gatesAnswered(_ question: UInt64, _ answers: [GateAnswer], at now: Instant) -> [Action] {
        if versionQuestion?.id == question {
            return handle(at: now) { controller in
                controller.versionQuestion = nil
                controller.versionSeen(answers.first?.value, at: now)
            }
        }
        guard let name = work.first(where: { $0.value.gates?.id == question })?.key else { return [] }
        return handle(at: now) { controller in
            controller.work[name]?.gates = nil
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
        gateAnswers[name] = answers
        let missing = answers.first { $0.isMissing }
        let passesMissing = state.services[name]?.isWithoutData == true
        if let closed = answers.first(where: { !$0.isOpen && !$0.isMissing }) {
            work[name]?.gateLack = nil
            gateClosed(name, "\(closed.name): \(closed.detail)", since: since, at: now)
        } else if let missing, !passesMissing {
            // A gate without data is not closed: it holds, with a notification.
            let first = work[name]?.gateLack?.since ?? now
            work[name]?.gateLack = EvidenceLack(rule: "gate \(missing.name)", service: name, since: first)
            work[name]?.gatesDue = now + Self.gateInterval
            wake(at: now + Self.gateInterval)
        } else {
            work[name]?.gateLack = nil
            guard mayRaise(at: now), obstacle(at: now) == nil, lack(of: name, verified: verified) == nil else { return }
            endStage(stage, of: service, at: now)
        }
    }

    private mutating func gateClosed(_ service: String, _ reason: String, since: Instant, at now: Instant) {
        let closed = work[service]?.gateClosedSince ?? max(since, now)
        work[service]?.gateClosedSince = closed
        guard now < closed + plan.gateTimeout else {
            work[service]?.gateClosedSince = nil
            return fail(service, "gate \(reason)", at: now)
        }
        work[service]?.gatesDue = now + Self.gateInterval
        wake(at: now + Self.gateInterval)
    }

    /// The maximum age of a reading that lets a candidate's weight rise.
    private static var freshness: Milliseconds { .seconds(5) }

    /// Reads every route of `service`, shifts them when all of them may be shifted, and reads them back.
    private mutating func advanceShift(of service: String, _ stage: Int, to split: TrafficSplit, at now: Instant) {
        // Going down waits for no other route: ``advanceRestores(at:)``.
        guard state.services[service]?.isRestoring != true else { return }
        let routes = routes(of: service)
        for route in routes where self[route].leg == .fit {
            let end = (self[route].view.readAt ?? now) + Self.freshness
            if now < end { wake(at: end) } else if self[route].pending == nil { self[route].leg = .unread }
        }
        let areFit = routes.allSatisfy { self[$0].leg >= .fit }
        if areFit, state.doubts.remove(service) != nil { journal("confirmed", at: now) }
        for route in routes where isFree(route, at: now) {
            switch self[route].leg {
            case .unread: operate(route, .target, .inspect, at: now)
            // The process that continues after a crash must know that the candidate may have more traffic.
            case .fit: if areFit, journal.isStored { operate(route, .shift(split), .shift(split), at: now) }
            case .shifted: operate(route, .verify, .inspect, at: now)
            case .verified, .isolated: continue
            }
        }
    }

    /// An operation of the promotion, or of a restore, has ended.
    mutating func promotionAnswered(
        _ route: RouteID, _ purpose: RouteWork.Purpose, _ result: OperationResult, at now: Instant
    ) {
        let service = route.service
        guard let current = state.services[service] else { return }
        let wanted = current.split
        switch (purpose, result) {
        case (.target, .inspected(let seen)):
            if current.isRestoring { return restoreInspected(route, seen, at: now) }
            if wasTakenBack(service, seen, at: now) { return }
            guard mayRaise(at: now), obstacle(at: now) == nil else { return }
            guard case .healthy = seen.stable else {
                return raiseFailed(route, text("there is no verified way back: \(seen.stable)", of: route), at: now)
            }
            if case .unhealthy(let reason) = seen.candidate, !seen.isCandidateIsolated {
                return raiseFailed(route, text("the candidate is unhealthy: \(reason)", of: route), at: now)
            }
            self[route].obstacle = nil
            self[route].leg = .fit
            thaw(service, at: now)
            hasChanged = true
        case (.shift, .done):
            self[route].leg = .shifted
            hasChanged = true
        case (.verify, .inspected(let seen)) where seen.split == wanted:
            self[route].succeeded()
            self[route].leg = .verified
            thaw(service, at: now)
            bake(service, at: now)
        case (.verify, .inspected(let seen)):
            state.services[service]?.revision &+= 1
            self[route].leg = .unread
            journal("unverified", at: now)
            let live = seen.split?.description ?? "no traffic"
            raiseFailed(route, text("read back \(live), wanted \(wanted)", of: route), at: now)
        case (_, .failed(let reason)): raiseFailed(route, reason, at: now)
        case (_, .done), (_, .inspected): retryLater(route, at: now)
        }
    }

    /// Begins to observe a stage when every route has been read back.
    private mutating func bake(_ service: String, at now: Instant) {
        guard case .shifting(let stage)? = state.services[service]?.progress,
            let split = state.services[service]?.split,
            leastLeg(of: service) >= .verified
        else { return }
        state.services[service]?.progress = .baking(stage: stage, since: now)
        state.services[service]?.isRestoring = false
        let isStored = routes(of: service).contains { self[$0].view.reading?.grade == .stored }
        recordStage(
            "verified", service, stage, "read back \(split)\(isStored ? ", stored, effect unknown" : "")", at: now)
        journal("baking", at: now)
    }

    /// A stage could not be reached along `route`. After some attempts the service counts as failed.
    private mutating func raiseFailed(_ route: RouteID, _ reason: String, at now: Instant) {
        if self[route].leg == .fit { self[route].leg = .unread }
        retryLater(route, .unreachable(reason), at: now)
        let service = route.service
        if state.services[service]?.isRestoring == true { return freeze(service, reason, at: now) }
        if state.phase == .promoting, self[route].failures >= 10 { fail(service, reason, at: now) }
    }

    /// Rolls back a service that could not be promoted.
    mutating func fail(_ service: String, _ reason: String, at now: Instant) {
        if let irreversible = irreversibleText([service]) {
            stop("\(service) could not be promoted: \(reason); \(irreversible)", at: now)
        } else {
            beginRollback(of: [service], because: .promotion(service: service, reason: reason), at: now)
        }
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
