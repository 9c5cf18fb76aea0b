import MetricModel
import Rollback
import RuleModel

/// What happens.
extension Moment {
    /// Carries out `choice`, with every check.
    ///
    /// - Returns: after how many of the actions that reach out of the process it may end, to be tried too.
    @discardableResult
    mutating func take(_ choice: Choice, in world: SmallWorld) -> Int {
        let cut = choice.cut > 0 ? Cut(after: Int(choice.cut), isStored: choice.isStored) : nil
        let index = Int(choice.a)
        switch choice.kind {
        case .answer: return answer(index, in: world, cut)
        case .effect: routes[index].carryOut()
        case .refuse:
            faults -= 1
            if choice.b == 1 { routes[index].carryOut() }
            routes[index].queue[0].reply = .failed
            return answer(index, in: world, cut)
        case .lose:
            faults -= 1
            lose(index, tookEffect: choice.b == 1)
        case .lateEffect: takeLateEffect(index, choice.b)
        case .die:
            faults -= 1
            routes[index].isDead = true
        case .revive: routes[index].isDead = false
        case .sicken, .recover:
            if choice.kind == .sicken { faults -= 1 }
            for route in world.routes(of: index) { routes[route].stableIsHealthy = choice.kind == .recover }
        case .foreign:
            faults -= 1
            routes[index].weight = choice.b
        case .written: return written(in: world, cut)
        case .refuseWrite: return refuseWrite(in: world, cut)
        case .hangWrite:
            faults -= 1
            disk.isHung = true
        case .wake: return wake(in: world, cut)
        case .tick: tick()
        case .measure: return measure(index, Int(choice.b), in: world, cut)
        case .start: return command(.start, in: world, cut)
        case .abort, .rollback, .rollbackOf, .pause, .resume: return order(choice, in: world, cut)
        case .reload: return reload(in: world, cut)
        case .crash: crash(isStored: choice.b == 1)
        case .restart:
            if choice.b == 1 { tick() }
            restart(in: world)
        }
        return 0
    }

    // MARK: routers

    private mutating func answer(_ index: Int, in world: SmallWorld, _ cut: Cut?) -> Int {
        if routes[index].queue[0].reply == nil { routes[index].carryOut() }
        let operation = routes[index].queue.removeFirst()
        guard operation.isAwaited, let reply = operation.reply else { return 0 }
        var told: OperationResult
        let isReading = operation.kind == .inspect
        switch reply {
        case .done:
            told = .done
            routes[index].isTroubled = false
        case .failed:
            told = .failed("refused")
            routes[index].isTroubled = true
            if isReading { routes[index].isUnread = true }
        case .read(let weight, let stableIsHealthy):
            routes[index].isTroubled = false
            routes[index].isUnread = false
            routes[index].seen = Reading(weight: weight, stableIsHealthy: stableIsHealthy, at: now)
            told = .inspected(inspection(weight, stableIsHealthy))
        }
        if isReading { told = lie(told, of: index, in: world) }
        let cuts = step(in: world, cut) { machine, now in
            machine.step(at: now) { $0.replied(operation.id, told, at: now) }
        }
        if isReading { checkView(of: index, in: world) }
        return cuts
    }

    private func inspection(_ weight: UInt8, _ stableIsHealthy: Bool) -> Inspection {
        // Always the same process of the router: whoever changes weights is another writer.
        var process = RouterProcess(pid: 1, uptime: 0, at: 0)
        process.startedAt = 0
        return Inspection(
            split: TrafficSplit(candidate: Int(weight)), stable: stableIsHealthy ? .healthy : .unhealthy("down"),
            candidate: .healthy, process: process)
    }

    /// What a defective shell would report.
    private func lie(_ told: OperationResult, of index: Int, in world: SmallWorld) -> OperationResult {
        guard let sabotage = world.sabotage,
            let wanted = recorded.services[world.services[world.service(of: index)]]
        else { return told }
        guard case .inspected(var seen) = told else {
            guard sabotage == .answersForRouters else { return told }
            return .inspected(inspection(UInt8(wanted.split.candidate), true))
        }
        let isInMotion: Bool =
            switch wanted.progress {
            case .shifting, .rollingBack: true
            case .waiting, .baking, .promoted, .rolledBack: false
            }
        if sabotage == .assumesHealthyTarget { seen.stable = .healthy }
        if sabotage == .inventsReadBack, isInMotion { seen.split = wanted.split }
        if sabotage == .hidesDrift, !isInMotion, recorded.phase != .idle { seen.split = wanted.split }
        return .inspected(seen)
    }

    private mutating func lose(_ index: Int, tookEffect: Bool) {
        if tookEffect { routes[index].carryOut() }
        let operation = routes[index].queue.removeFirst()
        routes[index].isTroubled = true
        if operation.kind == .inspect, operation.isAwaited { routes[index].isUnread = true }
        if operation.kind == .shift, operation.reply == nil { routes[index].addStray(operation.weight) }
    }

    private mutating func takeLateEffect(_ index: Int, _ weight: UInt8) {
        guard let place = routes[index].strays.firstIndex(where: { $0.weight == weight }) else { return }
        routes[index].strays.remove(at: place)
        routes[index].weight = weight
    }

