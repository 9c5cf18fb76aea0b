internal import MetricModel

/// Trips of rules with `reduce_to`: candidates get less traffic instead of none, and go up again when the rule is
/// healthy and its cooldown is over.
extension RolloutController {
    /// Whether the candidate of `service` has at most this share, or loses all of it in the active rollback.
    func isReduced(_ service: String, to share: Int) -> Bool {
        if case .rollingBack = state.services[service]?.progress { return true }
        return state.services[service]?.split.candidate ?? 0 <= share
    }

    /// The reason of ``freezes`` that the element `labels` of a rule has tripped.
    static func freezeReason(_ rule: String, _ labels: Labels) -> String { "\(rule)\(labels): tripped" }

    /// Lowers the candidates of `services` to `share` percent. Neither a pause nor obstacles to promotion delay this.
    ///
    /// Promotion continues from the stage of that weight, with its bake, its gates and an approval of its own, as soon
    /// as nothing holds it back any more: the cooldown, and the rule until it is healthy. A rollout that a person has
    /// paused stays paused.
    mutating func reduce(_ services: [String], to share: Int, because trip: Trip, at now: Instant) {
        guard let split = TrafficSplit(candidate: share) else { return }
        state.isFull = false
        let lowered = services.filter { !isReduced($0, to: share) }
        for service in lowered {
            lower(service, to: split, "reducing", at: now)
            endReduction(of: service)
            let page = page(
                "\(trip.incident)/\(service)/reduced",
                "plan \(plan.name): \(trip.name) tripped: \(service) is being reduced to \(share) %. It goes up again when "
                    + "the rule is healthy and the cooldown is over", severity: trip.severity)
            work[service]?.reduction = .init(page: page, freeze: Self.freezeReason(trip.name, trip.labels))
        }
        if case .promoted = state.phase, !lowered.isEmpty { state.phase = .promoting }
        journal("reduced", at: now)
    }

    /// Resolves the page about the reduction of `service`.
    mutating func endReduction(of service: String) {
        guard let reduction = work[service]?.reduction else { return }
        work[service]?.reduction = nil
        resolvePage(reduction.page, ": \(service) is no longer reduced")
    }
}
