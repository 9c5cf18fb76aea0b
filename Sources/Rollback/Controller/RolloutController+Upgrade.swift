internal import MetricModel

/// An upgrade of the nodes that share a lease, one after the other. Until a person says that it is over, records are
/// written as the version before reads them.
extension RolloutController {
    /// Whether records are still written for the version before.
    var isUpgrading: Bool { state.format < JournalRecord.newestFormat }

    /// Why no rollout may begin or go on: its records could not be read by the version before; `nil` if they can, or
    /// need not.
    var formatText: String? {
        guard isUpgrading, plan.services.contains(where: { $0.stages.contains(.testersOnly) }) else { return nil }
        return "the version before cannot read a record of the stage testers: when no node runs it any more, "
            + "finish the upgrade"
    }

    /// No node of the version before runs any more.
    mutating func finishUpgrade(at now: Instant) -> CommandOutcome {
        guard isUpgrading else { return .ignored("records have format \(state.format), the newest") }
        state.format = JournalRecord.newestFormat
        journal("upgraded", at: now)
        return .accepted
    }
}
