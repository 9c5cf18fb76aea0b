import MetricModel
import RuleModel
import Testing

@testable import RuleEngine

@Suite struct AlertSetTests {
    private static let labels: Labels = ["alertname": "A"]

    private func at(_ step: Int) -> Timestamp { Timestamp(milliseconds: Int64(step) * 60_000) }

    private func element(_ value: Double = 1, _ labels: Labels = labels) -> AlertSet.Element {
        AlertSet.Element(labels: labels, annotations: ["v": "\(value)"], value: value)
    }

    /// Runs one evaluation a minute: `1` where the condition holds, `-` where it does not. Gives `p` pending, `F`
    /// firing, `k` firing by `keep_firing_for`, `r` resolved, `-` nothing.
    private func timeline(_ input: String, hold: Int64 = 0, keepFiring: Int64 = 0) throws -> String {
        var alerts = AlertSet()
        let timing = AlertSet.Timing(hold: .minutes(hold), keepFiring: .minutes(keepFiring))
        var output = ""
        for (step, letter) in input.enumerated() {
            try alerts.evaluated(letter == "1" ? [element()] : [], at: at(step), timing: timing)
            switch alerts.instances[Self.labels]?.state {
            case nil: output += "-"
            case .pending: output += "p"
            case .firing: output += "F"
            case .keepingFiring: output += "k"
            case .resolved: output += "r"
            }
        }
        return output
    }

    @Test(arguments: [
        ("-11-1-", 0, 0, "-FFrFr"), ("-1111-", 2, 0, "-ppFFr"), ("-1-11-", 2, 0, "-p-pp-"),
        ("-1111---", 2, 2, "-ppFFkkr"), ("11--11--", 1, 2, "pFkkFFkk"), ("1---", 0, 1, "Fkrr"),
    ])
    func followsItsCondition(input: String, hold: Int64, keepFiring: Int64, output: String) throws {
        #expect(try timeline(input, hold: hold, keepFiring: keepFiring) == output)
    }

    @Test func shortHoldFiresAtTheSecondEvaluation() throws {
        var alerts = AlertSet()
        let timing = AlertSet.Timing(hold: .seconds(1))
        try alerts.evaluated([element()], at: at(0), timing: timing)
        #expect(alerts.active.map(\.state) == [.pending])
        try alerts.evaluated([element()], at: at(1), timing: timing)
        #expect(alerts.active.map(\.state) == [.firing(since: at(1))])
    }

