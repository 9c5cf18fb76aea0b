internal import JSON
internal import MetricModel
internal import RuleModel
internal import Runtime

/// The body of `POST /api/v2/alerts`.
enum AlertmanagerPayload {
    static func body(_ alerts: [Alert]) -> JSON {
        .array(
            alerts.map { alert in
                var members = [
                    JSON.Member("labels", object(alert.labels)),
                    JSON.Member("annotations", object(alert.annotations)),
                    JSON.Member("startsAt", .string(RFC3339.text(milliseconds: alert.startsAt.milliseconds))),
                    JSON.Member("endsAt", .string(RFC3339.text(milliseconds: alert.endsAt.milliseconds))),
                ]
                // An empty text is not a URL and would be rejected.
                if !alert.generatorURL.isEmpty {
                    members.append(JSON.Member("generatorURL", .string(alert.generatorURL)))
                }
                return .object(members)
            })
    }

    private static func object(_ labels: Labels) -> JSON {
        .object(labels.pairs.map { JSON.Member($0.name, .string($0.value)) })
    }
}
