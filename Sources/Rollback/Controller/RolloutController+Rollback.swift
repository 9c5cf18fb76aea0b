internal import JSON
internal import MetricModel
internal import RuleModel

/// The rollback. Its order is fixed: check the target, shift, read back, isolate, raise the incident, notify, validate,
/// report. Nothing that may hang comes before the shift; the intent is journalled at the same time.
extension RolloutController {
    /// A rollback rule tripped. `cause` is when the scrape that proved it was committed.
    public mutating func tripped(_ trip: Trip, cause: Instant? = nil, at now: Instant) -> [Action] {
        handle(at: now) { controller in
            let targets = controller.plan.targets(of: trip)
            if controller.state.phase == .idle, trip.mode == .enforce, let targets, controller.hasUnmanaged(of: targets)
            {
                return controller.trippedUnmanaged(trip, targets, cause: cause, at: now)
            }
            let affected = (targets ?? []).filter { controller.takesTraffic($0) }
            let decision = controller.decision(on: trip, targets: targets, affected: affected)
            controller.record(
                .decision,
                [
                    "decision": .string(decision), "cause": RollbackRecord.Cause.trip(trip).json,
                    "services": .array(affected.map(JSON.string)),
                    "committed_at": cause.map { .string(RFC3339.text(nanoseconds: $0.nanoseconds)) } ?? .null,
                ], incident: trip.incident, meaning: .decided(trip, committedAt: cause), at: now)
            guard trip.mode == .enforce else { return }
            if controller.state.phase == .retired { return controller.pageOfTrip(trip, affected, decision) }
            guard controller.isUnderWay else { return }
            // A trip without traffic after a complete rollback does not apply to the next candidate.
            if affected.isEmpty, controller.state.phase == .rolledBack { return }
            let end = now + trip.cooldown
            controller.state.cooldownUntil = max(controller.state.cooldownUntil ?? end, end)
            if controller.state.observingUntil != nil {
                controller.journal("observed a trip", at: now)
                return controller.pageOfTrip(trip, affected, decision)
            }
            let back = affected.filter { !controller.isIrreversible($0) }
            if back.count < affected.count {
                controller.pageOfTrip(trip, affected.filter { !back.contains($0) }, decision)
            }
            if back.isEmpty {
                controller.stop("\(trip.name) tripped: \(decision)", at: now)
            } else if let share = trip.reduceTo {
                controller.reduce(back, to: share, because: trip, at: now)
            } else {
                controller.beginRollback(
                    of: back, because: .trip(trip), proved: cause,
                    besideStable: controller.state.isUnordered, at: now)
            }
            if targets == nil {
                controller.page("\(trip.rule)/scope", "plan \(controller.plan.name): \(trip.name) tripped: \(decision)")
            }
        }
    }

    /// Whether there is a rollout that a trip can affect.
    private var isUnderWay: Bool {
        switch state.phase {
        case .idle, .retired: false
        case .promoting, .paused, .promoted, .rollingBack, .rolledBack: true
        }
    }

    private func decision(on trip: Trip, targets: [String]?, affected: [String]) -> String {
        let names = affected.joined(separator: ", ")
        let act = trip.reduceTo.map { "reduce \(names) to \($0) %" } ?? "roll back \(names)"
        if trip.mode == .shadow { return "shadow: would \(act)" }
        switch state.phase {
        case .idle: return "no rollout"
        case .retired: return "the stable version is no longer retained"
        case .promoting, .paused, .promoted, .rollingBack, .rolledBack: break
        }
        if targets == nil { return "the measurement names no service of the plan" }
        if affected.isEmpty { return "no candidate takes traffic, promotion stops" }
        if let text = observationText { return "\(text): would \(act)" }
        if let share = trip.reduceTo, affected.allSatisfy({ isReduced($0, to: share) }) {
            return "\(names) at most at \(share) % already, promotion stops"
        }
        let back = affected.filter { !isIrreversible($0) }.joined(separator: ", ")
        guard let text = irreversibleText(affected) else { return act }
        if back.isEmpty { return text }
        return trip.reduceTo.map { "reduce \(back) to \($0) %; \(text)" } ?? "roll back \(back); \(text)"
    }

