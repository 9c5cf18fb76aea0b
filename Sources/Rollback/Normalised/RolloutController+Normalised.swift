internal import MetricModel

extension RolloutController {
    /// The same controller without what has no influence on what happens next, with times relative to now.
    ///
    /// Left out are the plan and what the rules demand, which the caller knows, texts, the keys of notices, the numbers
    /// of operations (a route has one at a time) and of records (all that matters is whether the last one is stored).
    /// Whatever this function does not name stays: a field that is forgotten here makes two states of one, never one of
    /// two.
    func normalised(_ scale: TimeScale) -> RolloutController {
        var copy = self
        copy.plan = Self.noPlan
        copy.waitingPlan = waitingPlan.map { _ in Self.noPlan }
        copy.demands = []
        copy.structureRevision = 0
        copy.lastOperation = 0
        copy.state = state.normalised(for: plan, awaitsData: awaitsData, scale)
        for (name, service) in state.services {
            guard case .baking(let stage, let since) = service.progress else { continue }
            let range = demands.map(\.range).max() ?? .zero
            let bake = max(plan.service(name)?.bake ?? .zero, range)
            copy.state.services[name]?.progress = .baking(stage: stage, since: scale.since(since, within: bake))
        }
        copy.evidence = evidence(scale)
        let range = demands.map(\.range).max() ?? .zero
        copy.began = began.flatMap { scale.now >= $0 + range ? nil : scale.since($0) }
        copy.wakeAt = wakeAt.map { scale.due($0) ?? Instant(nanoseconds: 0) }
        copy.unmeasuredSince = scale.since(unmeasuredSince, within: plan.gateTimeout)
        copy.freezePage = freezePage.map { _ in "" }
        copy.tripPages = [:]
        copy.pausePages = []
        for (name, traffic) in unmanaged {
            copy.unmanaged[name]?.since = Instant(nanoseconds: 0)
            copy.unmanaged[name]?.page = ""
            copy.unmanaged[name]?.pagedTrips = []
            copy.unmanaged[name]?.isRefused = traffic.isRefused
        }
        let usesStandings = !plan.freezeIf.isEmpty || plan.services.contains { !$0.gates.isEmpty }
        if !usesStandings { copy.standings = [:] }
        copy.journal = journal.normalised(scale)
        copy.validating = validating.normalised(for: plan, scale)
        for name in work.keys { copy.work[name]?.normalise(for: plan, state.services[name]?.progress, scale) }
        return copy
    }

    /// Whether rules wait some time for the first data of a candidate.
    var awaitsData: Bool { demands.contains { $0.firstData > .zero } }

    /// For each measurement: whether it proves the present stage, and whether it is of now, so that it may prove one
    /// that begins now. Others prove nothing any more.
    private func evidence(_ scale: TimeScale) -> [String: [String: Instant]] {
        var result: [String: [String: Instant]] = [:]
        for (rule, times) in evidence {
            let range = demands.first { $0.rule == rule }?.range ?? .zero
            for (service, time) in times {
                var code: Int64 = time == scale.now ? 1 : 0
                if case .baking(_, let verified) = state.services[service]?.progress {
                    if time >= max(verified, began ?? verified) + range { code += 2 }
                }
                if code > 0 { result[rule, default: [:]][service] = Instant(nanoseconds: code) }
            }
        }
        return result
    }

    private static let noPlan = RolloutPlan(
        name: "", services: [], levels: [], settle: .zero, successRatio: 0, maximumConcurrent: 0, retainStable: .zero,
        gateTimeout: .zero, reconcile: .zero, pageUnreadAfter: .zero,
        validation: .init(rounds: 0, interval: .zero, timeout: .zero, rules: []), notify: [], freezeIf: [])
}

extension RolloutController.Validating {
    fileprivate func normalised(for plan: RolloutPlan, _ scale: TimeScale) -> Self {
        var copy = self
        copy.goodRounds = min(goodRounds, max(2, plan.validation.rounds))
        copy.fault = fault.map { _ in "" }
        copy.lastFault = ""
        copy.nextRound = scale.due(nextRound)
        copy.ruleRounds = ruleRounds.filter { plan.validation.rules.contains($0.key) }
            .mapValues { min($0, plan.validation.rounds) }
        return copy
    }
}

extension ServiceWork {
    fileprivate mutating func normalise(
        for plan: RolloutPlan, _ progress: ServiceRollout.Progress?, _ scale: TimeScale
    ) {
        gates = gates.map { Question(id: 0, deadline: scale.due($0.deadline) ?? Instant(nanoseconds: 0)) }
        gatesDue = scale.due(gatesDue)
        gateClosedSince = scale.since(gateClosedSince, within: plan.gateTimeout)
        lackSince = lackPage == nil ? scale.since(lackSince, within: plan.gateTimeout) : Instant(nanoseconds: 0)
        lackPage = lackPage.map { _ in "" }
        // It is set anew when a rollback begins.
        if case .rollingBack = progress {
            backSince = scale.since(backSince, within: .seconds(10))
        } else {
            backSince = nil
        }
        for index in routes.indices { routes[index].normalise(for: plan, scale) }
    }
}

extension RouteWork {
    fileprivate mutating func normalise(for plan: RolloutPlan, _ scale: TimeScale) {
        if let pending {
            self.pending = Pending(
                id: 0, purpose: pending.purpose, since: scale.since(pending.since, within: .seconds(10)),
                deadline: scale.due(pending.deadline) ?? Instant(nanoseconds: 0))
        }
        retryAt = scale.due(retryAt)
        // The highest number with which it is compared.
        failures = min(failures, 10)
        reconcileAt = scale.due(reconcileAt)
        correctedAt = scale.since(correctedAt, within: Milliseconds(rawValue: 10 * plan.reconcile.rawValue))
        switch obstacle {
        case .unreachable?: obstacle = .unreachable("")
        case .unhealthy?: obstacle = .unhealthy("")
        case .contested?: obstacle = .contested("")
        case nil: break
        }
        // Only a reading that lets a weight rise has an age.
        view.readAt = leg == .fit ? scale.since(view.readAt, within: .seconds(5)) : nil
        let isTold = unreadPage != nil
        view.unreadableSince = scale.since(view.unreadableSince, within: isTold ? .zero : plan.pageUnreadAfter)
        view.fault = nil
        unstoredRevision = nil
        unreadPage = isTold ? "" : nil
    }
}
