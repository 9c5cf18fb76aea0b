import Rollback
import RuleModel

/// Journals that are damaged when a process starts.
extension World {
    /// The loss that this start finds, if any: a new one that strikes, or one that no record has followed.
    mutating func damage() -> RecordLoss? {
        if disk.record == nil {
            isLossNew = disk.loss != nil
            return disk.loss
        }
        guard process > 0, injector.strikes(.damagedJournal) else { return nil }
        let isSalvaged = injector[.damagedJournal].chance(0.5) && disk.previous != nil
        let salvaged = isSalvaged ? disk.previous : nil
        note("the journal is damaged, \(isSalvaged ? "an earlier record is left" : "nothing is left")")
        let last = shape.hasLease && !leaseLost ? database.last : nil
        memory = isSalvaged ? disk.previousMemory : Memory()
        rewind(to: salvaged?.state ?? RolloutState(), isComplete: false)
        (memory.epoch, memory.number) = (salvaged?.epoch ?? 0, salvaged?.number ?? 0)
        // The lease's table is not damaged, but may be behind what is left.
        if let last {
            handOver = (last.record, epoch)
            if isNewer(last.record, than: salvaged) { memory = last.memory }
        }
        (disk.record, disk.previous, disk.written) = (nil, nil, 0)
        disk.memory = memory
        disk.loss = RecordLoss(reason: "damaged", salvaged: salvaged)
        isLossNew = true
        for index in elements.indices { elements[index].model.reconsidered(shape.rule.consecutive) }
        return disk.loss
    }

    /// The first record after a loss names it, and only a person ends that.
    mutating func checkLoss(_ new: RolloutState, _ old: RolloutState) {
        if isLossNew { check(.lostRecord, new.loss != nil, "a lost record is not mentioned") }
        isLossNew = false
        guard old.loss != nil, new.loss == nil else { return }
        check(.lostRecord, commanded == .acknowledge, "a lost record was forgotten")
    }

    /// A division that no record explains is one that was read.
    mutating func checkRebuilt(_ name: String, _ service: ServiceRollout) {
        let isRead = routes(of: name).contains { routers[$0]?.seen?.split == service.split }
        check(.lostRecord, isRead || service.split == .allStable, "\(name) is taken for \(service.split)")
        let at = now
        setElement(name) { ($0.verifiedAt, $0.isExcused) = (at, false) }
    }
}