    @Test func resolvedAlertsAreForgottenAfterFifteenMinutes() throws {
        #expect(
            try timeline("1-" + String(repeating: "-", count: 16)) == "Fr" + String(repeating: "r", count: 15) + "-")
    }

    @Test func returningAlertBeginsAnew() throws {
        var alerts = AlertSet()
        let timing = AlertSet.Timing(hold: .minutes(1))
        for (step, holds) in [true, true, false, true].enumerated() {
            try alerts.evaluated(holds ? [element()] : [], at: at(step), timing: timing)
        }
        #expect(alerts.active.map(\.activeAt) == [at(3)])
        #expect(alerts.active.map(\.state) == [.pending])
        #expect(alerts.active[0].lastSentAt == nil)
    }

    @Test func valueAndAnnotationsAreThoseOfTheLastTimeTheConditionHeld() throws {
        var alerts = AlertSet()
        let timing = AlertSet.Timing(keepFiring: .minutes(5))
        try alerts.evaluated([element(1)], at: at(0), timing: timing)
        try alerts.evaluated([element(2)], at: at(1), timing: timing)
        try alerts.evaluated([], at: at(2), timing: timing)
        #expect(alerts.active.map(\.value) == [2])
        #expect(alerts.active.map(\.annotations) == [["v": "2.0"]])
    }

    @Test func raisedHoldMakesAYoungAlertPendingAgain() throws {
        var alerts = AlertSet()
        try alerts.evaluated([element()], at: at(0), timing: .init(hold: .zero))
        try alerts.evaluated([element()], at: at(1), timing: .init(hold: .minutes(3)))
        #expect(alerts.active.map(\.state) == [.pending])
        try alerts.evaluated([element()], at: at(3), timing: .init(hold: .minutes(3)))
        #expect(alerts.active.map(\.state) == [.firing(since: at(3))])
    }

    @Test func equalIdentitiesFailAndKeepTheAlerts() throws {
        var alerts = AlertSet()
        try alerts.evaluated([element()], at: at(0), timing: .init())
        let before = alerts
        #expect(
            throws: RuleFailure("vector contains metrics with the same labelset after applying alert labels")
        ) { try alerts.evaluated([element(), element(2)], at: at(1), timing: .init()) }
        #expect(alerts == before)
    }

    @Test func exceedingTheLimitForgetsAllAlerts() throws {
        var alerts = AlertSet()
        let timing = AlertSet.Timing(limit: 1)
        try alerts.evaluated([element()], at: at(0), timing: timing)
        #expect(throws: RuleFailure("exceeded limit of 1 with 2 alerts")) {
            try alerts.evaluated([element(), element(1, ["alertname": "A", "i": "2"])], at: at(1), timing: timing)
        }
        #expect(alerts.instances.isEmpty)
    }

    @Test func seriesTellStateAndBeginning() throws {
        var alerts = AlertSet()
        try alerts.evaluated([element()], at: Timestamp(milliseconds: 1999), timing: .init(hold: .minutes(1)))
        #expect(
            alerts.samples == [
                RuleSample(
                    labels: ["__name__": "ALERTS", "alertname": "A", "alertstate": "pending"], value: 1),
                RuleSample(labels: ["__name__": "ALERTS_FOR_STATE", "alertname": "A"], value: 1),
            ])
    }

    // MARK: Sending

    /// At which steps the alert is handed out, and whether as resolved.
    private func sent(_ input: String, hold: Int64 = 0, resendDelay: Milliseconds) throws -> [String] {
        var alerts = AlertSet()
        var sent: [String] = []
        for (step, letter) in input.enumerated() {
            let holds = letter == "1"
            try alerts.evaluated(holds ? [element()] : [], at: at(step), timing: .init(hold: .minutes(hold)))
            for alert in alerts.due(at: at(step), resendDelay: resendDelay) {
                sent.append("\(step)\(alert.isFiring ? "F" : "r")")
            }
        }
        return sent
    }

    @Test func pendingAlertsAreNeverSent() throws {
        #expect(try sent("111-", hold: 5, resendDelay: .zero).isEmpty)
    }

    @Test func firingAlertsAreSentAgainOnceTheDelayHasPassed() throws {
        #expect(try sent("11111", resendDelay: .minutes(1)) == ["0F", "2F", "4F"])
        #expect(try sent("11111", resendDelay: .seconds(59)) == ["0F", "1F", "2F", "3F", "4F"])
    }

    @Test func resolvedAlertsAreSentAtOnceAndThenRepeated() throws {
        #expect(try sent("11-----", resendDelay: .minutes(2)) == ["0F", "2r", "5r"])
    }

    // MARK: Restoring

    /// The start of an alert restored after a restart at minute 100.
    private func restored(
        hold: Int64, activeSince: Int, lastWritten: Int, grace: Int64 = 10
    ) throws -> Milliseconds {
        var alerts = AlertSet()
        try alerts.evaluated([element()], at: at(100), timing: .init(hold: .minutes(hold)))
        let stored = AlertSet.StoredState(
            writtenAt: at(lastWritten), activeAtSeconds: Double(activeSince) * 60)
        alerts.restore([Self.labels: stored], at: at(100), hold: .minutes(hold), grace: .minutes(grace))
        return alerts.active[0].activeAt - at(0)
    }

    @Test func downtimeDoesNotCountAgainstHold() throws {
        // 20 of 60 minutes had passed when the server went down for 30: 40 are left.
        #expect(try restored(hold: 60, activeSince: 50, lastWritten: 70) == .minutes(80))
    }

    @Test func anAlertThatFiredFiresAtTheNextEvaluation() throws {
        #expect(try restored(hold: 15, activeSince: 50, lastWritten: 70) == .minutes(50))
        #expect(try restored(hold: 20, activeSince: 50, lastWritten: 70) == .minutes(50), "it fired at that moment")
    }

    @Test func longHoldsWaitAtLeastTheGracePeriod() throws {
        // 5 of 30 minutes are left; it fires 10 minutes after the restart.
        #expect(try restored(hold: 30, activeSince: 50, lastWritten: 75) == .minutes(80))
    }

    @Test func shortHoldsWaitOnlyForWhatIsLeft() throws {
        #expect(try restored(hold: 5, activeSince: 90, lastWritten: 93) == .minutes(97))
    }

    @Test func statesOfAlertsThatAreGoneAreIgnored() throws {
        var alerts = AlertSet()
        alerts.restore(
            [Self.labels: .init(writtenAt: at(1), activeAtSeconds: 0)], at: at(2), hold: .minutes(20),
            grace: .minutes(10))
        #expect(alerts == AlertSet())
    }
}
