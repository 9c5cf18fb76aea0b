internal import JSON

/// Restores the weights of a checkpoint. A candidate never gets more traffic by it: its weight may have been reduced
/// for a reason since.
extension RolloutController {
    /// Rolls back services whose candidate has more traffic now than in `splits`.
    ///
    /// They are rolled back completely: the weight at the checkpoint was a step of a promotion that the caller wants to
    /// undo, so it is not restored before the next generation. With `generation`, candidates that had traffic are
    /// lowered to that weight and observed there, and promotion is paused. It must be the present generation, because
    /// the weight belonged to its candidate.
    mutating func restore(
        _ splits: [String: TrafficSplit], exactlyIn generation: UInt64?, _ command: RolloutCommand, at now: Instant
    ) -> CommandOutcome {
        if let unknown = splits.keys.sorted().first(where: { plan.service($0) == nil }) {
            return .refused("there is no service \"\(unknown)\"")
        }
        switch state.phase {
        case .idle: return .ignored("there is no rollout")
        case .retired: return .refused("the stable version is no longer retained")
        case .promoting, .paused, .promoted, .rollingBack, .rolledBack: break
        }
        if let generation, generation != state.generation {
            return .refused(
                "the checkpoint shows the candidates of generation \(generation), and generation \(state.generation) is in progress: "
                    + "they can only be rolled back completely")
        }
        let affected = plan.rollbackOrder.filter { name in
            guard let then = splits[name] else { return false }
            return then < state.services[name]?.split ?? .allStable
        }
        guard !affected.isEmpty else { return .ignored("no candidate has more traffic than at the checkpoint") }
        if let text = irreversibleText(affected) { return .refused(text) }
        let cause = RollbackRecord.Cause.command(by: command.by, reason: command.reason)
        let lowered = generation == nil ? [] : affected.filter { splits[$0] ?? .allStable > .allStable }
        for service in lowered { lower(service, to: splits[service] ?? .allStable, "restoring", at: now) }
        let back = affected.filter { !lowered.contains($0) }
        guard back.isEmpty else {
            beginRollback(of: back, because: cause, at: now)
            return .accepted
        }
        switch state.phase {
        case .promoting, .paused, .promoted: standStill("\(command.by): \(command.reason)")
        // Promotion must not continue automatically after the rollback.
        case .rollingBack: state.rollback?.add(cause)
        case .idle, .retired, .rolledBack: break
        }
        journal("restore", at: now)
        return .accepted
    }

    /// Sets a lower weight as the wanted one. The next stage is then the first one above it.
    ///
    /// - Parameter step: what is recorded.
    mutating func lower(_ service: String, to split: TrafficSplit, _ step: String, at now: Instant) {
        let stage = stage(of: service, at: split)
        // The reply to an earlier request must not be used for the new weight.
        work[service]?.begin()
        state.doubts.remove(service)
        state.services[service]?.progress = .shifting(stage: stage)
        state.services[service]?.isRestoring = true
        state.services[service]?.split = split
        state.services[service]?.revision &+= 1
        state.services[service]?.withdrawApproval()
        forgetHooks(of: service)
        recordStage(step, service, stage, "", at: now)
    }

    /// Continues the services that are being lowered. Neither a pause nor other obstacles to promotion delay this, but
    /// dependents that are rolled back completely come first.
    mutating func advanceRestores(at now: Instant) {
        for service in plan.rollbackOrder where state.services[service]?.isRestoring == true {
            let waits = plan.dependents(including: service).contains { name in
                guard name != service, case .rollingBack(let step)? = state.services[name]?.progress else {
                    return false
                }
                return step < .verified
            }
            guard !waits else { continue }
            for route in routes(of: service) where isFree(route, at: now) {
                switch self[route].leg {
                case .unread, .fit: operate(route, .target, .inspect, at: now)
                case .shifted: operate(route, .verify, .inspect, at: now)
                case .verified, .isolated: continue
                }
            }
        }
    }

    /// A route of a service that is being lowered has been read.
    mutating func restoreInspected(_ route: RouteID, _ seen: Inspection, at now: Instant) {
        let service = route.service
        guard let wanted = state.services[service]?.split else { return }
        let live = seen.split ?? .allStable
        if live < wanted {
            // The weight has been reduced further since; a restore does not raise it.
            state.services[service]?.split = live
            state.services[service]?.revision &+= 1
            work[service]?.begin()
            return journal("restore", at: now)
        }
        switch seen.stable {
        case .healthy:
            self[route].obstacle = nil
            thaw(service, at: now)
            operate(route, .shift(wanted), .shift(wanted), at: now)
        case .unhealthy(let reason), .unknown(let reason):
            let reason = text("the stable version is not verified healthy: \(reason)", of: route)
            retryLater(route, .unhealthy(reason), at: now)
            freeze(service, reason, at: now)
        }
    }
}
