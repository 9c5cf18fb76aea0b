internal import JSON
internal import MetricModel
internal import RuleEngine
internal import Runtime

/// The body of Alertmanager's webhook, version 4.
enum WebhookPayload {
    /// Builds the body; of more than `maximumAlerts` (0 for no limit) the rest is only counted.
    static func body(_ notification: Notification, maximumAlerts: Int, externalURL: String) -> JSON {
        let limit = maximumAlerts > 0 ? maximumAlerts : notification.alerts.count
        let shown = notification.alerts.prefix(limit)
        return [
            "version": "4",
            "groupKey": .string(notification.groupKey),
            "truncatedAlerts": .integer(Int64(notification.alerts.count - shown.count)),
            "status": .string(notification.isResolved ? "resolved" : "firing"),
            "receiver": .string(notification.receiver),
            "groupLabels": object(notification.groupLabels),
            "commonLabels": object(notification.commonLabels),
            "commonAnnotations": object(notification.commonAnnotations),
            "externalURL": .string(externalURL),
            "alerts": .array(
                shown.map { alert in
                    [
                        "status": .string(alert.isResolved ? "resolved" : "firing"),
                        "labels": object(alert.labels),
                        "annotations": object(alert.annotations),
                        "startsAt": .string(RFC3339.text(milliseconds: alert.startsAt.milliseconds)),
                        "endsAt": .string(
                            alert.isResolved
                                ? RFC3339.text(milliseconds: alert.endsAt.milliseconds) : "0001-01-01T00:00:00Z"),
                        "generatorURL": .string(alert.generatorURL),
                        "fingerprint": .string(alert.fingerprint),
                    ]
                }),
        ]
    }

    static func object(_ labels: Labels) -> JSON {
        .object(labels.pairs.map { JSON.Member($0.name, .string($0.value)) })
    }
}
