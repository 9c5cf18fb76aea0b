internal import MetricModel
internal import Notification
internal import Rollback
internal import RolloutRunner
internal import RuleEngine
internal import RuleModel

/// Passes on alerts and measurements. Of several processes with the same targets, only the leader notifies and records.
struct AlertRouter: Sendable {
    let rollback: RollbackRunner
    let notifier: NotificationRunner
    let alertmanagers: AlertmanagerSender
    let recorder: Recorder

    /// The sinks of the rule engine.
    var ruleSinks: RuleRunner.Sinks {
        RuleRunner.Sinks(
            alerts: { [self] alerts in
                let isResponsible = rollback.isResponsible
                // A node that shares notifications keeps the alerts, so that it can take over.
                if isResponsible || notifier.isShared { notifier.receive(alerts) }
                guard isResponsible else { return }
                alertmanagers.receive(alerts)
                recorder.alerted(alerts)
            },
            measurement: { [self] measurement in
                rollback.measured(measurement)
                recorder.measured(measurement)
            },
            tripped: { [rollback] rule in rollback.standing(of: rule)?.alerts ?? [] })
    }

    /// Takes alerts that another program sent to the API. Returns false if the notifier's queue is full.
    func received(_ alerts: [Alert]) -> Bool {
        // The sender posts to every node, so a node that does not lead records nothing.
        let isResponsible = rollback.isResponsible
        guard isResponsible || notifier.isShared else { return true }
        guard notifier.receive(alerts, origin: .api) else { return false }
        if isResponsible { recorder.alerted(alerts) }
        return true
    }
}
