/// Releases that cannot go back, for example because they change the schema of a database: past `reversible_until`
/// traffic stays where it is, and people are paged.
extension RolloutController {
    /// Records that `service` is at, or is about to get, a weight from which it cannot go back.
    mutating func passReversible(_ service: String) {
        guard let limit = plan.service(service)?.reversibleUntil, let split = state.services[service]?.split else {
            return
        }
        if split.candidate > limit { state.services[service]?.isIrreversible = true }
    }

    /// Whether `service` cannot go back, or one cannot that depends on it.
    package func isIrreversible(_ service: String) -> Bool {
        plan.dependents(including: service).contains { name in
            plan.service(name)?.reversibleUntil != nil && state.services[name]?.isIrreversible == true
                && takesTraffic(name)
        }
    }

    /// A service that cannot go back has less traffic than recorded: nothing is written until its weights are `wanted`
    /// again, by a person's hand.
    mutating func holdIrreversible(_ service: String, _ wanted: TrafficSplit, at now: Instant) -> Bool {
        let reason = "\(service) cannot go back, and has less than the recorded \(wanted): set its weights by hand"
        guard state.phase != .paused(reason: reason) else { return true }
        switch state.phase {
        case .promoting, .paused, .promoted:
            standStill(reason)
            stop(reason, at: now)
            let trip = "irreversible \(service)"
            if tripPages[trip] == nil {
                tripPages[trip] = page("\(service)/irreversible", "plan \(plan.name): \(reason)")
            }
        case .idle, .retired, .rollingBack, .rolledBack: break
        }
        return true
    }

    /// Those of `services` that cannot go back, as text; `nil` if all can.
    func irreversibleText(_ services: [String]) -> String? {
        let stuck = services.filter { isIrreversible($0) }
        return stuck.isEmpty ? nil : irreversibleText(of: stuck)
    }

    /// Why the services `stuck` do not go back.
    func irreversibleText(of stuck: [String]) -> String {
        "past the stage of reversible_until, \(stuck.joined(separator: ", ")) cannot go back: repair the candidate, "
            + "or take reversible_until out of the plan and reload"
    }
}
