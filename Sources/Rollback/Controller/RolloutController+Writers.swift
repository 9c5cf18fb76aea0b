internal import JSON
internal import MetricModel

/// Weights that somebody else has set: another process of the router would have those of its file, and it is the same.
extension RolloutController {
    /// Corrections in a row after which weights are left to the other writer.
    private static var correctionLimit: Int { 3 }

    /// Whether another process of the router of `route` runs than at the last reading; `nil` if that is not known.
    mutating func isRestarted(_ route: RouteID, _ seen: Inspection) -> Bool? {
        let before = self[route].process
        self[route].process = seen.process
        guard let before, let process = seen.process else { return nil }
        return !process.isSame(as: before)
    }

    /// Somebody has lowered the candidate of `route` to `live`. They may know why: it stays there, and promotion waits
    /// for a person.
    mutating func leaveLowered(_ route: RouteID, _ live: TrafficSplit, _ wanted: TrafficSplit, at now: Instant) {
        let service = route.service
        let stage = stage(of: service, at: live)
        state.services[service]?.split = live
        state.services[service]?.progress = live == .allStable ? .waiting : .baking(stage: stage, since: now)
        state.services[service]?.revision &+= 1
        state.services[service]?.isApproved = false
        state.services[service]?.isWithoutData = false
        state.doubts.remove(service)
        forgetHooks(of: service)
        let reason = text("somebody else lowered \(service) from \(wanted) to \(live)", of: route)
        switch state.phase {
        case .promoting, .promoted: standStill("\(reason): resume or abort")
        case .idle, .paused, .retired, .rollingBack, .rolledBack: break
        }
        recordDrift(service, "not corrected: \(reason)", at: now)
        journal("lowered", at: now)
        page("\(route)/lowered", "plan \(plan.name): \(reason). It stays there, and nothing is promoted")
    }

    /// Whether `route` has been corrected so often that its other writer is left alone; otherwise counts a correction.
    /// Where a trip stands, corrections go on.
    mutating func isContested(_ route: RouteID, _ drift: String, at now: Instant) -> Bool {
        let isTripped = state.phase == .rollingBack || isCoolingDown(at: now) || !freezes.isEmpty
        guard self[route].corrections >= Self.correctionLimit, !isTripped else {
            self[route].corrections = min(self[route].corrections + 1, Self.correctionLimit)
            self[route].correctedAt = now
            return false
        }
        let reason =
            "another writer sets the weights of \(name(of: route)) again and again (\(drift)): "
            + "no more corrections before they are as wanted"
        self[route].obstacle = .contested(reason)
        freeze(route.service, reason, at: now)
        return true
    }

    /// The stage that a candidate with the weight of `split` has passed; -1 below the first one.
    func stage(of service: String, at split: TrafficSplit) -> Int {
        plan.service(service)?.stages.lastIndex { $0 <= split } ?? -1
    }

    /// Ends a row of corrections when the last one has lasted for ten readings.
    mutating func forgetCorrections(_ route: RouteID, at now: Instant) {
        guard let last = self[route].correctedAt else { return }
        guard now >= last + Milliseconds(rawValue: 10 * plan.reconcile.rawValue) else { return }
        (self[route].corrections, self[route].correctedAt) = (0, nil)
    }

    /// Why no candidate rises while somebody else sets weights.
    var contestedRoute: String? {
        for service in plan.services {
            for route in routes(of: service.name) {
                if case .contested(let reason)? = self[route].obstacle { return reason }
            }
        }
        return nil
    }
}
