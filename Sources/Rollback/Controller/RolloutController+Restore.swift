/// Back to a division that was written down earlier. A candidate never gets more traffic by it: what a checkpoint gave it may have
/// been taken away for a reason since.
extension RolloutController {
    /// Takes services back whose candidate has more traffic now than in `splits`. They go back whole, in the way of a rollback: the
    /// part that a candidate had at the checkpoint was a step of a promotion, and what made somebody ask for the restore is a
    /// reason not to repeat it before the next generation.
    mutating func restore(
        _ splits: [String: TrafficSplit], _ command: RolloutCommand, at now: Instant
    ) -> CommandOutcome {
        if let unknown = splits.keys.sorted().first(where: { plan.service($0) == nil }) {
            return .refused("there is no service \"\(unknown)\"")
        }
        switch state.phase {
        case .idle: return .ignored("there is no rollout")
        case .retired: return .refused("the stable version is no longer retained")
        case .promoting, .paused, .promoted, .rollingBack, .rolledBack: break
        }
        let back = plan.rollbackOrder.filter { name in
            guard let then = splits[name] else { return false }
            return then.candidate < state.services[name]?.split.candidate ?? 0
        }
        guard !back.isEmpty else { return .ignored("no candidate has more traffic than it had then") }
        beginRollback(of: back, because: .command(by: command.by, reason: command.reason), at: now)
        return .accepted
    }
}
