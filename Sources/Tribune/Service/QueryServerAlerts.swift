internal import MetricModel
internal import RemoteQuery
internal import RuleModel

/// Alerts for query servers that do not answer. They come from no rule: rules that ask the same server would be silent.
struct QueryServerAlerts {
    private var reported: [String: (text: String, since: Timestamp, at: Timestamp)] = [:]

    /// The name of the alert.
    static let name = "TribuneQueryServerUnanswered"
    /// How long something must have been unanswered.
    static let patience = Milliseconds.seconds(30)
    private static let resendAfter = Milliseconds.minutes(10)
    private static let openFor = Milliseconds.hours(1)

    /// The alerts to send now: at the start of a trouble, at its end, when its reason changes, and before it expires.
    mutating func alerts(for troubles: [QueryServers.Trouble], at now: Timestamp) -> [Alert] {
        var alerts: [Alert] = []
        let lasting = troubles.filter { now - $0.since >= Self.patience }
        for trouble in lasting {
            let last = reported[trouble.server]
            if let last, last.text == trouble.reason, now - last.at < Self.resendAfter { continue }
            let since = last?.since ?? trouble.since
            reported[trouble.server] = (trouble.reason, since, now)
            let who = trouble.askers == 1 ? "1 rule group or gate waits" : "\(trouble.askers) rule groups or gates wait"
            alerts.append(
                Self.alert(trouble.server, "\(who) for an answer: \(trouble.reason)", since, ends: now + Self.openFor))
        }
        for (server, last) in reported.sorted(by: { $0.key < $1.key })
        where !lasting.contains(where: { $0.server == server }) {
            reported[server] = nil
            var alert = Self.alert(server, "the query server answers again", last.since, ends: now)
            alert.isResolved = true
            alert.value = 0
            alerts.append(alert)
        }
        return alerts
    }

    private static func alert(_ server: String, _ text: String, _ since: Timestamp, ends: Timestamp) -> Alert {
        Alert(
            labels: ["alertname": name, "server": server, "severity": "critical"], annotations: ["summary": text],
            startsAt: since, endsAt: ends, isResolved: false, generatorURL: "", value: 1)
    }
}
