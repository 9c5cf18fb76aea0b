internal import MetricModel
internal import Notification
internal import RolloutRunner
internal import RuleModel
internal import Synchronization

/// Says to the rollback engine, which is made after the notifier, which incidents receivers have accepted.
final class DeliveryRelay: Sendable {
    private let rollback = Mutex<RollbackRunner?>(nil)

    /// From now on `runner` hears of deliveries.
    func attach(_ runner: RollbackRunner) { rollback.withLock { $0 = runner } }

    /// A receiver was asked.
    func finished(_ outcome: NotificationRunner.Outcome) {
        guard outcome.failure == nil, let rollback = rollback.withLock({ $0 }) else { return }
        for alert in outcome.notification.alerts where !alert.isResolved {
            guard alert.labels["alertname"] == IncidentAlerts.rollbackName, let plan = alert.labels["plan"],
                let incident = alert.annotations["incident"]
            else { continue }
            rollback.notified(
                of: incident, plan: plan, by: "\(outcome.notification.receiver) (\(outcome.integration))")
        }
    }
}
