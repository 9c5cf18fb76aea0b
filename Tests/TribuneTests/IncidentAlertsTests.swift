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
}
