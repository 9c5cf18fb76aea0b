internal import JSON
internal import MetricModel

/// Taking over from another node, whose last steps may not have reached the database.
extension RolloutController {
    /// This node has won the lease, and the last record of the previous node is newer than its own journal.
    ///
    /// - Parameters:
    ///   - record: the last record that reached the database.
    ///   - isComplete: whether no record can be missing after it, because the previous node released the lease.
    ///   - new: the fencing number that was won.
    public mutating func tookOver(
        _ record: JournalRecord, isComplete: Bool, epoch new: UInt64, at now: Instant
    ) -> [Action] {
        let loss = state.loss
        state = record.state
        state.loss = state.loss ?? loss
        if let until = state.observingUntil, now >= until { state.observingUntil = nil }
        fitRecord(at: now)
        for service in plan.services {
            var current = state.services[service.name] ?? ServiceRollout()
            // Keys of operations must differ from those of steps that did not reach the database.
            current.revision = max(current.revision, new << 32)
            state.services[service.name] = current
        }
        if !isComplete { distrust(at: now, because: "taken over from another node, whose last steps may be lost") }
        forgetOperations()
        epoch = new
        began = now
        return handle(at: now) { controller in
            controller.journal("took over", at: now)
            controller.notifyOfLoss()
            controller.record(
                .deployment,
                [
                    "step": "took over", "from_epoch": .integer(Int64(clamping: record.epoch)),
                    "phase": .string(controller.state.phase.name), "complete": .bool(isComplete),
                ], at: now)
            controller.resumeRollback(at: now)
            guard !isComplete, case .paused(let reason) = controller.state.phase else { return }
            controller.pagePause("took-over/\(new)", reason)
        }
    }

    /// This node has won the lease, and cannot read the last record of the previous node, for example because that one
    /// was of a later version. It goes on as after a damaged journal: with its own last record, and with what the
    /// routes show. Candidates only lose traffic until a person has acknowledged that.
    public mutating func tookOver(unknown loss: RecordLoss, epoch new: UInt64, at now: Instant) -> [Action] {
        begin(after: loss, at: now)
        epoch = new
        began = now
        return handle(at: now) { controller in
            controller.journal("record lost", at: now)
            controller.notifyOfLoss()
            controller.record(
                .deployment,
                [
                    "step": "took over", "from_epoch": .null, "phase": .string(controller.state.phase.name),
                    "complete": false, "detail": .string(loss.reason),
                ], at: now)
            controller.resumeRollback(at: now)
        }
    }

    /// Converts a state that may be outdated to one that never gives a candidate more traffic than it had.
    ///
    /// If a candidate has less traffic than recorded, the previous node was rolling it back for an unknown reason:
    /// ``wasTakenBack(_:_:at:)``. If it has more, a stage was not recorded, and the difference is removed as drift.
    mutating func distrust(at now: Instant, because reason: String) {
        switch state.phase {
        case .promoting, .paused:
            standStill("\(reason): resume or abort")
            dropStages(at: now)
        case .rollingBack:
            // Where only a promotion failed, the others would go on afterwards.
            state.rollback?.isDoubted = true
            dropStages(at: now)
        case .idle, .rolledBack:
            // A start may not have been recorded. Its number must not be used again, and its weights are drift.
            state.generation &+= 1
            state.phase = .rolledBack
        case .promoted, .retired: break
        }
        doubtRecord()
    }

    /// Returns services that are about to get the traffic of a stage to the weights before.
    private mutating func dropStages(at now: Instant) {
        for service in plan.services {
            guard case .shifting(let stage)? = state.services[service.name]?.progress,
                // This only takes traffic from a candidate.
                state.services[service.name]?.isRestoring != true,
                // Its shift may have been sent, and must not be taken back.
                !isIrreversible(service.name)
            else { continue }
            let before = weights(before: stage, of: service.name)
            let passed = self.stage(of: service.name, at: before)
            state.services[service.name]?.split = before
            state.services[service.name]?.progress =
                before == .allStable ? .waiting : .baking(stage: passed, since: now)
        }
    }

    /// The weights that `service` had before those of `stage`. The plan may have fewer stages than when the record was
    /// written.
    private func weights(before stage: Int, of service: String) -> TrafficSplit {
        state.services[service]?.raisedFrom ?? plan.service(service)?.stages.prefix(stage).last ?? .allStable
    }

    /// Takes what is recorded as possibly incomplete: shifts to the stable version may follow that nobody recorded, but
    /// nothing that gave a candidate more.
    mutating func doubtRecord() {
        state.doubts = Set(state.services.filter { plan.service($0.key) != nil && takesTraffic($0.key) }.keys)
        if state.phase == .retired { state.doubts = [] }
    }

    /// Whether the live weights of `service` show that the previous node was, or may have been, rolling it back; then
    /// everything is rolled back.
    mutating func wasTakenBack(_ service: String, _ seen: Inspection, at now: Instant) -> Bool {
        guard state.doubts.contains(service), let current = state.services[service] else { return false }
        var wanted = current.split
        if case .shifting(let stage) = current.progress, !current.isRestoring {
            // Its shift may not have been sent.
            wanted = weights(before: stage, of: service)
        }
        guard seen.split ?? .allStable < wanted else { return false }
        let affected = plan.rollbackOrder.filter { takesTraffic($0) && !isIrreversible($0) }
        // Neither raised, because somebody may have taken it back, nor lowered, because it cannot go back.
        if affected.isEmpty || isIrreversible(service) { return holdIrreversible(service, wanted, at: now) }
        let live = seen.split?.description ?? "unknown weights"
        beginRollback(
            of: affected,
            because: .command(
                by: "tribune",
                reason:
                    "\(service) was rolled back by the previous leader: live \(live), recorded \(wanted)"),
            at: now)
        return true
    }

    /// The live weights of `service` are as recorded: the previous node was not changing it.
    mutating func confirm(_ service: String, at now: Instant) {
        guard state.doubts.contains(service) else { return }
        let wanted = state.services[service]?.split
        guard routes(of: service).allSatisfy({ self[$0].isRead && self[$0].view.observed == wanted }) else { return }
        state.doubts.remove(service)
        journal("confirmed", at: now)
    }
}
