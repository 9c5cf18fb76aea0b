public import Rollback

/// The rollouts as checkpoints need them. Handed in by the composition root; any thread may call.
public struct GateRollouts: Sendable {
    /// The plans in force.
    public var plans: @Sendable () -> [RolloutPlan]
    /// Reads the routers of every plan, or of the one of this name. Blocks for as long as the routers take.
    public var live: @Sendable (_ plan: String?) -> [LivePlan]
    /// The division that each service of a plan is meant to have, by service.
    public var splits: @Sendable (_ plan: String) -> [String: TrafficSplit]
    /// Carries out a command on a plan and waits until it is journalled.
    public var command: @Sendable (RolloutCommand, _ plan: String) -> CommandOutcome

    /// Access to rollouts.
    public init(
        plans: @escaping @Sendable () -> [RolloutPlan],
        live: @escaping @Sendable (String?) -> [LivePlan],
        splits: @escaping @Sendable (String) -> [String: TrafficSplit],
        command: @escaping @Sendable (RolloutCommand, String) -> CommandOutcome
    ) {
        self.plans = plans
        self.live = live
        self.splits = splits
        self.command = command
    }
}
