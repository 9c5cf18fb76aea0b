import MetricModel
import Rollback

/// What must come of a moment when nothing goes wrong any more.
extension Moment {
    /// Whether no fault can come any more and nothing is on its way, but a candidate has traffic that it is to lose.
    ///
    /// Moments in which something is on its way need not be tried: time passes in none of them, so that each leads to
    /// one in which nothing is.
    func owesShift(in world: SmallWorld) -> Bool {
        guard faults == 0, let machine, disk.busy == nil, routes.allSatisfy(\.queue.isEmpty),
            machine.controller.wakeAt.map({ $0 > now }) ?? true
        else { return false }
        return isOwed(machine.controller.state, in: world)
    }

    private func isOwed(_ state: RolloutState, in world: SmallWorld) -> Bool {
        switch state.phase {
        case .rollingBack: true
        case .rolledBack:
            routes.indices.contains { index in
                routes[index].weight > 0
                    && state.services[world.services[world.service(of: index)]]?.split == .allStable
            }
        case .idle, .promoting, .paused, .promoted, .retired: false
        }
    }

    /// Lets time pass in which every router that lives answers at once, the disk writes, and rules are healthy. Then no
    /// candidate that was to go back has traffic, or the machine says why.
    ///
    /// - Returns: what happened, for a report.
    mutating func calm(in world: SmallWorld) -> [Choice] {
        var taken: [Choice] = []
        let end = now + .minutes(3)
        while violation == nil, let machine, now < end, taken.count < 1000 {
            if !isOwed(machine.controller.state, in: world) { break }
            let choice = nextCalm(machine)
            taken.append(choice)
            take(choice, in: world)
        }
        checkEnd(in: world)
        return taken
    }

    /// The next event of a rollout in which everything works: all services are promoted, then the first one is violated
    /// and everything goes back; `nil` when it is back.
    func nextOfRollout(in world: SmallWorld) -> Choice? {
        guard let machine else { return nil }
        let state = machine.controller.state
        let choice = nextCalm(machine)
        switch (choice.kind, state.phase) {
        case (.tick, .idle): return Choice(.start)
        case (.tick, .promoted):
            return Choice(.measure, 0, 1)
        case (.tick, .rolledBack): return nil
        case (.tick, .promoting):
            // Each service is measured in each stage.
            let missing = world.services.indices.first { counted & 1 << UInt8($0) == 0 }
            return missing.map { Choice(.measure, $0) } ?? choice
        case (_, _): return choice
        }
    }

    private func nextCalm(_ machine: PlanMachine) -> Choice {
        if disk.busy != nil { return Choice(.written) }
        if let index = routes.firstIndex(where: { !$0.queue.isEmpty }) { return Choice(.answer, index) }
        if let wake = machine.controller.wakeAt, wake <= now { return Choice(.wake) }
        return Choice(.tick)
    }

    private mutating func checkEnd(in world: SmallWorld) {
        guard let controller = machine?.controller else { return }
        let state = controller.state
        switch state.phase {
        case .rollingBack, .rolledBack: break
        // Where only a promotion failed, the others go on.
        case .idle, .promoting, .paused, .promoted, .retired: return
        }
        for (index, route) in routes.enumerated() where route.weight > 0 {
            let name = world.services[world.service(of: index)]
            guard let service = state.services[name], service.split == .allStable else { continue }
            let isSaid =
                service.frozen != nil || controller.views[world.routes[index]]?.unreadableSince != nil
            check(
                .driftCorrected, isSaid, "\(world.routes[index]) keeps \(route.weight) %, and nothing says why")
        }
        guard state.phase == .rollingBack else { return }
        let isSaid =
            state.services.values.contains { $0.frozen != nil }
            || controller.views.values.contains { $0.unreadableSince != nil }
        check(.recovery, isSaid, "a rollback does not end, and nothing says why")
    }
}
