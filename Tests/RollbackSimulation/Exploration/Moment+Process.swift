import MetricModel
import Rollback
import RuleModel

/// Where a process ends in the middle of its actions.
struct Cut {
    /// The number of actions that still reach out of it.
    var after: Int
    /// Whether the record that is being written then is stored.
    var isStored: Bool
}

/// The process: a runner of the machine that may end after every action.
extension Moment {
    /// Passes an event to the machine and executes its actions, all of them or until `cut`.
    ///
    /// - Returns: after how many of the actions that reach out of it the process may end too: an end after the last one
    ///   is that of a process at rest, and one before the first one that of a process without the event.
    mutating func step(
        in world: SmallWorld, _ cut: Cut?, _ body: (inout PlanMachine, Instant) -> [PlanMachine.Action]
    ) -> Int {
        guard var machine = machine.take() else { return 0 }
        let before = recorded
        let phase = machine.controller.state.phase
        let actions = body(&machine, now)
        machine.forgetTimeline()
        self.machine = machine
        for route in routes.indices { routes[route].dropUnawaited(machine.controller) }
        var done = 0
        for action in actions {
            if let cut, done == cut.after {
                crash(isStored: cut.isStored)
                return 0
            }
            if perform(action, machine, phase, in: world) { done += 1 }
        }
        for route in routes.indices { routes[route].dropUnawaited(machine.controller) }
        checkDelay(before, machine.controller, in: world)
        if world.sabotage == .reportsStoredEarly, let number = disk.next?.number ?? disk.busy?.number,
            self.machine?.controller.isJournalled == false
        {
            return max(done - 1, 0)
                + step(in: world, nil) { machine, now in
                    machine.step(at: now) { $0.journalled(through: number, in: .file, at: now) }
                }
        }
        return faults > 0 ? max(done - 1, 0) : 0
    }

    /// Executes an action.
    ///
    /// - Returns: whether it reaches out of the process.
    private mutating func perform(
        _ action: PlanMachine.Action, _ machine: PlanMachine, _ phase: RolloutState.Phase, in world: SmallWorld
    ) -> Bool {
        switch action {
        case .tripped:
            beginCooldown(phase, in: world)
            if world.sabotage == .keepsRulesEarly { disk.rules = machine.rules }
            return false
        case .keepRules:
            disk.rules = machine.rules
            return true
        case .control(.journal(let record)):
            note("  journal \(record.step)")
            checkRecord(record, in: world)
            write(record)
            return true
        case .control(.operate(let operation)):
            if world.sabotage == .waitsForJournal, disk.busy != nil { return false }
            send(operation, machine, in: world)
            return true
        case .control(.notify(let notice)):
            note("  \(notice.kind): \(notice.text)")
            return false
        case .control(.record), .control(.raise), .control(.report), .control(.ask), .control(.call), .control(.rearm),
            .control(.rearmElement), .control(.reconsider), .control(.yieldLease), .control(.competeForLease):
            return false
        }
    }

    private mutating func write(_ record: JournalRecord) {
        var state = record.state
        state.forgetTimeline()
        let entry = Write(number: record.number, state: state)
        if disk.busy == nil { disk.busy = entry } else { disk.next = entry }
        // The next attempt writes what is new.
        if disk.isFailing { (disk.busy, disk.next) = (entry, nil) }
    }

    private mutating func send(_ operation: RouterOperation, _ machine: PlanMachine, in world: SmallWorld) {
        guard let index = world.routes.firstIndex(of: operation.target) else { return }
        note("  \(operation.target): \(operation.kind)")
        var entry = Operation(id: operation.id, kind: .inspect)
        switch operation.kind {
        case .inspect: break
        case .isolate:
            entry.kind = .isolate
            checkIsolation(index, in: world)
        case .shift(let split):
            entry.kind = .shift
            entry.weight = UInt8(split.candidate)
            checkShift(index, split, machine, in: world)
            routes[index].seen?.isBeforeShift = true
            if world.sabotage == .omitsZero, split == .allStable { entry.weight = routes[index].weight / 2 }
        }
        routes[index].queue.append(entry)
    }

    /// The process ends. What it asked of routers may still take effect.
    mutating func crash(isStored: Bool) {
        note("  the process ends")
        faults -= 1
        if isStored, let busy = disk.busy { disk.state = busy.state }
        (disk.busy, disk.next, disk.isFailing, disk.isHung) = (nil, nil, false, false)
        machine = nil
        for index in routes.indices {
            for operation in routes[index].queue where operation.kind == .shift && operation.reply == nil {
                routes[index].addStray(operation.weight)
            }
            routes[index].queue = []
            routes[index].seen = nil
            routes[index].isUnread = false
        }
        (counted, countedNow) = (0, 0)
        // What was decided since the last record has not happened.
        cooldownUntil = cooldownUntil.flatMap { until in disk.state?.cooldownUntil.map { min(until, $0) } }
    }

    /// A process begins with what is stored.
    mutating func restart(in world: SmallWorld) {
        var state = disk.state ?? RolloutState()
        if world.sabotage == .forgetsCooldown { state.cooldownUntil = nil }
        let rules = world.sabotage == .forgetsStreaks ? [:] : disk.rules
        machine = PlanMachine(
            RolloutController(plan: world.plan(reloads: reloads), state: state), rules: rules, watches: world.watches)
        _ = step(in: world, nil) { machine, now in machine.recovered(at: now) }
        checkHandled(in: world)
    }
}

extension Moment.Route {
    /// Marks operations whose replies are of no use any more. Only a shift still matters then.
    mutating func dropUnawaited(_ controller: RolloutController) {
        guard !queue.isEmpty else { return }
        for place in queue.indices where queue[place].isAwaited && !controller.awaits(queue[place].id) {
            queue[place].isAwaited = false
        }
        queue.removeAll { !$0.isAwaited && ($0.kind != .shift || $0.reply != nil) }
    }
}
