internal import MetricModel
internal import Rollback
internal import RuleEngine
internal import RuleModel

/// Rollbacks as alerts, so that they are notified over the same routes as all alerts.
enum IncidentAlerts {
    /// How long an incident counts as open without an update.
    private static let openFor = Milliseconds.hours(4)

    /// The alert of a rollback that has started.
    static func firing(_ incident: RollbackIncident, at now: Timestamp) -> Alert {
        let annotations: Labels = [
            "summary": incident.title, "tasks": incident.tasks.joined(separator: "\n"),
            "services": incident.services.joined(separator: ", "), "incident": incident.id,
        ]
        return Alert(
            labels: labels(plan: incident.plan, severity: incident.severity), annotations: annotations, startsAt: now,
            endsAt: now + openFor, isResolved: false, generatorURL: "", value: 1)
    }

    /// The end of that alert, if the rollback was validated; `nil` if an operator must check it.
    static func resolved(by report: RollbackReport, at now: Timestamp) -> Alert? {
        guard report.rollback.verdict?.isValid == true else { return nil }
        return Alert(
            labels: labels(plan: report.plan, severity: report.rollback.severity),
            annotations: [
                "summary": "Rollback \(report.rollback.id) completed and validated", "incident": report.rollback.id,
            ],
            startsAt: report.start?.timestamp ?? now, endsAt: now, isResolved: true, generatorURL: "", value: 0)
    }

    /// The alert for a message that needs an operator, or its end; `nil` for other messages.
    static func alert(of notice: RollbackNotice, at now: Timestamp) -> Alert? {
        let isOver: Bool
        switch notice.kind {
        case .page: isOver = false
        case .over: isOver = true
        case .rollback, .validation: return nil
        }
        return Alert(
            labels: [
                "alertname": "TribuneRollbackNeedsHelp", "plan": notice.plan, "severity": "critical",
                "message": notice.key,
            ], annotations: ["summary": notice.text], startsAt: now, endsAt: isOver ? now : now + openFor,
            isResolved: isOver, generatorURL: "", value: isOver ? 0 : 1)
    }

    private static func labels(plan: String, severity: String) -> Labels {
        ["alertname": "TribuneRollback", "plan": plan, "severity": severity]
    }
}
