internal import Durable
internal import Lease
internal import MetricModel
internal import Rollback
internal import Runtime
internal import Synchronization

/// Follows the lease, if there is one.
extension PlanRunner {
    /// Applies the present state of the lease, and takes over the rollout if this node has just won it.
    func followLease(_ core: inout Core) {
        guard let lease else { return }
        let standing = lease.standing
        guard standing != core.standing else { return }
        core.standing = standing
        switch standing {
        case .none: perform(core.machine.leaseChanged(epoch: nil, at: now), &core)
        case .alone(let epoch), .leading(let epoch):
            if core.term != epoch {
                takeUp(epoch, lease, &core)
                core.term = epoch
            }
            let isAlone = standing == .alone(epoch: epoch)
            perform(core.machine.leaseChanged(epoch: epoch, isAlone: isAlone, at: now), &core)
        }
    }

    /// The state of the plan: on a node that stands by, the one that the leader recorded last.
    var snapshot: RolloutSnapshot {
        let (plan, own) = published.withLock { ($0.plan, $0.snapshot) }
        guard let payload = lease?.recordOfLeader(name), let record = JournalRecord(payload: payload) else {
            return own
        }
        return RolloutSnapshot(of: record, plan, rules: own.rules, at: now)
    }

    /// Continues the rollout from the last record of the previous node or of this one. With a record that cannot be
    /// read, candidates only lose traffic until a person has acknowledged that.
    private func takeUp(_ epoch: UInt64, _ lease: LeaseRunner, _ core: inout Core) {
        let handOver = lease.handOver
        var own: JournalRecord?
        if core.journalEpoch > 0 {
            own = JournalRecord(
                epoch: core.journalEpoch, number: core.journalNumber, at: now, step: "own",
                state: core.machine.controller.state)
        }
        let payload = handOver?.records[name]
        let left = payload.flatMap(JournalRecord.init(payload:))
        if let payload, left == nil {
            let loss = RecordLoss(reason: unknownRecord(payload, epoch), salvaged: own)
            return perform(core.machine.tookOver(unknown: loss, epoch: epoch, at: now), &core)
        }
        switch TakeUp(own: own, left: left, leader: handOver?.leader) {
        case .own: break
        case .record(let record, let isComplete):
            perform(core.machine.tookOver(record, isComplete: isComplete, epoch: epoch, at: now), &core)
        }
    }

    /// Keeps a record that cannot be read before the next one replaces it. Returns what is known of it.
    private func unknownRecord(_ payload: [UInt8], _ epoch: UInt64) -> String {
        let path = "\(directory)/\(name).unknown-lease-\(epoch)"
        var place = "kept as \(path)"
        do throws(DurableError) {
            try DurableFile.replace(path, by: payload)
        } catch {
            place = "not copied: \(error)"
        }
        logger.error("record of the previous node of an unknown version, promotion waits for a person", ["file": path])
        return "the last record of the previous leader has an unknown version; \(place)"
    }
}
