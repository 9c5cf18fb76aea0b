internal import JSON
internal import MetricModel

/// Drift: live weights were changed by someone else, for example by a reload of HAProxy, which restores the weights of
/// its file.
extension RolloutController {
    /// Reads every route of every idle service at intervals.
    mutating func reconcile(at now: Instant) {
        for service in plan.services {
            for route in routes(of: service.name) where isReconciled(route) {
                let due = self[route].reconcileAt ?? now
                if due > now {
                    wake(at: due)
                } else if isFree(route, at: now) {
                    self[route].reconcileAt = now + plan.reconcile
                    operate(route, .reconcile, .inspect, at: now)
                }
            }
        }
    }

    /// Whether `route` is read at intervals, and not for an action on its service.
    private func isReconciled(_ route: RouteID) -> Bool {
        switch state.services[route.service]?.progress {
        case .waiting, .baking, .promoted, .rolledBack: true
        // Promotion waits for the first reading of every route.
        case .shifting: !self[route].isRead
        case .rollingBack: state.services[route.service]?.abandoned.contains(route.index) == true
        case nil: false
        }
    }

    private func isAtRest(_ service: String) -> Bool {
        switch state.services[service]?.progress {
        case .waiting, .baking, .promoted, .rolledBack: true
        case .shifting, .rollingBack, nil: false
        }
    }

    /// A route of an idle service has been read.
    mutating func reconciled(_ route: RouteID, _ result: OperationResult, at now: Instant) {
        let service = route.service
        if case .failed = result, !self[route].isRead {
            // Promotion waits for its first reading.
            self[route].reconcileAt = nil
            return retryLater(route, at: now)
        }
        guard case .inspected(let seen) = result, isAtRest(service) else { return }
        rebuild(route, seen, at: now)
        guard let wanted = state.services[service]?.split else { return }
        // No rollout has begun: there are no wanted weights.
        guard state.phase != .idle else { return watchUnmanaged(service, at: now) }
        let isRestarted = isRestarted(route, seen)
        guard seen.split != wanted else {
            self[route].isDriftRefused = false
            self[route].obstacle = nil
            forgetCorrections(route, at: now)
            confirm(service, at: now)
            return thaw(service, at: now)
        }
        if observationText != nil { return observeDrift(route, seen, wanted, at: now) }
        if wasTakenBack(service, seen, at: now) { return }
        let drift = text("live \(seen.split?.description ?? "unknown"), wanted \(wanted)", of: route)
        let raisesCandidate = wanted > seen.split ?? .allStable
        if raisesCandidate, isRestarted == false, let live = seen.split {
            return leaveLowered(route, live, wanted, at: now)
        }
        if raisesCandidate,
            state.loss != nil || unreadRoute != nil || !journal.isStored || journalTrouble(at: now) != nil
        {
            return
        }
        let isForbidden =
            state.phase == .rollingBack || state.phase == .rolledBack || isCoolingDown(at: now) || !freezes.isEmpty
        if raisesCandidate, isForbidden || isAlone {
            if !self[route].isDriftRefused {
                self[route].isDriftRefused = true
                recordDrift(
                    service, "not corrected, a trip or the lease forbids a higher weight: \(drift)", at: now)
            }
            return
        }
        if seen.split.map({ wanted < $0 }) ?? (wanted.stable > 0), seen.stable != .healthy {
            let reason = "the weights drifted (\(drift)) and the stable version is not verified healthy"
            self[route].obstacle = .unhealthy(reason)
            return freeze(service, reason, at: now)
        }
        if raisesCandidate, case .unhealthy(let reason) = seen.candidate {
            let reason = "the weights drifted (\(drift)) and the candidate is unhealthy: \(reason)"
            self[route].obstacle = .unhealthy(reason)
            return freeze(service, reason, at: now)
        }
        if isRestarted == false, isContested(route, drift, at: now) { return }
        state.services[service]?.revision &+= 1
        let cause = isRestarted == true ? "after a restart of the router: " : ""
        recordDrift(service, "corrected: \(cause)\(drift)", at: now)
        journal("drift", at: now)
        operate(route, .shift(wanted), .shift(wanted), at: now)
    }

    /// The weights of an idle route have been set again; the next reading, soon, shows whether that was effective.
    mutating func correctionAnswered(_ route: RouteID, _ result: OperationResult, at now: Instant) {
        switch result {
        case .done: self[route].succeeded()
        case .failed, .inspected: retryLater(route, at: now)
        }
        self[route].reconcileAt = nil
        hasChanged = true
    }

    mutating func recordDrift(_ service: String, _ detail: String, at now: Instant) {
        let rollback = state.rollback.flatMap { $0.services.contains(service) ? $0 : nil }
        record(
            .step,
            [
                "step": "drift", "service": .string(service), "detail": .string(detail),
                "rollback": rollback.map { .string($0.id) } ?? .null,
                "causes": .array(rollback?.causes.map(\.json) ?? []),
            ], at: now)
    }
}
