internal import DeploymentGates
internal import Rollback
internal import RolloutRunner

extension GateRollouts {
    /// The rollouts of `runner`.
    init(_ runner: RollbackRunner) {
        self.init(
            plans: { runner.currentPlans }, live: { runner.live(plan: $0) },
            splits: { plan in
                let services = runner.snapshots.first { $0.plan == plan }?.services ?? []
                return Dictionary(services.map { ($0.name, $0.split) }) { first, _ in first }
            }, command: { runner.command($0, plan: $1) })
        isResponsible = { runner.isResponsible }
    }
}
