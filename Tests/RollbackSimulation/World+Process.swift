import Durable
import JSON
import MetricModel
import Rollback
import RuleModel

/// The state that survives the process.
struct Disk: Sendable {
    /// The last whole record.
    var record: JournalRecord?
    /// The one before it.
    var previous: JournalRecord?
    /// The start of a record whose write was interrupted.
    var torn: [UInt8] = []
    /// Records since the last crash, which a disk without fsync would lose.
    var written = 0
    var rules: [String: RollbackRule] = [:]
}

/// The results of one event.
struct Batch: Sendable {
    /// Services whose rollback was decided.
    var intents: [String] = []
    /// Routes with an operation on their routers.
    var operated: Set<RouteID> = []
    var crashed = false
}

/// The process: a runner of the machine that may end at every action.
extension World {
    /// Passes an event to the controller and executes its actions.
    public mutating func step(_ body: (inout RolloutController, Instant) -> [RolloutController.Action]) {
        let now = clock
        step { machine in machine.step(at: now) { body(&$0, now) } }
    }

    mutating func step(_ body: (inout PlanMachine) -> [PlanMachine.Action]) {
        guard var machine = machine.take() else { return }
        let actions = body(&machine)
        self.machine = machine
        batch = Batch()
        perform(actions)
        checkBatch()
        guard let wake = self.machine?.controller.wakeAt else { return }
        if scheduledWake.map({ wake < $0 }) ?? true {
            scheduledWake = wake
            // The process waits for its own clock.
            queue.schedule(
                .wake(process: process, at: wake),
                at: max(now, Instant(nanoseconds: wake.nanoseconds - skew.rawValue * 1_000_000)))
        }
    }

    /// A user gives an order. `nil` while the process is down.
    @discardableResult
    public mutating func command(_ verb: RolloutCommand.Verb) -> CommandOutcome? {
        guard let before = controller else { return nil }
        note("command \(verb)")
        if verb == .abort, sabotage == .swallowsAbort { return aborted(.accepted, from: before) }
        var outcome: CommandOutcome?
        commanded = verb
        step { (controller: inout RolloutController, now) in
            let (result, actions) = controller.commanded(RolloutCommand(verb, by: "ops"), at: now)
            outcome = result
            return actions
        }
        commanded = nil
        if verb == .start, batch.crashed || isHalted || outcome == .accepted { rearmed() }
        return verb == .abort ? aborted(outcome, from: before) : outcome
    }

    /// The rules have been reset, because a rollout began.
    mutating func rearmed() {
        hasBegun = false
        let isCertain = !batch.crashed && !isHalted
        for index in elements.indices { elements[index].model.rearmed(isCertain: isCertain) }
    }

    private mutating func aborted(_ outcome: CommandOutcome?, from before: RolloutController) -> CommandOutcome? {
        switch outcome {
        case .ignored:
            check(.reload, batch.crashed || controller?.state == before.state, "an abort without a rollout acted")
        case .accepted where !batch.crashed && !isHalted:
            abortedGenerations.insert(before.state.generation)
            check(
                .reload, controller?.state.phase == .rollingBack || controller?.state.phase == .rolledBack,
                "an abort was accepted and did nothing")
        case .accepted, .refused, nil: break
        }
        return outcome
    }

    private mutating func perform(_ actions: [PlanMachine.Action]) {
        let late = sabotage == .actsBeforeJournal ? actions.filter(\.isJournal) : []
        let actions = sabotage == .actsBeforeJournal ? actions.filter { !$0.isJournal } + late : actions
        for action in actions {
            if shouldCrash() {
                if case .control(.journal(let record)) = action { tear(record) }
                return crash()
            }
            switch action {
            case .tripped: break
            case .keepRules: if let machine { disk.rules = machine.rules }
            case .control(let action):
                guard perform(action) else {
                    isHalted = true
                    schedule(.kill(process: process), after: injector[.writeError].pick(100...5000))
                    return step { $0.journalFailed(at: $1) }
                }
            }
        }
    }

    private mutating func perform(_ action: RolloutController.Action) -> Bool {
        switch action {
        case .journal(let record):
            if injector.strikes(.writeError) {
                note("the disk refuses \(record.step)")
                tear(record)
                return false
            }
            note("journal \(record.step)")
            write(record)
        case .operate(let operation): send(operation)
        case .ask(let question): schedule(.gates(question, process: process), after: 50)
        case .record(let event):
            if sabotage != .dropsEvidence { recorded(event) }
        case .raise(let incident):
            raised(incident)
            for name in incident.services {
                check(
                    .nothingDelaysTheShift, lastState.services[name]?.progress == .rolledBack,
                    "the incident was raised before \(name) was back")
            }
        case .notify(let notice):
            notified(notice)
            if sabotage == .repeatsNotices { notified(notice) }
        case .report(let report): reports.append(report)
        case .rearm: break
        }
        return true
    }

