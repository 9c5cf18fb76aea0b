internal import History
internal import MetricModel
internal import RuleEngine
internal import RuleModel

/// Alerts for failures of the history that need an operator.
struct HistoryAlerts {
    /// The last reports, so that an alert is sent when it starts, when it ends, and before it expires.
    private var reported: [String: (text: String, at: Timestamp)] = [:]

    private static let resendAfter = Milliseconds.minutes(10)
    private static let openFor = Milliseconds.hours(1)

    /// The alerts to send for a status.
    mutating func alerts(for status: HistoryStatus, at now: Timestamp) -> [Alert] {
        var problems: [String: String] = [:]
        if let halt = status.halt { problems["TribuneHistoryHalted"] = halt }
        if let message = status.selfCheck.message { problems["TribuneHistoryAltered"] = message }
        var alerts: [Alert] = []
        for (name, text) in problems.sorted(by: { $0.key < $1.key }) {
            if let last = reported[name], last.text == text, now - last.at < Self.resendAfter { continue }
            reported[name] = (text, now)
            alerts.append(Self.alert(name, text, at: now, isResolved: false))
        }
        for name in reported.keys.sorted() where problems[name] == nil {
            reported[name] = nil
            alerts.append(Self.alert(name, "the history works again", at: now, isResolved: true))
        }
        return alerts
    }

    private static func alert(_ name: String, _ text: String, at now: Timestamp, isResolved: Bool) -> Alert {
        Alert(
            labels: ["alertname": name, "severity": "critical"], annotations: ["summary": text], startsAt: now,
            endsAt: isResolved ? now : now + openFor, isResolved: isResolved, generatorURL: "",
            value: isResolved ? 0 : 1)
    }
}
