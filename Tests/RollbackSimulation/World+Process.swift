import Durable
import JSON
import MetricModel
import Rollback
import RuleModel

/// A record, with what the checks remember after it.
struct Entry: Sendable {
    var record: JournalRecord
    var memory: Memory
}

/// The state that survives the process, and what is about to be written.
struct Disk: Sendable {
    /// The last whole record.
    var record: JournalRecord?
    /// The one before it.
    var previous: JournalRecord?
    /// What the checks remember after the last whole record, and after the one before it.
    var memory = Memory()
    var previousMemory = Memory()
    /// The start of a record whose write was interrupted.
    var torn: [UInt8] = []
    /// Records since the last crash, which a disk without fsync would lose.
    var written = 0
    var rules: [String: RollbackRule] = [:]
    /// The record that is being written.
    var busy: Entry?
    /// The last record made since.
    var next: Entry?
    /// Until when every write fails.
    var failsUntil = Instant(nanoseconds: 0)
    /// What a start found instead of the last record; `nil` when there is a record again.
    var loss: RecordLoss?
    /// The pause before the next attempt at a new file, in milliseconds; `nil` if the last write succeeded.
    var pause: Int64?
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
        checkUnread()
        batch = Batch()
        perform(actions)
        if sabotage == .keepsRulesEarly, let machine = self.machine { disk.rules = machine.rules }
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
        // Only these need one.
        let reason = verb == .promoteFully || verb == .promoteWithoutData ? "they know why" : ""
        commanded = verb
        step { (controller: inout RolloutController, now) in
            let (result, actions) = controller.commanded(RolloutCommand(verb, by: "ops", reason: reason), at: now)
            outcome = result
            return actions
        }
        let isStart: Bool = if case .startOnly = verb { true } else { verb == .start }
        commanded = nil
        if isStart, batch.crashed || outcome == .accepted { rearmed() }
        return verb == .abort ? aborted(outcome, from: before) : outcome
    }

    /// The rules have been reset, because a rollout began.
    mutating func rearmed() {
        hasBegun = false
        let isCertain = !batch.crashed
        for index in elements.indices { elements[index].model.rearmed(isCertain: isCertain) }
    }

    private mutating func aborted(_ outcome: CommandOutcome?, from before: RolloutController) -> CommandOutcome? {
        switch outcome {
        case .ignored:
            // The time of an observation may have been over.
            var old = before.state
            old.observingUntil = controller?.state.observingUntil
            check(.reload, batch.crashed || controller?.state == old, "an abort without a rollout acted")
        case .accepted where !batch.crashed:
            memory.abortedGenerations.insert(before.state.generation)
            check(
                .reload, controller?.state.phase == .rollingBack || controller?.state.phase == .rolledBack,
                "an abort was accepted and did nothing")
        case .accepted, .refused, nil: break
        }
        return outcome
    }

    private mutating func perform(_ actions: [PlanMachine.Action]) {
        for action in actions {
            if shouldCrash() { return crash(keepsRules: actions.contains(.keepRules)) }
            switch action {
            case .tripped: if sabotage == .keepsRulesEarly, let machine { disk.rules = machine.rules }
            case .keepRules: if let machine { disk.rules = machine.rules }
            case .control(let action): perform(action)
            }
        }
    }

    private mutating func perform(_ action: RolloutController.Action) {
        switch action {
        case .journal(let record):
            note("journal \(record.step)")
            made(record)
            let entry = Entry(record: record, memory: memory)
            (lastMade, own) = (entry, record)
            write(entry)
            if shape.hasLease { schedule(.storedInLease(entry, process: process), after: random.pick(1...30)) }
            if sabotage == .reportsStoredEarly { schedule(.reportedStored(record.number, process: process), after: 0) }
        case .operate(let operation): if sabotage != .waitsForJournal || disk.busy == nil { send(operation) }
        case .ask(let question): schedule(.gates(question, process: process), after: 50)
        case .call(let call): called(call)
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
        case .reconsider:
            for index in elements.indices { elements[index].model.reconsidered(shape.rule.consecutive) }
        case .rearmElement(_, let labels): rearmedElements.insert(labels)
        case .rearm, .competeForLease: break
        case .yieldLease: note("yields the lease")
        }
    }

    private mutating func shouldCrash() -> Bool {
        if let countdown = crashCountdown {
            crashCountdown = countdown == 0 ? nil : countdown - 1
            return countdown == 0
        }
        return injector.strikes(.crash)
    }

    /// - Parameter keepsRules: whether the rules were or would have been stored among the actions at which it ends.
    mutating func crash(keepsRules: Bool = false) {
        note("crash")
        let wasStored = disk.busy == nil && disk.next == nil
        if let busy = disk.busy { tear(busy) }
        machine = nil
        batch.crashed = true
        // The next process finds that it was the leader itself, or a rival.
        if handOver != nil { handOver?.leader = epoch }
        process += 1
        scheduledWake = nil
        if sabotage == .skipsFsync, disk.written > 0 { disk.record = disk.previous }
        (disk.written, disk.busy, disk.next, disk.pause) = (0, nil, nil, nil)
        if !wasStored { forgetUnstored() }
        if !wasStored || keepsRules {
            // Counts are stored with the record, so that no trip is stored that the journal does not know.
            for index in elements.indices {
                let track = disk.rules["f;g;R"]?.tracks[elements[index].labels]
                elements[index].model.rewound(to: track?.streak)
            }
        }
        if let last = database.last, shape.hasLease, isNewer(last.record, than: disk.record) {
            // The lease's table knows more than the disk, also when a rival without records holds the lease.
            handOver = (last.record, epoch)
            memory = last.memory
        }
        schedule(.restart(process: process), after: random.pick(10...8000))
    }

    func isNewer(_ record: JournalRecord, than other: JournalRecord?) -> Bool {
        (record.epoch, record.number) > (other?.epoch ?? 0, other?.number ?? 0)
    }

    /// The next process continues from the last whole record, so what was decided since has not happened.
    mutating func forgetUnstored() {
        let cooldown = memory.cooldownUntil
        memory = disk.memory
        memory.cooldownUntil = min(cooldown, disk.record?.state.cooldownUntil ?? Instant(nanoseconds: 0))
    }

    // MARK: the journal

    private mutating func write(_ entry: Entry) {
        disk.next = entry
        if disk.busy == nil, disk.pause == nil { beginWrite() }
    }

    private mutating func beginWrite() {
        guard let entry = disk.next.take() else { return }
        disk.busy = entry
        if injector.strikes(.writeError) {
            disk.failsUntil = max(disk.failsUntil, now + .milliseconds(injector[.writeError].pick(100...20_000)))
        }
        let isSlow = injector.strikes(.hungJournal)
        let duration = isSlow ? injector[.hungJournal].pick(50...20_000) : random.pick(0...3)
        schedule(.written(process: process), after: duration)
    }

    mutating func writeEnded() {
        guard let entry = disk.busy.take() else { return }
        guard now >= disk.failsUntil else {
            note("the disk refuses \(entry.record.step)")
            disk.next = disk.next ?? entry
            let isFirst = disk.pause == nil
            let pause = min(5000, 2 * (disk.pause ?? 125))
            disk.pause = pause
            schedule(.writeAgain(process: process), after: pause)
            if isFirst { step { $0.journalFailed("no space", at: $1) } }
            return
        }
        if disk.pause != nil {
            // A correction that waited for it may take its time.
            for name in routers.keys { routers[name]?.troubledAt = now }
        }
        disk.pause = nil
        store(entry)
        step { $0.journalled(through: entry.record.number, in: .file, at: $1) }
        if machine != nil, disk.busy == nil { beginWrite() }
    }

    /// The whole state goes to a new file.
    mutating func writeAgain() {
        guard disk.busy == nil, disk.pause != nil else { return }
        beginWrite()
    }

    /// The lease's table has a record.
    mutating func storedInLease(_ entry: Entry, _ process: Int) {
        guard process == self.process, machine != nil, !leaseLost, !isAlone, entry.record.epoch == epoch else { return }
        keepInDatabase(entry)
        step { $0.journalled(through: entry.record.number, in: .lease, at: $1) }
    }

    mutating func keepInDatabase(_ entry: Entry) {
        // It holds the last record only.
        if let last = database.last, !isNewer(entry.record, than: last.record) { return }
        database.append(entry)
        if database.count > 4 { database.removeFirst() }
    }

    /// A write that was interrupted: any part of it may be on disk, or all of it.
    private mutating func tear(_ entry: Entry) {
        let frame = RecordFrame.encode(entry.record.payload, sequence: 2)
        let length = now < disk.failsUntil ? 0 : Int(random.pick(0...Int64(frame.count)))
        if length == frame.count { return store(entry) }
        disk.torn = Array(frame[..<length])
    }

    private mutating func store(_ entry: Entry) {
        (disk.previous, disk.previousMemory) = (disk.record, disk.memory)
        (disk.record, disk.memory, disk.loss) = (entry.record, entry.memory, nil)
        disk.written += 1
    }

    mutating func restart() {
        var bytes = disk.record.map { RecordFrame.encode($0.payload, sequence: 1) } ?? []
        if sabotage == .readsOldRecord, let previous = disk.previous {
            bytes = RecordFrame.encode(previous.payload, sequence: 1)
        }
        own = disk.record
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
        let loss = damage()
        if let loss { (state, own) = (RolloutState(), loss.salvaged) }
        var rules: [String: RollbackRule] = [:]
        for (key, rule) in disk.rules {
            rules[key] = RollbackRule(rule.json)
            let isSame = rules[key]?.tracks == rule.tracks
            check(.reload, isSame, "the file of rules has other streaks")
        }
        if sabotage == .forgetsCooldown { state.cooldownUntil = nil }
        if sabotage == .forgetsObservation { state.observingUntil = nil }
        if sabotage == .forgetsIrreversibility {
            for name in state.services.keys { state.services[name]?.isIrreversible = false }
        }
        if sabotage == .forgetsVersion { state.version = nil }
        if sabotage == .forgetsStreaks { rules = [:] }
        if loss == nil, let until = disk.record?.state.observingUntil {
            check(.observing, state.observingUntil == until, "a restart forgets that nothing is to be written")
        }
        if state.observingUntil != nil || state.loss != nil {
            for index in elements.indices { elements[index].model.reconsidered(shape.rule.consecutive) }
        }
        for index in elements.indices {
            elements[index].model.restarted()
            // A trip that the record may be newer than counts again.
            guard let track = rules["f;g;R"]?.tracks[elements[index].labels], track.state != .armed else { continue }
            elements[index].model.reconsidered(shape.rule.consecutive)
        }
        // If there is a lease, a process starts without it.
        let hasLease = shape.hasLease
        if !hasLease { checkHandled(state, rules) }
        if process > 0, injector.strikes(.clockJump) { skew = .seconds(injector[.clockJump].pick(-100...100)) }
        epoch += 1
        forgetReadings()
        isHistoryTold = false
        let epoch = epoch
        note("restart, epoch \(epoch)")
        var plan = plan
        if sabotage == .ignoresHooks { plan.hooks = [] }
        if sabotage == .ignoresDependencies { for index in plan.services.indices { plan.services[index].depends = [] } }
        machine = PlanMachine(
            RolloutController(
                plan: plan, state: state, epoch: hasLease ? nil : epoch, nonce: "process \(process)"), rules: rules,
            watches: [watch])
        let now = clock
        if sabotage == .raisesAgain, let last = incidents.last { raised(last) }
        let told = sabotage == .forgetsLoss ? nil : loss
        step { (machine: inout PlanMachine) in machine.recovered(loss: told, at: now) }
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
        firstRead = [:]
    }
}
