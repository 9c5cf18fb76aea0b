internal import JSON
internal import MetricModel
internal import RuleModel

/// The way back. Its order is fixed: journal the intent, check the target, shift, read back, isolate, raise the
/// incident, notify, validate, report. Nothing that may hang stands before the shift.
extension RolloutController {
    /// A rollback rule tripped. `cause` is when the scrape that proved it was committed.
    public mutating func tripped(_ trip: Trip, cause: Instant? = nil, at now: Instant) -> [Action] {
        handle(at: now) { controller in
            let targets = controller.plan.targets(of: trip)
            let affected = (targets ?? []).filter { controller.takesTraffic($0) }
            let decision = controller.decision(on: trip, targets: targets, affected: affected)
            controller.record(
                .decision,
                [
                    "decision": .string(decision), "cause": RollbackRecord.Cause.trip(trip).json,
                    "services": .array(affected.map(JSON.string)),
                ], at: now)
            guard trip.mode == .enforce, controller.isUnderWay else { return }
            // What trips without traffic after everything went back says nothing about the next candidate.
            if affected.isEmpty, controller.state.phase == .rolledBack { return }
            let end = now + trip.cooldown
            controller.state.cooldownUntil = max(controller.state.cooldownUntil ?? end, end)
            if affected.isEmpty {
                controller.stop("\(trip.name) tripped: \(decision)", at: now)
            } else {
                controller.beginRollback(of: affected, because: .trip(trip), proved: cause, at: now)
            }
            if targets == nil {
                controller.page("\(trip.rule)/scope", "plan \(controller.plan.name): \(trip.name) tripped: \(decision)")
            }
        }
    }

    /// Whether there is a rollout that a trip can concern.
    private var isUnderWay: Bool {
        switch state.phase {
        case .idle, .retired: false
        case .promoting, .paused, .promoted, .rollingBack, .rolledBack: true
        }
    }

    private func decision(on trip: Trip, targets: [String]?, affected: [String]) -> String {
        if trip.mode == .shadow { return "shadow: would roll back \(affected.joined(separator: ", "))" }
        switch state.phase {
        case .idle: return "no rollout"
        case .retired: return "the stable version is no longer retained"
        case .promoting, .paused, .promoted, .rollingBack, .rolledBack: break
        }
        if targets == nil { return "the measurement names no service of the plan" }
        if affected.isEmpty { return "no candidate takes traffic, promotion stops" }
        return "roll back \(affected.joined(separator: ", "))"
    }

    /// Stops promotion without anything to roll back.
    mutating func stop(_ reason: String, at now: Instant) {
        if state.phase == .promoting { state.phase = .paused(reason: reason) }
        journal("stopped", at: now)
        record(.deployment, ["step": "paused", "reason": .string(reason)], at: now)
    }

    /// Takes `services` back, or adds them to the rollback that is under way.
    mutating func beginRollback(
        of services: [String], because cause: RollbackRecord.Cause, proved: Instant? = nil, at now: Instant
    ) {
        var rollback: RollbackRecord
        if let current = state.rollback, current.step != .finished, current.generation == state.generation {
            rollback = current
            rollback.add(cause)
            rollback.services = plan.rollbackOrder.filter { rollback.services.contains($0) || services.contains($0) }
            rollback.step = .shift
            rollback.validatingSince = nil
        } else {
            let isSame = state.rollback?.generation == state.generation
            let number = isSame ? (state.rollback?.number ?? 0) + 1 : 1
            rollback = RollbackRecord(
                id: "\(plan.name)-\(state.generation)-\(number)", generation: state.generation, number: number,
                causes: [cause], services: services)
        }
        validating = Validating()
        if let proved { rollback.add("violated", nil, "the scrape that proves it was committed", at: proved) }
        rollback.add("decided", nil, cause.summary, at: now)
        state.rollback = rollback
        state.phase = .rollingBack
        for service in services {
            state.services[service]?.progress = .rollingBack(.intended)
            state.services[service]?.split = .allStable
            state.services[service]?.revision &+= 1
            state.services[service]?.isApproved = false
            state.services[service]?.isWithoutData = false
            state.services[service]?.isRestoring = false
            state.doubts.remove(service)
            pending[service] = nil
            succeeded(service)
        }
        recordStep("intended", nil, services.joined(separator: ", "), at: now)
        journal("intent", at: now)
    }

    /// Does what the rollback under way needs next.
    mutating func advanceRollback(at now: Instant) {
        guard let rollback = state.rollback else { return }
        for service in rollback.services { advanceRollback(of: service, in: rollback, at: now) }
        guard !hasChanged else { return }
        switch rollback.step {
        case .shift:
            guard rollback.services.allSatisfy({ state.services[$0]?.progress == .rolledBack }) else { return }
            state.rollback?.step = .raiseIncident
            hasChanged = true
        case .raiseIncident:
            raiseIncident(at: now)
            state.rollback?.step = .notify
            let incident = RollbackIncident(rollback, plan: plan.name)
            recordStep("incident", nil, rollback.id, more: [.init("incident", incident.json)], at: now)
            journal("incident", at: now)
        case .notify:
            notifyRollback(at: now)
            state.rollback?.step = .validate
            state.rollback?.validatingSince = now
            recordStep("notified", nil, plan.notify.joined(separator: ", "), at: now)
            journal("notified", at: now)
        case .validate: advanceValidation(rollback, at: now)
        case .report: finishRollback(at: now)
        case .finished: break
        }
    }

