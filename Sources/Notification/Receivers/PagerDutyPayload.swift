internal import JSON
internal import MetricModel
internal import RuleEngine
internal import TLS

/// The body of an event of PagerDuty's Events API, version 2.
enum PagerDutyPayload {
    /// Builds a `trigger`, or a `resolve` once every alert of the group is resolved. The same group always has the same
    /// `dedup_key`, so that PagerDuty keeps one incident for it.
    static func body(_ notification: Notification, settings: Integration.PagerDuty, externalURL: String) -> JSON {
        let labels = notification.commonLabels
        var payload: [JSON.Member] = [
            .init("summary", .string(truncated(settings.description ?? summary(notification), 1024))),
            .init("source", .string(labels["instance"] ?? labels["service"] ?? settings.client)),
            .init("severity", .string(severity(settings.severity ?? labels["severity"]))),
        ]
        for (name, value) in [
            ("class", settings.class), ("component", settings.component ?? labels["service"]),
            ("group", settings.group ?? labels["job"]),
        ] {
            if let value { payload.append(.init(name, .string(value))) }
        }
        payload.append(
            .init(
                "custom_details",
                [
                    "firing": .string(list(notification.alerts.filter { !$0.isResolved })),
                    "resolved": .string(list(notification.alerts.filter(\.isResolved))),
                    "num_firing": .integer(Int64(notification.alerts.count { !$0.isResolved })),
                    "num_resolved": .integer(Int64(notification.alerts.count(where: \.isResolved))),
                ]))
        return [
            "routing_key": .string(settings.routingKey.value),
            "event_action": .string(notification.isResolved ? "resolve" : "trigger"),
            "dedup_key": .string(SHA256.hex(notification.groupKey)),
            "client": .string(settings.client),
            "client_url": .string(externalURL),
            "payload": .object(payload),
        ]
    }

    /// PagerDuty knows four severities; others become the nearest.
    private static func severity(_ label: String?) -> String {
        switch label?.lowercased() {
        case "warning", "warn", "medium": "warning"
        case "info", "low", "none": "info"
        case "error", "high": "error"
        default: "critical"
        }
    }

    private static func summary(_ notification: Notification) -> String {
        let firing = notification.alerts.count { !$0.isResolved }
        let status = notification.isResolved ? "RESOLVED" : "FIRING:\(firing)"
        if let text = notification.commonAnnotations["summary"] { return "[\(status)] \(text)" }
        return "[\(status)] " + notification.commonLabels.pairs.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
    }

    private static func list(_ alerts: [Alert]) -> String {
        alerts.prefix(50).map { alert in
            let annotations = alert.annotations.pairs.map { " - \($0.name) = \($0.value)\n" }.joined()
            return "\(alert.labels.description)\n\(annotations)"
        }.joined()
    }

    private static func truncated(_ text: String, _ limit: Int) -> String {
        text.count <= limit ? text : String(text.prefix(limit - 1)) + "…"
    }
}
