/// Giving up a route on a person's word.
extension RolloutController {
    /// Ends the attempts to roll `route` back. It is still read, and corrected as drift when it responds.
    mutating func abandon(_ route: RouteID, _ command: RolloutCommand, at now: Instant) -> CommandOutcome {
        guard let definition = plan.service(route.service) else {
            return .refused("there is no service \"\(route.service)\"")
        }
        guard definition.routes.indices.contains(route.index) else {
            let count = definition.routes.count
            return .refused("\(route.service) has \(count) route\(count == 1 ? "" : "s"), counted from 1")
        }
        guard state.phase == .rollingBack, state.rollback?.services.contains(route.service) == true else {
            return .refused("\(route.service) is not being rolled back")
        }
        if state.services[route.service]?.abandoned.contains(route.index) == true {
            return .ignored("the route is already given up")
        }
        let name = definition.routes[route.index].name
        guard let fault = self[route].view.fault ?? self[route].obstacle?.reason else {
            return .refused("\(name) responds: it cannot be given up")
        }
        self[route].begin()
        validating.awaited.remove(route)
        state.services[route.service]?.abandoned.insert(route.index)
        let live = self[route].view.readAt.map { at in
            "last read \(self[route].view.observed?.description ?? "no traffic") "
                + "\(Int(now.milliseconds(since: at) / 1000)) s ago"
        }
        recordStep(
            "abandoned", route.service, "\(name), \(live ?? "never read"), by \(command.by): \(fault)", at: now)
        settleRollback(of: route.service, at: now)
        thaw(route.service, at: now)
        journal("abandoned", at: now)
        return .accepted
    }
}
