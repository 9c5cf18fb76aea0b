import Rollback
import RuleModel

/// Takes and loses the lease, with the state for a new holder.
extension World {
    /// The process wins the lease under the current epoch, and continues the rollout like the live service.
    mutating func winLease() {
        let (epoch, now) = (epoch, clock)
        note("lease \(epoch)")
        for index in elements.indices { elements[index].model.reconsidered(shape.rule.consecutive) }
        guard case .record(let record, let isComplete) = takeUp else {
            // Changes of a rollout that this node never started are lost.
            if isBehind {
                rewind(to: own?.state ?? RolloutState(), isComplete: false)
                (memory.epoch, memory.number) = (own?.epoch ?? 0, own?.number ?? 0)
            }
            return step { (machine: inout PlanMachine) in machine.leaseChanged(epoch: epoch, at: now) }
        }
        rewind(to: record.state, isComplete: isComplete)
        let told = isComplete || sabotage == .trustsEveryRecord
        step { (machine: inout PlanMachine) in machine.tookOver(record, isComplete: told, epoch: epoch, at: now) }
    }

    mutating func loseLease() {
        note("lease lost")
        for index in elements.indices { elements[index].model.reconsidered(shape.rule.consecutive) }
        let now = clock
        step { (machine: inout PlanMachine) in machine.leaseChanged(epoch: nil, at: now) }
    }

    /// The rival releases the lease.
    mutating func leaseReturned() {
        guard leaseLost else { return }
        epoch += 1
        leaseLost = false
        forgetReadings()
        // A process that is down wins it after its start.
        if machine != nil { winLease() }
    }

    // MARK: the database away

    mutating func leaseDatabaseAway(for milliseconds: Int64) {
        guard !leaseLost, !isAlone, machine != nil else { return }
        isAlone = true
        schedule(.leaseDatabaseReturns, after: milliseconds)
        if sabotage != .ignoresSolitude { tellStanding() }
    }

    mutating func leaseDatabaseReturned() {
        // A process that began in the meantime, or has lost the lease since, gets it like any other.
        guard isAlone else { return leaseReturned() }
        isAlone = false
        for name in routers.keys { routers[name]?.troubledAt = now }
        tellStanding()
    }

    private mutating func tellStanding() {
        let (epoch, isAlone, now) = (epoch, isAlone, clock)
        note(isAlone ? "alone" : "no longer alone")
        step { (machine: inout PlanMachine) in machine.leaseChanged(epoch: epoch, isAlone: isAlone, at: now) }
    }

    // MARK: hand-over

    /// The state with which the process continues when it wins the lease.
    var takeUp: TakeUp { TakeUp(own: own, left: handOver?.record, leader: handOver?.leader) }

    /// Whether another node has acted, or may have acted, since.
    var isHandedOver: Bool { takeUp != .own }

    /// Whether the last record is not the last one of this node's journal.
    var isBehind: Bool {
        handOver != nil && (own?.epoch ?? 0, own?.number ?? 0) != (memory.epoch, memory.number)
    }

    /// The process ends, and after the span of the lease another node takes over, with its own older journal. If the
    /// lease was released, the database has all records; otherwise the last ones may be missing.
    mutating func otherNodeTakesOver(_ dice: inout SplitMix) {
        guard !leaseLost, !isAlone, !database.isEmpty else { return }
        let isComplete = machine != nil && !isHandedOver && dice.chance(0.4)
        // Before the lease is released, the last record is stored.
        if isComplete, let lastMade { keepInDatabase(lastMade) }
        let lost = isComplete ? 0 : Int(dice.pick(0...Int64(database.count - 1)))
        let entry = database[database.count - 1 - lost]
        note("another node takes over, \(isComplete ? "with all records" : "\(lost) records behind")")
        // It has the same measurements.
        let rules = machine?.rules ?? disk.rules
        machine = nil
        scheduledWake = nil
        batch.crashed = true
        process += 1
        let failsUntil = disk.failsUntil
        // Neither its disk nor the records that are left have what only the lease's table had.
        let isOnlyThere = lost > 0 && database.last.map { isNewer($0.record, than: disk.record) } ?? false
        if !isComplete, disk.busy != nil || disk.next != nil || isOnlyThere { forgetUnstored() }
        (disk.busy, disk.next, disk.pause) = (nil, nil, nil)
        isLossNew = false
        swap(&disk, &otherDisk)
        disk.rules = rules
        (disk.torn, disk.written, disk.failsUntil) = ([], 0, failsUntil)
        database = [entry]
        handOver = (entry.record, isComplete ? nil : epoch)
        schedule(.restart(process: process), after: dice.pick(10...20_000))
    }

    /// From here on, `state` is known; later actions are those of the other node.
    mutating func rewind(to state: RolloutState, isComplete: Bool) {
        lastState = state
        memory.begunFor = state.version
        if isComplete { return }
        memory.ended = []
        memory.irreversible = [:]
        for (name, service) in state.services where service.isIrreversible {
            memory.irreversible[name] = state.generation
        }
        memory.cooldownUntil = state.cooldownUntil ?? Instant(nanoseconds: 0)
        memory.abortedGenerations.remove(state.generation)
        // Nobody takes back a service that cannot go back.
        let open = state.services.filter { $0.value.split > .allStable && !isStuck($0.key) }
        memory.unread = Set(open.keys.flatMap { routes(of: $0) })
        for (name, service) in state.services {
            let isBack =
                switch service.progress {
                case .rollingBack, .rolledBack: true
                case .waiting, .shifting, .baking, .promoted: false
                }
            memory.rollbacks["\(name)/\(state.generation)"] = isBack ? 1 : nil
        }
    }

    /// The node that took over has been told how the traffic of `name` is divided. Where the candidate has what was
    /// recorded, it was not being taken back.
    mutating func nodeRead(_ route: RouteID, _ inspection: Inspection) {
        let recorded = lastState.services[route.service]?.split ?? .allStable
        if inspection.split ?? .allStable >= recorded { memory.unread.remove(route) }
    }

    // MARK: candidates

    mutating func versionChanged(to version: Double?) {
        candidateVersion = version
    }

    /// A rollout has started automatically.
    mutating func checkOwnStart(_ new: RolloutState, _ old: RolloutState) {
        check(.ownStart, plan.start != nil, "generation \(new.generation) began automatically")
        check(.ownStart, historyIsAvailable || !isHistoryTold, "generation \(new.generation) began unrecorded")
        check(.ownStart, !isAlone, "generation \(new.generation) began without the lease's database")
        if let window = shape.window {
            let seconds = (clock.nanoseconds - Self.beginning.nanoseconds) / 1_000_000_000
            check(
                .ownStart, window.contains(seconds), "generation \(new.generation) began \(seconds) s after the start")
        }
        guard plan.start?.version != nil else {
            return check(.ownStart, old.phase == .idle, "generation \(new.generation) began after \(old.phase.name)")
        }
        let before = memory.begunFor
        check(.ownStart, new.version != before, "a second rollout began for \(new.version ?? .nan)")
        check(.ownStart, versions.contains(new.version ?? .nan), "there is no \(new.version ?? .nan)")
    }
}