    // MARK: time

    private mutating func tick() {
        now = now + SmallWorld.step
        countedNow = 0
        for index in routes.indices {
            routes[index].strays.removeAll { $0.age >= 1 }
            for place in routes[index].strays.indices { routes[index].strays[place].age += 1 }
        }
    }

    private mutating func wake(in world: SmallWorld, _ cut: Cut?) -> Int {
        let cuts = step(in: world, cut) { machine, now in machine.step(at: now) { $0.timePassed(at: now) } }
        let isLater = machine?.controller.wakeAt.map { $0 > now } ?? true
        check(.recovery, isLater, "the machine waits for a time that has come")
        return cuts
    }

    // MARK: the journal

    private mutating func written(in world: SmallWorld, _ cut: Cut?) -> Int {
        guard let entry = disk.busy else { return 0 }
        disk.state = entry.state
        (disk.busy, disk.next) = (disk.next, nil)
        (disk.isFailing, disk.isHung) = (false, false)
        return step(in: world, cut) { machine, now in
            machine.step(at: now) { $0.journalled(through: entry.number, in: .file, at: now) }
        }
    }

    private mutating func refuseWrite(in world: SmallWorld, _ cut: Cut?) -> Int {
        faults -= 1
        // The next attempt writes the whole state.
        (disk.busy, disk.next) = (disk.next ?? disk.busy, nil)
        disk.isHung = false
        guard !disk.isFailing else { return 0 }
        disk.isFailing = true
        return step(in: world, cut) { machine, now in
            machine.step(at: now) { $0.journalFailed("no space", at: now) }
        }
    }

    // MARK: rules and people

    private mutating func measure(_ index: Int, _ outcome: Int, in world: SmallWorld, _ cut: Cut?) -> Int {
        var definition = world.rules[index]
        if world.sabotage == .dropsTrips { definition.mode = .shadow }
        if world.sabotage == .skipsCooldown { definition.cooldown = .zero }
        let name = world.services[index]
        let isMissing = outcome == 2 && world.sabotage != .resetsOnMissing && world.sabotage != .countsMissing
        let value = outcome == 1 || outcome == 2 && world.sabotage == .countsMissing ? 0.5 : 1
        let measurement = RollbackMeasurement(
            rule: world.key(index), ruleHash: "h", definition: definition, time: now.timestamp,
            elements: isMissing ? [] : [.init(labels: ["service": name], value: value)])
        let phase = machine?.controller.state.phase ?? .idle
        let wasTripped = isTripped(index, in: world)
        if outcome != 2 {
            counted |= 1 << UInt8(index)
            countedNow |= 1 << UInt8(index)
        }
        let cuts = step(in: world, cut) { machine, now in machine.measured(measurement, at: now) }
        guard machine != nil else { return cuts }
        checkMeasured(index, outcome, phase, wasTripped: wasTripped, in: world)
        return cuts
    }

    private mutating func order(_ choice: Choice, in world: SmallWorld, _ cut: Cut?) -> Int {
        orders -= 1
        switch choice.kind {
        case .abort:
            let before = machine?.controller.state.phase
            let cuts = world.sabotage == .swallowsAbort ? 0 : command(.abort, in: world, cut)
            switch before {
            case .promoting, .paused, .rollingBack: return checkAborted(cuts)
            case .idle, .promoted, .retired, .rolledBack, nil: return cuts
            }
        case .rollback: return command(.rollback(services: nil), in: world, cut)
        case .rollbackOf: return command(.rollback(services: [world.services[Int(choice.a)]]), in: world, cut)
        case .pause: return command(.pause, in: world, cut)
        case _: return command(.resume, in: world, cut)
        }
    }

    private mutating func command(_ verb: RolloutCommand.Verb, in world: SmallWorld, _ cut: Cut?) -> Int {
        step(in: world, cut) { machine, now in
            machine.step(at: now) { $0.commanded(RolloutCommand(verb, by: "ops"), at: now).actions }
        }
    }

    private mutating func reload(in world: SmallWorld, _ cut: Cut?) -> Int {
        reloads += 1
        let plan = world.plan(reloads: reloads)
        return step(in: world, cut) { machine, now in
            machine.step(at: now) { $0.planChanged(to: plan, at: now).actions }
                + machine.rulesChanged(to: world.watches, at: now)
        }
    }
}

extension Moment.Route {
    /// The router does what the first operation asks for.
    mutating func carryOut() {
        guard let operation = queue.first, operation.reply == nil else { return }
        guard !isDead else {
            queue[0].reply = .failed
            return
        }
        switch operation.kind {
        case .inspect: queue[0].reply = .read(weight: weight, stableIsHealthy: stableIsHealthy)
        case .shift:
            weight = operation.weight
            queue[0].reply = .done
        case .isolate: queue[0].reply = .done
        }
    }

    mutating func addStray(_ weight: UInt8) {
        strays.append(Moment.Stray(weight: weight))
        strays.sort { ($0.age, $0.weight) < ($1.age, $1.weight) }
    }
}
