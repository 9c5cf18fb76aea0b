internal import Notification
internal import RuleModel

/// Sends the alerts that the service raises itself, about rollbacks, pages, the history and query servers: to the
/// receivers of `alertmanager_config`, and to the Alertmanagers of `alerting:`, as those of rules.
struct OwnAlerts: Sendable {
    let notifier: NotificationRunner
    let alertmanagers: AlertmanagerSender

    /// Queues `alerts`.
    ///
    /// - Parameter urgent: whether receivers get them without waiting for more alerts of their group.
    func send(_ alerts: [Alert], urgent: Bool = true) {
        notifier.receive(alerts, origin: .incidents, urgent: urgent)
        alertmanagers.receive(alerts)
    }
}
