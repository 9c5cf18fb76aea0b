extension PlanMachine {
    /// The same machine without what has no influence on what happens next, with times relative to now: two machines
    /// with equal copies answer the same events with the same operations and records, as long as their plans and rules
    /// are the same. Made for explorations of all orders of events.
    ///
    /// - Parameters:
    ///   - keepsSamples: whether the plan may be without a rollout later, so that trips compare their samples with the
    ///     time at which traffic was read.
    ///   - scale: the time, and the steps in which it passes.
    package func normalised(keepsSamples: Bool, _ scale: TimeScale) -> PlanMachine {
        var copy = self
        copy.controller = controller.normalised(scale)
        copy.watches = nil
        let isIdle = keepsSamples || controller.state.phase == .idle
        let since = controller.unmanaged.sorted { $0.key < $1.key }.map(\.value.since)
        for (key, rule) in rules {
            copy.rules[key] = rule.normalised(
                awaitsData: controller.awaitsData, unmanaged: isIdle ? since : nil, scale)
        }
        return copy
    }

    /// Forgets texts that grow with each step.
    package mutating func forgetTimeline() { controller.state.forgetTimeline() }

    /// Whether rules wait some time for the first data of a candidate.
    package var awaitsData: Bool { controller.awaitsData }

    /// Adds everything that belongs to `route`.
    package func digest(of route: RouteID, into hasher: inout Hasher) {
        hasher.combine(controller[route])
        hasher.combine(controller.validating.awaited.contains(route))
        hasher.combine(controller.validating.candidateRequests[route])
        hasher.combine(controller.state.services[route.service]?.abandoned.contains(route.index))
    }

    /// Exchanges the routes of `service`, which must have two: they differ in nothing but their names.
    package mutating func exchangeRoutes(of service: String) { controller.exchangeRoutes(of: service) }
}

extension RolloutController {
    fileprivate mutating func exchangeRoutes(of service: String) {
        work[service]?.routes.swapAt(0, 1)
        let (first, second) = (RouteID(service, 0), RouteID(service, 1))
        let awaited = validating.awaited
        validating.awaited = Set(
            awaited.map { $0 == first ? second : $0 == second ? first : $0 })
        let counts = validating.candidateRequests
        (validating.candidateRequests[first], validating.candidateRequests[second]) = (counts[second], counts[first])
        state.exchangeRoutes(of: service)
    }
}

extension RolloutState {
    /// Exchanges the routes of `service`, which must have two.
    package mutating func exchangeRoutes(of service: String) {
        guard let abandoned = services[service]?.abandoned, !abandoned.isEmpty else { return }
        services[service]?.abandoned = Set(abandoned.map { 1 - $0 })
    }
}
