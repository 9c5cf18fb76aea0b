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
                guard takeUp(epoch, lease, &core) else { return }
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

    /// Continues the rollout from the last record of the previous node or of this one. Returns false if it cannot be
    /// read.
    private func takeUp(_ epoch: UInt64, _ lease: LeaseRunner, _ core: inout Core) -> Bool {
        let handOver = lease.handOver
        var left: JournalRecord?
        if let payload = handOver?.records[name] {
            left = JournalRecord(payload: payload)
            guard left != nil else {
                logger.error(
                    "the record of the previous node has an unknown version; no action is taken", [:])
                return false
            }
        }
        let own = JournalRecord(
            epoch: core.journalEpoch, number: core.journalNumber, at: now, step: "own",
            state: core.machine.controller.state)
        switch TakeUp(own: core.journalEpoch > 0 ? own : nil, left: left, leader: handOver?.leader) {
        case .own: break
        case .record(let record, let isComplete):
            perform(core.machine.tookOver(record, isComplete: isComplete, epoch: epoch, at: now), &core)
        }
        return true
    }
}
