internal import JSON
internal import MetricModel

/// A lost record stops promotion only. The state is rebuilt from what was salvaged, from the lease's table, from the
/// rules and from the routes; trips roll back whatever traffic candidates have.
extension RolloutController {
    /// Begins with what is left of the record. Nothing rises until a person has acknowledged the loss.
    mutating func begin(after loss: RecordLoss, at now: Instant) {
        if let salvaged = loss.salvaged {
            state = salvaged.state
            fitRecord(at: now)
            distrust(at: now, because: "the record was lost, and rebuilt from an older one")
        }
        state.loss = loss.reason
        separateKeys(at: now)
        forgetOperations()
    }

    /// Keys of operations must differ from those of lost steps, and so must a generation.
    private mutating func separateKeys(at now: Instant) {
        let second = UInt64(clamping: now.nanoseconds / 1_000_000_000)
        for service in plan.services {
            var current = state.services[service.name] ?? ServiceRollout()
            current.revision = max(current.revision, UInt64(clamping: now.nanoseconds) >> 10)
            state.services[service.name] = current
        }
        // Without any record the last number is unknown; a time is higher.
        if state.generation == 0 { state.generation = second }
    }

    /// Why no candidate may get more traffic until a person has acknowledged it; `nil` if there is no such reason.
    public var lossText: String? {
        state.loss.map { "the record of the rollout was lost (\($0)): check the traffic, then acknowledge" }
    }

    private static var lossKey: String { "record-lost" }
    /// Why a rollout stands still that was made from the routes.
    private static var rebuilt: String { "rebuilt from the routes, because the record was lost: resume or abort" }

    /// Sends a notification at every start until it is acknowledged.
    mutating func notifyOfLoss() {
        guard let text = lossText else { return }
        let key = "\(plan.name)/\(Self.lossKey)"
        let notice = RollbackNotice(
            plan: plan.name, key: key, kind: .page,
            text: "plan \(plan.name): \(text) with: tribune rollout acknowledge \(plan.name) --reason=… "
                + "Rollbacks go on, with what the routes show", receivers: plan.notify)
        outbox.append(.notify(notice))
    }

    /// A person has looked at what the routes show.
    mutating func acknowledge(at now: Instant) -> CommandOutcome {
        guard state.loss != nil else { return .ignored("no record was lost") }
        state.loss = nil
        journal("acknowledged", at: now)
        resolvePage("\(plan.name)/\(Self.lossKey)", ": the loss of its record was acknowledged")
        return .accepted
    }

    /// A route was read after the record was lost. A candidate with traffic that no record explains becomes that of the
    /// rollout, which stands still; one with less traffic than on another route keeps the lower weight.
    mutating func rebuild(_ route: RouteID, _ seen: Inspection, at now: Instant) {
        let service = route.service
        guard state.loss != nil, let current = state.services[service] else { return }
        let live = seen.split ?? .allStable
        switch (state.phase, current.progress) {
        case (.idle, _), (.paused(reason: Self.rebuilt), .waiting):
            guard live > .allStable else { return }
            standStill(Self.rebuilt)
            // Where another route was read without it, it was being taken back: it is removed as drift.
            let others = routes(of: service).filter { $0 != route && self[$0].isRead }
            guard others.allSatisfy({ self[$0].view.observed == seen.split }) else { break }
            let stage = stage(of: service, at: live)
            state.services[service]?.split = live
            state.services[service]?.progress = .baking(stage: stage, since: now)
            state.services[service]?.trafficSince = now
            passReversible(service)
            outbox.append(.reconsider)
        case (.paused, .baking(let stage, let since)) where live < current.split:
            guard !state.doubts.contains(service) else { return }
            let lower = self.stage(of: service, at: live)
            state.services[service]?.split = live
            state.services[service]?.progress =
                live == .allStable ? .waiting : .baking(stage: min(stage, lower), since: since)
            state.services[service]?.revision &+= 1
        case (_, _): return
        }
        record(
            .deployment,
            [
                "step": "rebuilt", "service": .string(service),
                "split": .string(state.services[service]?.split.description ?? ""),
                "detail": .string(text("read \(seen.split?.description ?? "no traffic")", of: route)),
            ], at: now)
        journal("rebuilt", at: now)
    }

    /// Makes a state that was recorded for a plan of another structure one of this plan. A promotion is paused: what
    /// its stages were meant to prove may be another thing now.
    mutating func fitRecord(at now: Instant) {
        let structure = RecordedStructure(plan)
        let recorded = state.structure
        state.structure = structure
        let fault = state.checkInvariants(of: plan)
        guard let difference = recorded?.difference(to: structure) ?? fault else { return }
        let gone = state.services.filter { plan.service($0.key) == nil }
        for name in gone.keys { state.services[name] = nil }
        state.doubts.formIntersection(state.services.keys)
        fitRollback()
        for service in plan.services { fit(service, recorded?.services[service.name]) }
        let lost = gone.filter { $0.value.split > .allStable }.map { "\($0.key) \($0.value.split)" }.sorted()
        switch state.phase {
        case .idle, .retired, .rolledBack, .rollingBack: break
        case .promoting, .paused, .promoted:
            standStill("the plan differs from the recorded one (\(difference)): resume or abort")
        }
        structureChange =
            "the plan differs from the recorded one: \(difference)"
            + (lost.isEmpty ? "" : ". Nobody watches the candidates of \(lost.joined(separator: ", "))")
    }

    private mutating func fitRollback() {
        guard var rollback = state.rollback else { return }
        rollback.services = rollback.services.filter { plan.service($0) != nil }
        guard rollback.services.isEmpty else {
            state.rollback = rollback
            return
        }
        state.rollback = nil
        if state.phase == .rollingBack { state.phase = .rolledBack }
    }

    private mutating func fit(_ service: RolloutPlan.Service, _ recorded: RecordedStructure.Service?) {
        guard var current = state.services[service.name] else { return }
        current.abandoned.formIntersection(service.routes.indices)
        switch current.progress {
        case .waiting, .promoted, .rollingBack, .rolledBack: break
        case .shifting(let stage):
            // It may not have been sent; a candidate that has more loses it as drift.
            let raised = current.raisedFrom ?? recorded?.stages.prefix(stage).last ?? .allStable
            let before = current.isRestoring ? current.split : raised
            current.isRestoring = false
            current.split = before
            current.progress = .baking(stage: 0, since: Instant(nanoseconds: 0))
        case .baking: break
        }
        if case .baking(_, let since) = current.progress {
            let stage = stage(of: service.name, at: current.split)
            current.progress = current.split == .allStable ? .waiting : .baking(stage: stage, since: since)
        }
        state.services[service.name] = current
    }

    /// Sends one notification that the record was made for another structure.
    mutating func notifyOfStructure(at now: Instant) {
        guard let text = structureChange else { return }
        structureChange = nil
        record(.deployment, ["step": "structure", "detail": .string(text)], at: now)
        journal("structure", at: now)
        page("structure", "plan \(plan.name): \(text)")
    }
}