    /// Pauses the rollout. A person who wants it to go all the way at once has to say so again.
    mutating func standStill(_ reason: String) {
        state.phase = .paused(reason: reason)
        state.isFull = false
    }

    /// Stops promotion without a rollback.
    mutating func stop(_ reason: String, at now: Instant) {
        if state.phase == .promoting { standStill(reason) }
        journal("stopped", at: now)
        record(.deployment, ["step": "paused", "reason": .string(reason)], at: now)
    }

    /// Rolls back `services`, or adds them to the active rollback.
    mutating func beginRollback(
        of services: [String], because cause: RollbackRecord.Cause, proved: Instant? = nil,
        besideStable: Bool = false, at now: Instant
    ) {
        if !besideStable { state.isUnordered = false }
        var rollback: RollbackRecord
        if let current = state.rollback, current.step != .finished, current.generation == state.generation {
            rollback = current
            rollback.add(cause)
            rollback.services = plan.rollbackOrder.filter { rollback.services.contains($0) || services.contains($0) }
            rollback.step = .shift
            rollback.validatingSince = nil
            rollback.isBesideStable = rollback.isBesideStable && besideStable
        } else {
            let isSame = state.rollback?.generation == state.generation
            let number = isSame ? (state.rollback?.number ?? 0) + 1 : 1
            rollback = RollbackRecord(
                id: "\(plan.name)-\(state.generation)-\(number)", generation: state.generation, number: number,
                causes: [cause], services: services)
            rollback.isBesideStable = besideStable
        }
        validating = Validating()
        if let proved { rollback.add("violated", nil, "the scrape that proves it was committed", at: proved) }
        rollback.add("decided", nil, cause.summary, at: now)
        state.rollback = rollback
        state.phase = .rollingBack
        state.isFull = false
        for service in services {
            state.services[service]?.progress = .rollingBack(.intended)
            state.services[service]?.split = .allStable
            state.services[service]?.revision &+= 1
            state.services[service]?.withdrawApproval()
            forgetHooks(of: service)
            endReduction(of: service)
            state.services[service]?.isRestoring = false
            state.services[service]?.abandoned = []
            state.services[service]?.isOrderBroken = false
            state.doubts.remove(service)
            work[service]?.begin()
            work[service]?.backSince = now
        }
        recordStep("intended", nil, services.joined(separator: ", "), at: now)
        journal("intent", at: now)
    }

