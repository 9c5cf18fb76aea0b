import Rollback

/// What may happen next.
///
/// Left out is only what makes no difference to the machine or the checks:
///
/// - A reading, and a shift, is carried out when its reply arrives unless something may change the router, or end the
///   process, in between. Without that nobody can see the difference.
/// - A step of the clock while a reply, a write or the machine's timer is due. Each takes any time before the step; one
///   that takes longer is a fault.
/// - Every fault but a crash while there is no process: the next one reads nothing before its first request.
extension Moment {
    func choices(in world: SmallWorld) -> [Choice] {
        var choices: [Choice] = []
        guard let machine else {
            for index in routes.indices { addStrays(of: index, &choices) }
            return choices + [Choice(.restart), Choice(.restart, 0, 1)]
        }
        choices.reserveCapacity(48)
        for index in routes.indices { addOperations(of: index, &choices) }
        addJournal(&choices)
        addPassing(of: machine, &choices)
        for service in world.services.indices {
            for outcome in 0..<3 { choices.append(Choice(.measure, service, outcome)) }
        }
        addOrders(machine, world, &choices)
        if reloads < world.size.reloads { choices.append(Choice(.reload)) }
        addSurroundings(world, &choices)
        return choices
    }

    private func addOperations(of index: Int, _ choices: inout [Choice]) {
        let route = routes[index]
        if let operation = route.queue.first {
            choices.append(Choice(.answer, index))
            let mayChange = faults > 0 || !route.strays.isEmpty || route.isDead || !route.stableIsHealthy
            if operation.reply == nil, mayChange, operation.kind != .isolate { choices.append(Choice(.effect, index)) }
            if faults > 0 {
                if !route.isDead, operation.reply == nil {
                    choices.append(Choice(.refuse, index))
                    if operation.kind == .shift { choices.append(Choice(.refuse, index, 1)) }
                }
                choices.append(Choice(.lose, index))
                if operation.kind == .shift, operation.reply == nil, !route.isDead {
                    choices.append(Choice(.lose, index, 1))
                }
            }
        }
        addStrays(of: index, &choices)
    }

    private func addStrays(of index: Int, _ choices: inout [Choice]) {
        let route = routes[index]
        for (place, stray) in route.strays.enumerated() where !route.isDead {
            let isFirst = !route.strays[..<place].contains { $0.weight == stray.weight }
            if isFirst { choices.append(Choice(.lateEffect, index, Int(stray.weight))) }
        }
    }

    private func addJournal(_ choices: inout [Choice]) {
        guard disk.busy != nil else { return }
        choices.append(Choice(.written))
        guard faults > 0 else { return }
        choices.append(Choice(.refuseWrite))
        if !disk.isFailing, !disk.isHung { choices.append(Choice(.hangWrite)) }
    }

    private func addPassing(of machine: PlanMachine, _ choices: inout [Choice]) {
        if let wake = machine.controller.wakeAt, wake <= now { return choices.append(Choice(.wake)) }
        guard routes.allSatisfy(\.queue.isEmpty), disk.busy == nil || disk.isFailing || disk.isHung else { return }
        choices.append(Choice(.tick))
    }

    private func addOrders(_ machine: PlanMachine, _ world: SmallWorld, _ choices: inout [Choice]) {
        let state = machine.controller.state
        if state.generation < world.size.generations {
            switch state.phase {
            case .idle, .rolledBack: choices.append(Choice(.start))
            case .promoting, .paused, .promoted, .retired, .rollingBack: break
            }
        }
        guard orders > 0 else { return }
        choices.append(Choice(.abort))
        choices.append(Choice(.rollback))
        if world.services.count > 1 {
            for index in world.services.indices { choices.append(Choice(.rollbackOf, index)) }
        }
        switch state.phase {
        case .promoting: choices.append(Choice(.pause))
        case .paused: choices.append(Choice(.resume))
        case .idle, .promoted, .retired, .rollingBack, .rolledBack: break
        }
    }

    private func addSurroundings(_ world: SmallWorld, _ choices: inout [Choice]) {
        for (index, route) in routes.enumerated() where route.isDead { choices.append(Choice(.revive, index)) }
        for service in world.services.indices where !routes[world.routes(of: service).lowerBound].stableIsHealthy {
            choices.append(Choice(.recover, service))
        }
        guard faults > 0 else { return }
        for (index, route) in routes.enumerated() where !route.isDead {
            choices.append(Choice(.die, index))
            for weight in [0, 50, 100] where weight != Int(route.weight) {
                choices.append(Choice(.foreign, index, weight))
            }
        }
        for service in world.services.indices where routes[world.routes(of: service).lowerBound].stableIsHealthy {
            choices.append(Choice(.sicken, service))
        }
        choices.append(Choice(.crash))
        if disk.busy != nil, !disk.isFailing { choices.append(Choice(.crash, 0, 1)) }
    }
}
