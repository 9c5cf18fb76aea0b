internal import JSON
internal import MetricModel

/// A time in which routers are read, everything is recorded and people are paged, but nothing is written.
extension RolloutController {
    /// Why nothing is written to routers; `nil` if there is no such order.
    package var observationText: String? {
        state.observingUntil.map { "only observing until \(RFC3339.text(milliseconds: $0.timestamp.milliseconds))" }
    }

    /// Begins a time of observation, changes its end, or ends it with a `span` of zero.
    mutating func observe(for span: Milliseconds, _ command: RolloutCommand, at now: Instant) -> CommandOutcome {
        guard span > .zero else {
            guard state.observingUntil != nil else { return .ignored("nothing is being observed") }
            stopObserving(command.by, at: now)
            return .accepted
        }
        switch state.phase {
        case .promoting: return .refused("generation \(state.generation) is being promoted: pause it first")
        case .rollingBack: return .refused("a rollback is under way")
        case .idle, .paused, .promoted, .retired, .rolledBack: break
        }
        if let service = plan.services.first(where: { state.services[$0.name]?.isRestoring == true }) {
            return .refused("\(service.name) is being lowered")
        }
        state.observingUntil = now + span
        journal("observing", at: now)
        return .accepted
    }

    /// A route does not have the `wanted` weights while nothing is written.
    mutating func observeDrift(_ route: RouteID, _ seen: Inspection, _ wanted: TrafficSplit, at now: Instant) {
        guard !self[route].isDriftRefused, let reason = observationText else { return }
        self[route].isDriftRefused = true
        let live = text("live \(seen.split?.description ?? "unknown"), wanted \(wanted)", of: route)
        recordDrift(route.service, "not corrected, \(reason): \(live)", at: now)
        let drift = "drift \(route)"
        guard tripPages[drift] == nil else { return }
        tripPages[drift] = page(
            "\(route)/drift",
            "plan \(plan.name), service \(route.service): the weights drifted, and are not corrected: "
                + live, severity: "warning")
    }

    /// Ends the observation at its time.
    mutating func endObservation(at now: Instant) {
        guard let until = state.observingUntil, now >= until else { return }
        stopObserving("its time", at: now)
    }

    /// From now on routers are written again; violations of the time before count with the next one.
    mutating func stopObserving(_ by: String, at now: Instant) {
        state.observingUntil = nil
        for name in work.keys {
            for index in work[name]?.routes.indices ?? 0..<0 { work[name]?.routes[index].isDriftRefused = false }
        }
        withdrawTrips()
        record(.deployment, ["step": "observed", "by": .string(by)], at: now)
        outbox.append(.reconsider)
        journal("observed", at: now)
    }
}
