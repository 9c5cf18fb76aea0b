import MetricModel
import RolloutRunner
import RuleEngine
import RuleModel
import Testing

@testable import Rollback
@testable import Tribune

/// The messages of a controller that become alerts.
@Suite struct IncidentAlertsTests {
    private let now = Timestamp(milliseconds: 1_700_000_000_000)

    private func notice(_ kind: RollbackNotice.Kind, key: String = "p/1/promotion/frozen", text: String = "t")
        -> RollbackNotice
    {
        RollbackNotice(plan: "p", key: key, kind: kind, text: text, receivers: ["oncall"])
    }

    @Test func aPageIsAnAlertThatLasts() throws {
        let alert = try #require(IncidentAlerts.alert(of: notice(.page, text: "stands still"), at: now))
        #expect(!alert.isResolved)
        #expect((alert.startsAt, alert.endsAt) == (now, now + .hours(4)))
        #expect(alert.annotations["summary"] == "stands still")
        #expect(
            alert.labels == [
                "alertname": "TribuneRollbackNeedsHelp", "plan": "p", "severity": "critical",
                "message": "p/1/promotion/frozen",
            ])
    }

    /// An Alertmanager takes it for the end of the page by its labels, which must be the same.
    @Test func whatIsOverResolvesThePageOfItsKeyAndNoOther() throws {
        let later = now + .minutes(5)
        let page = try #require(IncidentAlerts.alert(of: notice(.page), at: now))
        let over = try #require(IncidentAlerts.alert(of: notice(.over, text: "thawed"), at: later))
        let other = try #require(IncidentAlerts.alert(of: notice(.over, key: "p/2/promotion/frozen"), at: later))
        #expect(over.isResolved && over.endsAt == later)
        #expect(over.labels == page.labels && other.labels != page.labels)
        #expect(over.annotations["summary"] == "thawed")
    }

    @Test(arguments: [RollbackNotice.Kind.rollback, .validation]) func whatIsOnlyToldIsNoAlert(
        kind: RollbackNotice.Kind
    ) {
        #expect(IncidentAlerts.alert(of: notice(kind), at: now) == nil)
    }

    private func record(_ severities: [String]) -> RollbackRecord {
        let causes = severities.map { severity in
            let definition = RollbackDefinition(
                name: "R", expression: "x > 1", trip: .init(.greater, 1), severity: severity, action: .init(plan: "p"),
                labels: ["team": "shop"])
            let measurement = RollbackMeasurement(
                rule: "f;g;R", ruleHash: "h", definition: definition, time: now, elements: [])
            return RollbackRecord.Cause.trip(
                Trip(
                    of: measurement, labels: ["service": "a"], samples: [],
                    annotations: ["summary": "a fails", "runbook_url": "https://runbooks/a"]))
        }
        var record = RollbackRecord(id: "p-1-1", generation: 1, number: 1, causes: causes, services: ["a"])
        record.add("decided", nil, "", at: Instant(nanoseconds: now.milliseconds * 1_000_000))
        record.verdict = .init(isValid: true, detail: "")
        return record
    }

    @Test func aRollbackCarriesTheLabelsAndAnnotationsOfItsRuleAndALink() throws {
        let later = now + .seconds(3)
        let alert = IncidentAlerts.firing(
            RollbackIncident(record(["high"]), plan: "p"), at: later, externalURL: "http://tribune:9190")
        #expect(
            alert.labels == ["alertname": "TribuneRollback", "plan": "p", "severity": "high", "team": "shop"])
        #expect(alert.annotations["runbook_url"] == "https://runbooks/a")
        #expect(alert.annotations["rule_summary"] == "a fails")
        #expect(alert.generatorURL == "http://tribune:9190/graph?g0.expr=x+%3E+1&g0.tab=1")
        #expect(alert.startsAt == now)
    }

    @Test func theEndOfARollbackHasItsLabelsAndItsStartForEachSeverityThatItHad() {
        let later = now + .minutes(5)
        let report = RollbackReport(plan: "p", epoch: 1, rollback: record(["high", "warning", "critical"]))
        let ends = IncidentAlerts.resolved(by: report, at: later)
        #expect(ends.map { $0.labels["severity"] } == ["critical", "high"])
        #expect(ends.allSatisfy { $0.isResolved && $0.startsAt == now && $0.endsAt == later })
        let firing = IncidentAlerts.firing(RollbackIncident(record(["high"]), plan: "p"), at: now)
        #expect(ends.contains { $0.labels == firing.labels })
    }
}
