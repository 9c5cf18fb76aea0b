internal import GoTemplate
internal import MetricModel
internal import Rollback
internal import RuleEngine
internal import RuleModel

/// Rollbacks as alerts, so that they are notified over the same routes as all alerts.
enum IncidentAlerts {
    /// The name of the alert of a rollback.
    static let rollbackName = "TribuneRollback"
    /// The name of the alert of a message that needs a person.
    private static let helpName = "TribuneRollbackNeedsHelp"
    /// The names of all alerts about rollbacks.
    static let names = [rollbackName, helpName]
    /// How long an incident counts as open when nothing more is heard of it.
    private static let openFor = Milliseconds.hours(4)

    /// The alert of a rollback that has begun. Labels and annotations of the rule that tripped first are part of it.
    static func firing(_ incident: RollbackIncident, at now: Timestamp, externalURL: String = "") -> Alert {
        let own: Labels = [
            "summary": incident.title, "tasks": incident.tasks.joined(separator: "\n"),
            "services": incident.services.joined(separator: ", "), "incident": incident.id,
        ]
        var annotations = incident.annotations.setting(own)
        if let summary = incident.annotations["summary"] { annotations.set("rule_summary", to: summary) }
        let link = incident.expression.map { "/graph?g0.expr=\(QueryEscape.escaped($0))&g0.tab=1" } ?? "/#rollouts"
        return Alert(
            labels: labels(plan: incident.plan, severity: incident.severity, incident.labels), annotations: annotations,
            startsAt: min(incident.startsAt.timestamp, now), endsAt: now + openFor, isResolved: false,
            generatorURL: externalURL + link, value: 1)
    }

    /// The ends of that alert when the rollback has been validated, one for each severity that it had; none while a
    /// person has to look.
    static func resolved(by report: RollbackReport, at now: Timestamp) -> [Alert] {
        let rollback = report.rollback
        guard rollback.verdict?.isValid == true else { return [] }
        let incident = RollbackIncident(rollback, plan: report.plan)
        // Causes that joined may have raised the severity.
        let severities = Set(
            rollback.causes.indices.map { last in
                var part = rollback
                part.causes = Array(rollback.causes[...last])
                return part.severity
            })
        return severities.sorted().map { severity in
            Alert(
                labels: labels(plan: report.plan, severity: severity, incident.labels),
                annotations: [
                    "summary": "Rollback \(rollback.id) completed and validated", "incident": rollback.id,
                ],
                startsAt: min(incident.startsAt.timestamp, now), endsAt: now, isResolved: true, generatorURL: "",
                value: 0)
        }
    }

    /// The alert for a message that needs a person, or its end; `nil` for other messages.
    static func alert(of notice: RollbackNotice, at now: Timestamp, externalURL: String = "") -> Alert? {
        let isOver: Bool
        switch notice.kind {
        case .page: isOver = false
        case .over: isOver = true
        case .rollback, .validation: return nil
        }
        return Alert(
            labels: [
                "alertname": helpName, "plan": notice.plan, "severity": notice.severity,
                "message": notice.key,
            ], annotations: ["summary": notice.text], startsAt: now, endsAt: isOver ? now : now + openFor,
            isResolved: isOver, generatorURL: externalURL + "/#rollouts", value: isOver ? 0 : 1)
    }

    /// The alert about a rule of a verdict, or its end.
    static func alert(of notice: VerdictAlert, at now: Timestamp, externalURL: String = "") -> Alert {
        let name =
            switch notice.kind {
            case .tripped: "TribuneVerdictViolated"
            case .withoutData: "TribuneVerdictWithoutData"
            }
        var annotations = notice.annotations.setting(["summary": notice.text])
        if let summary = notice.annotations["summary"] { annotations.set("rule_summary", to: summary) }
        return Alert(
            labels: notice.labels.setting([
                "alertname": name, "rule": notice.rule, "severity": notice.severity, "verdict": notice.verdict,
            ]), annotations: annotations, startsAt: min(notice.startsAt, now),
            endsAt: notice.isOver ? now : now + openFor,
            isResolved: notice.isOver,
            generatorURL: externalURL + "/graph?g0.expr=\(QueryEscape.escaped(notice.expression))&g0.tab=1",
            value: notice.value)
    }

    private static func labels(plan: String, severity: String, _ rule: Labels) -> Labels {
        rule.setting(["alertname": rollbackName, "plan": plan, "severity": severity])
    }
}