    private mutating func advanceRollback(of service: String, in rollback: RollbackRecord, at now: Instant) {
        guard case .rollingBack(let step) = state.services[service]?.progress, isFree(service, at: now) else { return }
        switch step {
        case .intended:
            guard dependentsAreBack(of: service, in: rollback) else { return }
            operate(service, .target, .inspect, at: now)
        case .shifted: operate(service, .verify, .inspect, at: now)
        case .verified: operate(service, .isolate, .isolate, at: now)
        }
    }

    /// Whether everything that depends on `service` and goes back as well has lost its traffic, verified.
    private func dependentsAreBack(of service: String, in rollback: RollbackRecord) -> Bool {
        plan.dependents(including: service).allSatisfy { name in
            if name == service || !rollback.services.contains(name) { return true }
            return switch state.services[name]?.progress {
            case .rollingBack(let step): step >= .verified
            case .waiting, .shifting, .baking, .promoted, .rolledBack, nil: true
            }
        }
    }

    /// An operation on the way back has come to an end.
    mutating func rollbackAnswered(
        _ service: String, _ step: ServiceRollout.RollbackStep, _ purpose: Purpose, _ result: OperationResult,
        at now: Instant
    ) {
        switch (purpose, result) {
        case (.target, .inspected(let seen)): targetInspected(service, seen, at: now)
        case (.target, .failed(let reason)):
            retryLater(service, at: now)
            freeze(service, "the router cannot be read: \(reason)", at: now)
        case (.shift, .done):
            state.services[service]?.progress = .rollingBack(.shifted)
            succeeded(service)
            recordStep("shifted", service, "acknowledged", at: now)
            journal("shifted", at: now)
        case (.shift, .failed(let reason)):
            retryLater(service, at: now)
            freeze(service, "the router refused: \(reason)", at: now)
        case (.verify, .inspected(let seen)): verified(service, seen, at: now)
        case (.verify, .failed): retryLater(service, at: now)
        case (.isolate, .done):
            finishService(service, "isolated", at: now)
        case (.isolate, .failed(let reason)):
            retryLater(service, at: now)
            // The traffic is gone already: a candidate that cannot be isolated must not hold up the rest.
            if failures[service, default: 0] >= 3 { finishService(service, "not isolated: \(reason)", at: now) }
        case (.target, .done), (.verify, .done), (.shift, .inspected), (.isolate, .inspected), (.gates, _),
            (.validate, _), (.reconcile, _):
            retryLater(service, at: now)
        }
    }

    private mutating func targetInspected(_ service: String, _ seen: Inspection, at now: Instant) {
        if seen.split == .allStable { return verified(service, seen, at: now) }
        switch seen.stable {
        case .healthy:
            // A dependent may have joined the rollback since the question was asked.
            guard state.rollback.map({ dependentsAreBack(of: service, in: $0) }) ?? true else { return }
            operate(service, .shift(.allStable), .shift(.allStable), at: now)
        case .unhealthy(let reason), .unknown(let reason):
            retryLater(service, at: now)
            freeze(service, "the stable version is not verified healthy: \(reason)", at: now)
        }
    }

    /// The live weights have been read back, or turned out to be right from the start.
    private mutating func verified(_ service: String, _ seen: Inspection, at now: Instant) {
        if seen.split == .allStable {
            // Before anything else: the record of thawing must not hold a step that the history has not been told.
            thaw(service, at: now)
            state.services[service]?.progress = .rollingBack(.verified)
            succeeded(service)
            recordStep("verified", service, "read back \(TrafficSplit.allStable)", at: now)
            journal("verified", at: now)
        } else {
            state.services[service]?.progress = .rollingBack(.intended)
            state.services[service]?.revision &+= 1
            retryLater(service, at: now)
            recordStep("unverified", service, "read back \(seen.split?.description ?? "no traffic")", at: now)
            journal("unverified", at: now)
        }
    }

    private mutating func finishService(_ service: String, _ detail: String, at now: Instant) {
        state.services[service]?.progress = .rolledBack
        succeeded(service)
        recordStep("isolated", service, detail, at: now)
        journal("isolated", at: now)
    }

    private mutating func finishRollback(at now: Instant) {
        guard let rollback = state.rollback else { return }
        let onlyPromotion = rollback.causes.allSatisfy { if case .promotion = $0 { true } else { false } }
        state.rollback?.step = .finished
        state.phase = onlyPromotion ? .promoting : .rolledBack
        recordStep("reported", nil, rollback.verdict?.detail ?? "", at: now)
        if let finished = state.rollback {
            outbox.append(.report(RollbackReport(plan: plan.name, epoch: epoch ?? 0, rollback: finished)))
        }
        journal("reported", at: now)
    }

    /// Raises the incident of the rollback under way; the same id again is an update.
    mutating func raiseIncident(at now: Instant) {
        guard let rollback = state.rollback else { return }
        outbox.append(.raise(RollbackIncident(rollback, plan: plan.name)))
    }

    /// Tells the plan's receivers of the rollback under way.
    mutating func notifyRollback(at now: Instant) {
        guard let rollback = state.rollback else { return }
        outbox.append(
            .notify(
                RollbackNotice(
                    plan: plan.name, key: rollback.id, kind: .rollback,
                    text: "plan \(plan.name): \(rollback.services.joined(separator: ", ")) back on the stable version: "
                        + rollback.causes.map(\.summary).joined(separator: "; "),
                    receivers: plan.notify)))
    }
}