    private mutating func shouldCrash() -> Bool {
        if let countdown = crashCountdown {
            crashCountdown = countdown == 0 ? nil : countdown - 1
            return countdown == 0
        }
        return injector.strikes(.crash)
    }

    mutating func crash() {
        note("crash")
        machine = nil
        isHalted = false
        batch.crashed = true
        // The next process finds that it was the leader itself.
        if handOver != nil, !leaseLost { handOver?.leader = epoch }
        process += 1
        scheduledWake = nil
        if sabotage == .skipsFsync, disk.written > 0 { disk.record = disk.previous }
        disk.written = 0
        schedule(.restart(process: process), after: random.pick(10...8000))
    }

    /// A write that was interrupted: any part of it may be on disk, or all of it.
    private mutating func tear(_ record: JournalRecord) {
        let frame = RecordFrame.encode(record.payload, sequence: 2)
        let length = Int(random.pick(0...Int64(frame.count)))
        if length == frame.count { return write(record) }
        disk.torn = Array(frame[..<length])
    }

    private mutating func write(_ record: JournalRecord) {
        disk.previous = disk.record
        disk.record = record
        disk.written += 1
        durable(record)
    }

    mutating func restart() {
        var bytes = disk.record.map { RecordFrame.encode($0.payload, sequence: 1) } ?? []
        if sabotage == .readsOldRecord, let previous = disk.previous {
            bytes = RecordFrame.encode(previous.payload, sequence: 1)
        }
        let scan = RecordScan(bytes + disk.torn)
        if case .damage(let what) = scan.rest { fail(.recovery, "an interrupted write was taken for damage: \(what)") }
        disk.torn = []
        var state = RolloutState()
        if let payload = scan.records.last?.payload {
            guard let record = JournalRecord(payload: payload) else { return fail(.recovery, "unreadable record") }
            check(
                .recovery, isHandedOver || isBehind || record.state == lastState,
                "the state in the journal differs from the written one")
            state = record.state
        }
        var rules: [String: RollbackRule] = [:]
        for (key, rule) in disk.rules {
            rules[key] = RollbackRule(rule.json)
            let isSame = rules[key]?.tracks == rule.tracks
            check(.reload, isSame, "the file of rules has other streaks")
        }
        if sabotage == .forgetsCooldown { state.cooldownUntil = nil }
        if sabotage == .forgetsVersion { state.version = nil }
        if sabotage == .forgetsStreaks { rules = [:] }
        for index in elements.indices { elements[index].model.restarted() }
        // If there is a lease, a process starts without it.
        let hasLease = shape.hasLease
        if process > 0, injector.strikes(.clockJump) { skew = .seconds(injector[.clockJump].pick(-100...100)) }
        epoch += 1
        forgetReadings()
        isHistoryTold = false
        let epoch = epoch
        note("restart, epoch \(epoch)")
        var plan = plan
        if sabotage == .ignoresDependencies { for index in plan.services.indices { plan.services[index].depends = [] } }
        machine = PlanMachine(
            RolloutController(plan: plan, state: state, epoch: hasLease ? nil : epoch), rules: rules,
            watches: [watch])
        let now = clock
        if sabotage == .raisesAgain, let last = incidents.last { raised(last) }
        step { (machine: inout PlanMachine) in machine.recovered(at: now) }
        // A restarted process cannot know the holder of the lease before the database responds.
        if isAlone { (isAlone, leaseLost) = (false, true) }
        if hasLease, !leaseLost { winLease() }
        isHistoryTold = true
        if !historyIsAvailable { step { $0.historyChanged(isAvailable: false, at: $1) } }
    }

    /// Readings of an earlier process, or of an earlier holder of the lease, do not count.
    mutating func forgetReadings() {
        for name in routers.keys {
            routers[name]?.asked = nil
            routers[name]?.seen = nil
            routers[name]?.troubledAt = now
            routers[name]?.shiftedAt = Instant(nanoseconds: 0)
        }
        // A successor cannot know whether users were notified.
        told = []
    }
}

extension PlanMachine.Action {
    fileprivate var isJournal: Bool { if case .control(.journal) = self { true } else { false } }
}
