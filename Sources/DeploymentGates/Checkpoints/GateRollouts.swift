public import Rollback

/// Access to rollouts, for checkpoints. Provided by the composition root. May be called from any thread.
public struct GateRollouts: Sendable {
    /// The current plans.
    public var plans: @Sendable () -> [RolloutPlan]
    /// Reads the routers of every plan, or of the plan with this name. Blocks while the routers respond.
    public var live: @Sendable (_ plan: String?) -> [LivePlan]
    /// The intended traffic split of each service of a plan, by service.
    public var splits: @Sendable (_ plan: String) -> [String: TrafficSplit]
    /// Executes a command on a plan, and waits until it is in the journal.
    public var command: @Sendable (RolloutCommand, _ plan: String) -> CommandOutcome
    /// Whether this process acts on rollouts, rather than another one with the same lease.
    public var isResponsible: @Sendable () -> Bool = { true }

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