    /// Performs the next step of the active rollback.
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
            recordStep("announced", nil, "handed to the notifier", at: now)
            journal("announced", at: now)
        case .validate: advanceValidation(rollback, at: now)
        case .report: finishRollback(at: now)
        case .finished: break
        }
    }

    /// Requests the next operation of each route of `service`; no route waits for another one.
    private mutating func advanceRollback(of service: String, in rollback: RollbackRecord, at now: Instant) {
        guard case .rollingBack = state.services[service]?.progress else { return }
        for route in keptRoutes(of: service) where isFree(route, at: now) {
            switch self[route].leg {
            case .unread, .fit:
                guard dependentsAreBack(of: service, in: rollback, at: now) else { continue }
                operate(route, .target, .inspect, at: now)
            case .shifted: operate(route, .verify, .inspect, at: now)
            case .verified: operate(route, .isolate, .isolate, at: now)
            case .isolated: continue
            }
        }
        settleRollback(of: service, at: now)
    }

    /// How long unreachable dependents delay their dependencies.
    private static var dependentPatience: Milliseconds { .seconds(10) }

    /// Whether all dependents of `service` in this rollback have lost their traffic, verified, or have been unreachable
    /// for too long.
    private mutating func dependentsAreBack(
        of service: String, in rollback: RollbackRecord, at now: Instant
    ) -> Bool {
        let missing = plan.dependents(including: service).filter { name in
            guard name != service, rollback.services.contains(name),
                case .rollingBack(let step)? = state.services[name]?.progress
            else { return false }
            return step < .verified
        }
        guard !missing.isEmpty else { return true }
        let since = work[service]?.backSince ?? now
        work[service]?.backSince = since
        let end = since + Self.dependentPatience
        guard now >= end else {
            wake(at: end)
            return false
        }
        guard missing.allSatisfy({ isUnreachable($0, at: now) }) else { return false }
        if state.services[service]?.isOrderBroken == false {
            state.services[service]?.isOrderBroken = true
            recordStep(
                "order broken", service, "not waiting for \(missing.joined(separator: ", ")): unreachable", at: now)
            journal("order broken", at: now)
        }
        return true
    }

    /// Whether the rollback of `service` is delayed because one of its routes is unreachable.
    private func isUnreachable(_ service: String, at now: Instant) -> Bool {
        let late = keptRoutes(of: service).filter { self[$0].leg < .verified }
        return late.contains { route in
            if case .unreachable = self[route].obstacle { return true }
            return self[route].pending.map { now >= $0.since + Self.dependentPatience } ?? false
        }
    }

    /// An operation of the rollback has ended.
    mutating func rollbackAnswered(
        _ route: RouteID, _ purpose: RouteWork.Purpose, _ result: OperationResult, at now: Instant
    ) {
        let service = route.service
        switch (purpose, result) {
        case (.target, .inspected(let seen)): targetInspected(route, seen, at: now)
        case (.target, .failed(let reason)):
            retryLater(route, .unreachable(reason), at: now)
            freeze(service, "the router cannot be read: \(reason)", at: now)
        case (.shift, .done):
            self[route].leg = .shifted
            self[route].succeeded()
            recordStep("shifted", service, text("acknowledged", of: route), route: route, at: now)
            settleRollback(of: service, at: now)
            journal("shifted", at: now)
        case (.shift, .failed(let reason)):
            retryLater(route, .unreachable(reason), at: now)
            freeze(service, "the router refused: \(reason)", at: now)
        case (.verify, .inspected(let seen)): verified(route, seen, at: now)
        case (.verify, .failed(let reason)):
            retryLater(route, .unreachable(reason), at: now)
            // The router has acknowledged: one lost reply does not matter.
            if self[route].failures >= 3 { freeze(service, "the router cannot be read: \(reason)", at: now) }
        case (.isolate, .done): isolated(route, "isolated", at: now)
        case (.isolate, .failed(let reason)):
            retryLater(route, at: now)
            // The traffic has already moved: a candidate that cannot be isolated must not delay the rest.
            if self[route].failures >= 3 { isolated(route, "not isolated: \(reason)", at: now) }
        case (.target, .done), (.verify, .done), (.shift, .inspected), (.isolate, .inspected), (.validate, _),
            (.reconcile, _):
            retryLater(route, at: now)
        }
    }

    private mutating func targetInspected(_ route: RouteID, _ seen: Inspection, at now: Instant) {
        if seen.split == .allStable { return verified(route, seen, at: now) }
        let service = route.service
        switch seen.stable {
        case .healthy where state.rollback?.isBesideStable == true && seen.split == .allCandidate:
            let reason = text("the stable version has no traffic, and nobody ordered to give it any", of: route)
            retryLater(route, .unhealthy(reason), at: now)
            freeze(service, reason, at: now)
        case .healthy:
            self[route].obstacle = nil
            guard let rollback = state.rollback else { return }
            // A dependent may have joined the rollback since the request.
            guard dependentsAreBack(of: service, in: rollback, at: now) else { return }
            operate(route, .shift(.allStable), .shift(.allStable), at: now)
        case .unhealthy(let reason), .unknown(let reason):
            let reason = text("the stable version is not verified healthy: \(reason)", of: route)
            retryLater(route, .unhealthy(reason), at: now)
            freeze(service, reason, at: now)
        }
    }

    /// The live weights have been read back, or were already right.
    private mutating func verified(_ route: RouteID, _ seen: Inspection, at now: Instant) {
        let service = route.service
        if seen.split == .allStable {
            self[route].leg = .verified
            self[route].succeeded()
            // First of all: the record of thawing must not contain a step that is not in the history yet.
            thaw(service, at: now)
            recordStep(
                "verified", service, text("read back \(TrafficSplit.allStable)", of: route), route: route,
                at: now)
            settleRollback(of: service, at: now)
            journal("verified", at: now)
        } else {
            self[route].leg = .unread
            state.services[service]?.progress = .rollingBack(.intended)
            state.services[service]?.revision &+= 1
            retryLater(route, at: now)
            recordStep(
                "unverified", service, text("read back \(seen.split?.description ?? "no traffic")", of: route),
                route: route, at: now)
            journal("unverified", at: now)
        }
    }

    private mutating func isolated(_ route: RouteID, _ detail: String, at now: Instant) {
        self[route].leg = .isolated
        self[route].succeeded()
        recordStep("isolated", route.service, text(detail, of: route), route: route, at: now)
        settleRollback(of: route.service, at: now)
        journal("isolated", at: now)
    }

    /// Sets the progress of `service` to that of the last of its routes that were not given up.
    func backStep(of service: String) -> ServiceRollout.Progress {
        switch leastLeg(of: service) {
        case .unread, .fit: .rollingBack(.intended)
        case .shifted: .rollingBack(.shifted)
        case .verified: .rollingBack(.verified)
        case .isolated: .rolledBack
        }
    }

    mutating func settleRollback(of service: String, at now: Instant) {
        let step = backStep(of: service)
        guard case .rollingBack = state.services[service]?.progress, state.services[service]?.progress != step else {
            return
        }
        state.services[service]?.progress = step
        hasChanged = true
    }

    private mutating func finishRollback(at now: Instant) {
        guard let rollback = state.rollback else { return }
        let onlyPromotion = rollback.causes.allSatisfy { if case .promotion = $0 { true } else { false } }
        state.rollback?.step = .finished
        state.phase = onlyPromotion ? .promoting : .rolledBack
        if onlyPromotion, rollback.isDoubted {
            let reason = "taken over during a rollback, and steps of the previous node may be lost: resume or abort"
            standStill(reason)
            pagePause("doubted/\(rollback.id)", reason)
        }
        let detail = rollback.verdict?.detail ?? ""
        // The whole rollback, so that its report can be made after the next one.
        var whole = state.rollback
        whole?.add("reported", nil, detail, at: now)
        recordStep("reported", nil, detail, more: [.init("record", whole?.json ?? .null)], at: now)
        if let finished = state.rollback {
            oweHooks(.afterRollback, rollback: finished.id)
            outbox.append(.report(RollbackReport(plan: plan.name, epoch: epoch ?? 0, rollback: finished)))
        }
        journal("reported", at: now)
    }

    /// A receiver has accepted the incident of the rollback `id`.
    public mutating func notified(of id: String, by receiver: String, at now: Instant) -> [Action] {
        guard let rollback = state.rollback, rollback.id == id,
            !rollback.timeline.contains(where: { $0.step == "notified" && $0.detail == receiver })
        else { return [] }
        return handle(at: now) { controller in
            controller.recordStep("notified", nil, receiver, at: now)
            controller.journal("notified", at: now)
        }
    }

    /// Raises the incident of the rollback under way; the same id again is an update.
    mutating func raiseIncident(at now: Instant) {
        guard let rollback = state.rollback else { return }
        outbox.append(.raise(RollbackIncident(rollback, plan: plan.name)))
    }

    /// Notifies the plan's receivers of the active rollback.
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
