internal import JSON
internal import MetricModel

/// Drift: somebody or something (a reload of HAProxy restores the weights of its file) changed live weights behind our
/// back.
extension RolloutController {
    /// Reads the live weights of every service that is at rest, from time to time.
    mutating func reconcile(at now: Instant) {
        for service in plan.services where isAtRest(service.name) {
            let due = reconcileAt[service.name] ?? now
            if due > now {
                wake(at: due)
            } else if isFree(service.name, at: now) {
                reconcileAt[service.name] = now + plan.reconcile
                operate(service.name, .reconcile, .inspect, at: now)
            }
        }
    }

    private func isAtRest(_ service: String) -> Bool {
        switch state.services[service]?.progress {
        case .waiting, .baking, .promoted, .rolledBack: true
        case .shifting, .rollingBack, nil: false
        }
    }

    /// The live weights of a service at rest have been read.
    mutating func reconciled(_ service: String, _ result: OperationResult, at now: Instant) {
        guard case .inspected(let seen) = result, isAtRest(service), let wanted = state.services[service]?.split else {
            return
        }
        guard seen.split != wanted else {
            refusedDrift.remove(service)
            confirm(service, at: now)
            if state.services[service]?.frozen != nil { thaw(service, at: now) }
            return
        }
        if wasTakenBack(service, seen, at: now) { return }
        let drift = "live \(seen.split?.description ?? "nobody"), wanted \(wanted)"
        let raisesCandidate = wanted.candidate > (seen.split?.candidate ?? 0)
        let isForbidden =
            state.phase == .rollingBack || state.phase == .rolledBack || isCoolingDown(at: now) || !freezes.isEmpty
        if raisesCandidate, isForbidden || isAlone {
            if refusedDrift.insert(service).inserted {
                recordDrift(
                    service, "left alone, a trip or the lease forbids more weight for a candidate: \(drift)", at: now)
            }
            return
        }
        if wanted.stable > (seen.split?.stable ?? 0), seen.stable != .healthy {
            return freeze(
                service, "the weights drifted (\(drift)) and the stable version is not verified healthy", at: now)
        }
        if raisesCandidate, case .unhealthy(let reason) = seen.candidate {
            return freeze(service, "the weights drifted (\(drift)) and the candidate is unhealthy: \(reason)", at: now)
        }
        state.services[service]?.revision &+= 1
        recordDrift(service, "corrected: \(drift)", at: now)
        journal("drift", at: now)
        operate(service, .shift(wanted), .shift(wanted), at: now)
    }

    /// The weights of a service at rest have been set again; the next reading, soon, tells whether that helped.
    mutating func correctionAnswered(_ service: String, _ result: OperationResult, at now: Instant) {
        switch result {
        case .done: succeeded(service)
        case .failed, .inspected: retryLater(service, at: now)
        }
        reconcileAt[service] = nil
        hasChanged = true
    }

    private mutating func recordDrift(_ service: String, _ detail: String, at now: Instant) {
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
