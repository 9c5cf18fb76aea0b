internal import JSON
internal import MetricModel

/// Taking over from another node, whose last steps may not have reached the database.
extension RolloutController {
    /// This node has won the lease, and the last record of the node before is newer than its own journal.
    ///
    /// - Parameters:
    ///   - record: the last record that reached the database.
    ///   - isComplete: whether nothing can be missing after it, because the node before gave the lease back.
    ///   - new: the fencing number that was won.
    public mutating func tookOver(
        _ record: JournalRecord, isComplete: Bool, epoch new: UInt64, at now: Instant
    ) -> [Action] {
        state = record.state
        for service in plan.services {
            var current = state.services[service.name] ?? ServiceRollout()
            // Keys of operations must not meet those of steps that never reached the database.
            current.revision = max(current.revision, new << 32)
            state.services[service.name] = current
        }
        if !isComplete { distrust(at: now) }
        forgetOperations()
        epoch = new
        began = now
        return handle(at: now) { controller in
            controller.journal("took over", at: now)
            controller.record(
                .deployment,
                [
                    "step": "took over", "from_epoch": .integer(Int64(clamping: record.epoch)),
                    "phase": .string(controller.state.phase.name), "complete": .bool(isComplete),
                ], at: now)
            controller.resumeRollback(at: now)
            guard !isComplete, case .paused(let reason) = controller.state.phase else { return }
            controller.page("took-over/\(new)", "plan \(controller.plan.name): promotion stands still: \(reason)")
        }
    }

    /// Makes of a state that may be out of date one that never gives a candidate more than it had.
    ///
    /// Where a candidate is found with less traffic than recorded, the node before was on its way back, for a reason
    /// that is not known: ``wasTakenBack(_:_:at:)``. Where it has more, a stage was not recorded, and is taken away as
    /// drift.
    private mutating func distrust(at now: Instant) {
        switch state.phase {
        case .promoting, .paused:
            state.phase = .paused(reason: "taken over from a node that may have gone further: resume or abort")
            for service in plan.services {
                guard case .shifting(let stage)? = state.services[service.name]?.progress,
                    // That only ever takes traffic from a candidate.
                    state.services[service.name]?.isRestoring != true
                else { continue }
                let isFirst = stage == 0
                state.services[service.name]?.split =
                    isFirst ? .allStable : service.stages[min(stage, service.stages.count) - 1]
                state.services[service.name]?.progress = isFirst ? .waiting : .baking(stage: stage - 1, since: now)
            }
        case .idle, .rolledBack:
            // A start may not have been recorded. Its number must not be given twice, and its weights are drift.
            state.generation &+= 1
            state.phase = .rolledBack
        case .promoted, .retired, .rollingBack: break
        }
        state.doubts = Set(state.services.filter { $0.value.split.candidate > 0 }.keys)
        if state.phase == .retired { state.doubts = [] }
    }

    /// Whether the live weights of `service` prove, or may prove, that the node before was taking it back; then
    /// everything goes.
    mutating func wasTakenBack(_ service: String, _ seen: Inspection, at now: Instant) -> Bool {
        guard state.doubts.contains(service), let wanted = state.services[service]?.split,
            (seen.split?.candidate ?? 0) < wanted.candidate
        else { return false }
        let affected = plan.rollbackOrder.filter { takesTraffic($0) }
        let live = seen.split?.description ?? "divided in no way"
        beginRollback(
            of: affected,
            because: .command(
                by: "tribune",
                reason:
                    "taken over from a node that had begun to take \(service) back: live \(live), recorded \(wanted)"),
            at: now)
        return true
    }

    /// The live weights of `service` are as recorded: nothing was on its way there.
    mutating func confirm(_ service: String, at now: Instant) {
        guard state.doubts.contains(service) else { return }
        let wanted = state.services[service]?.split
        guard routes(of: service).allSatisfy({ self[$0].isRead && self[$0].view.observed == wanted }) else { return }
        state.doubts.remove(service)
        journal("confirmed", at: now)
    }
}
