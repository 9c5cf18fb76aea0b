import MetricModel
import Notification
import Receivers
import RuleModel
import Testing
import YAML

/// Times are seconds after the start of each test.
@Suite struct NotificationQueueTests {
    private func queue(_ route: String = "group_by: [alertname]", inhibit: String = "") throws -> NotificationQueue {
        let text = """
            route: {receiver: hook, \(route.replacing("\n", with: ", "))}
            receivers: [{name: hook, webhook_configs: [{url: "http://127.0.0.1:9/"}]}]
            inhibit_rules: [\(inhibit)]
            """
        return NotificationQueue(
            try NotificationConfiguration(try #require(try YAML.parse(text).first), file: ""))
    }

    private func at(_ seconds: Int64) -> Timestamp { Timestamp(milliseconds: seconds * 1000) }

    private func alert(_ labels: Labels, since start: Int64 = 0, resolved end: Int64? = nil) -> Alert {
        Alert(
            labels: labels, annotations: [:], startsAt: at(start), endsAt: at(end ?? 100_000), isResolved: end != nil,
            generatorURL: "", value: 1)
    }

    @Test func aNewGroupWaitsForMoreAlerts() throws {
        var queue = try queue()
        queue.received([alert(["alertname": "A", "i": "1"])], at: at(0))
        #expect(queue.advanced(to: at(29)).isEmpty)
        queue.received([alert(["alertname": "A", "i": "2"], since: 29)], at: at(29))
        let deliveries = queue.advanced(to: at(30))
        #expect(deliveries.map { $0.notification.alerts.map { $0.labels["i"] } } == [["1", "2"]])
        #expect(deliveries[0].notification.groupKey == #"{}:{alertname="A"}"#)
    }

    @Test func aReceiverThatAPlanNamesIsNotifiedOnceWhateverTheRoutesSay() throws {
        let text = """
            route: {receiver: team, group_by: [alertname], routes: [{receiver: shop, matchers: ['plan="shop"']}]}
            receivers:
            - {name: team, webhook_configs: [{url: "http://127.0.0.1:9/"}]}
            - {name: shop, webhook_configs: [{url: "http://127.0.0.1:9/"}]}
            - {name: oncall, webhook_configs: [{url: "http://127.0.0.1:9/"}]}
            """
        var configuration = try NotificationConfiguration(try #require(try YAML.parse(text).first), file: "")
        configuration.add(["oncall", "shop"], ofPlan: "shop", alerts: ["Rollback"])
        func receivers(_ labels: Labels) -> [String] {
            var queue = NotificationQueue(configuration)
            queue.received([alert(labels)], urgent: true, at: at(0))
            return queue.advanced(to: at(0)).map(\.receiver).sorted()
        }
        #expect(receivers(["alertname": "Rollback", "plan": "shop"]) == ["oncall", "shop"])
        #expect(receivers(["alertname": "Other", "plan": "shop"]) == ["shop"])
        #expect(receivers(["alertname": "Rollback", "plan": "other"]) == ["team"])
    }

    @Test func theEndOfAnAlertKeepsItsStart() throws {
        var queue = try queue("group_wait: 0s\ngroup_interval: 1s")
        queue.received([alert(["alertname": "A"])], at: at(0))
        queue.delivered(try #require(queue.advanced(to: at(0)).first).id, at: at(0))
        queue.received([alert(["alertname": "A"], since: 50, resolved: 60)], at: at(60))
        let end = try #require(queue.advanced(to: at(61)).first?.notification.alerts.first)
        #expect(end.isResolved && end.startsAt == at(0) && end.endsAt == at(60))
    }

    /// The states of the alerts that a receiver gets, which cannot be reached before `second`.
    private func states(reachableFrom second: Int64, resolved end: Int64, until last: Int64) throws -> [String] {
        var queue = try queue("group_wait: 0s\ngroup_interval: 1m")
        var states: [String] = []
        queue.received([alert(["alertname": "A"])], at: at(0))
        for now in 0...last {
            if now == end { queue.received([alert(["alertname": "A"], resolved: end)], at: at(now)) }
            for delivery in queue.advanced(to: at(now)) {
                guard now >= second else {
                    queue.failed(delivery.id, retryable: true, at: at(now))
                    continue
                }
                states += delivery.notification.alerts.map { $0.isResolved ? "resolved" : "firing" }
                queue.delivered(delivery.id, at: at(now))
            }
        }
        #expect(queue.pendingCount == 0)
        #expect(queue.groupCount == 0)
        return states
    }

    @Test func aReceiverThatWasDownGetsTheStartOfAnAlertBeforeItsEnd() throws {
        #expect(try states(reachableFrom: 0, resolved: 20, until: 200) == ["firing", "resolved"])
        #expect(try states(reachableFrom: 60, resolved: 20, until: 400) == ["firing", "resolved"])
        #expect(try states(reachableFrom: 200, resolved: 20, until: 900) == ["firing", "resolved"])
    }

    @Test func anAlertThatEndedLongAgoIsNotSentToAReceiverThatWasDown() throws {
        #expect(try states(reachableFrom: 2000, resolved: 20, until: 3000) == [])
    }

    @Test func urgentAlertsDoNotWait() throws {
        var queue = try queue()
        queue.received([alert(["alertname": "A"])], urgent: true, at: at(0))
        #expect(queue.advanced(to: at(0)).count == 1)
    }

    @Test func unchangedGroupsAreToldAgainOnlyAfterTheRepeatInterval() throws {
        var queue = try queue("group_wait: 0s\ngroup_interval: 1m\nrepeat_interval: 1h")
        queue.received([alert(["alertname": "A"])], at: at(0))
        queue.delivered(try #require(queue.advanced(to: at(0)).first).id, at: at(0))
        var told: [Int64] = []
        for second in stride(from: Int64(60), through: 3700, by: 20) {
            for delivery in queue.advanced(to: at(second)) {
                told.append(second)
                queue.delivered(delivery.id, at: at(second))
            }
        }
        #expect(told == [3600])
    }

    @Test func changesAreToldAfterTheGroupInterval() throws {
        var queue = try queue("group_wait: 0s\ngroup_interval: 1m")
        queue.received([alert(["alertname": "A"])], at: at(0))
        queue.delivered(try #require(queue.advanced(to: at(0)).first).id, at: at(0))
        queue.received([alert(["alertname": "B"], since: 5)], at: at(5))
        #expect(queue.advanced(to: at(59)).isEmpty)
        #expect(queue.advanced(to: at(60)).first?.notification.alerts.count == 2)
    }

    @Test func theEndIsToldOnceAndThenForgotten() throws {
        var queue = try queue("group_wait: 0s\ngroup_interval: 1m")
        queue.received([alert(["alertname": "A"])], at: at(0))
        queue.delivered(try #require(queue.advanced(to: at(0)).first).id, at: at(0))
        queue.received([alert(["alertname": "A"], resolved: 30)], at: at(30))
        let last = try #require(queue.advanced(to: at(60)).first)
        #expect(last.notification.isResolved)
        queue.delivered(last.id, at: at(60))
        #expect(queue.groupCount == 0)
        #expect(queue.nextDeadline == nil)
    }

    @Test func anAlertThatEndsBeforeAnybodyWasToldIsNeverTold() throws {
        var queue = try queue()
        queue.received([alert(["alertname": "A"])], at: at(0))
        queue.received([alert(["alertname": "A"], resolved: 10)], at: at(10))
        #expect(queue.advanced(to: at(30)).isEmpty)
        #expect(queue.groupCount == 0)
    }

    @Test func failedDeliveriesAreTriedAgainWithGrowingDistance() throws {
        var queue = try queue("group_wait: 0s\ngroup_interval: 10m")
        queue.received([alert(["alertname": "A"])], at: at(0))
        var id = try #require(queue.advanced(to: at(0)).first).id
        var distances: [Int64] = []
        var now = at(0)
        for _ in 0..<8 {
            queue.failed(id, retryable: true, at: now)
            let next = try #require(queue.nextDeadline)
            distances.append((next - now).rawValue)
            now = next
            let again = try #require(queue.advanced(to: now).first)
            #expect(again.id == id)
            id = again.id
        }
        #expect(distances == [500, 1000, 2000, 5000, 15_000, 30_000, 60_000, 60_000])
    }

    @Test func refusedDeliveriesWaitForTheGroupToComeDueAgain() throws {
        var queue = try queue("group_wait: 0s\ngroup_interval: 1m")
        queue.received([alert(["alertname": "A"])], at: at(0))
        queue.failed(try #require(queue.advanced(to: at(0)).first).id, retryable: false, at: at(0))
        #expect(queue.advanced(to: at(59)).isEmpty)
        #expect(queue.advanced(to: at(60)).count == 1)
    }

    @Test func whatIsUnderWayIsNotOvertaken() throws {
        var queue = try queue("group_wait: 0s\ngroup_interval: 1m")
        queue.received([alert(["alertname": "A"])], at: at(0))
        let first = try #require(queue.advanced(to: at(0)).first)
        queue.received([alert(["alertname": "B"], since: 1)], at: at(1))
        #expect(queue.advanced(to: at(60)).isEmpty)
        queue.delivered(first.id, at: at(61))
        #expect(queue.advanced(to: at(120)).first?.notification.alerts.count == 2)
    }

    @Test func inhibitedAlertsAreNotTold() throws {
        var queue = try queue(
            "group_wait: 0s\ngroup_by: ['...']",
            inhibit: "{source_matchers: [severity=critical], target_matchers: [severity=warning], equal: [service]}")
        queue.received(
            [
                alert(["alertname": "A", "severity": "critical", "service": "x"]),
                alert(["alertname": "B", "severity": "warning", "service": "x"]),
                alert(["alertname": "C", "severity": "warning", "service": "y"]),
            ], at: at(0))
        #expect(
            queue.advanced(to: at(0)).compactMap { $0.notification.groupLabels["alertname"] }.sorted() == ["A", "C"])
    }

    @Test func alertsThatAreNotHeardOfAgainEnd() throws {
        var queue = try queue("group_wait: 0s\ngroup_interval: 1m")
        var lost = alert(["alertname": "A"])
        lost.endsAt = at(90)
        queue.received([lost], at: at(0))
        queue.delivered(try #require(queue.advanced(to: at(0)).first).id, at: at(0))
        #expect(queue.advanced(to: at(60)).isEmpty)
        #expect(queue.advanced(to: at(120)).first?.notification.isResolved == true)
    }

    @Test func whatFindsNoRoomIsCountedUntilSomethingHasEnded() throws {
        let text = "route: {receiver: r, group_wait: 0s, group_interval: 1m}\nreceivers: [{name: r}]"
        let configuration = try NotificationConfiguration(try #require(try YAML.parse(text).first), file: "")
        var queue = NotificationQueue(configuration, capacity: 2)
        queue.received(["A", "B", "C"].map { alert(["alertname": $0]) }, at: at(0))
        #expect(queue.takeRefused() == 1)
        // Known alerts are updated all the same.
        queue.received([alert(["alertname": "A"]), alert(["alertname": "B"], resolved: 10)], at: at(10))
        #expect(queue.takeRefused() == 0)
        _ = queue.advanced(to: at(60))
        queue.received([alert(["alertname": "C"])], at: at(61))
        #expect(queue.takeRefused() == 0)
        #expect(
            queue.alerts(silences: [], at: at(61)).compactMap { $0.alert.labels["alertname"] }.sorted() == ["A", "C"])
    }

    @Test func reloadingKeepsWhatWasTold() throws {
        var queue = try queue("group_wait: 0s\ngroup_interval: 1m")
        queue.received([alert(["alertname": "A"])], at: at(0))
        queue.delivered(try #require(queue.advanced(to: at(0)).first).id, at: at(0))
        let text =
            "route: {receiver: hook, group_wait: 0s}\nreceivers: [{name: hook, webhook_configs: [{url: 'http://127.0.0.1:9/'}]}]"
        queue.reconfigured(
            try NotificationConfiguration(try #require(try YAML.parse(text).first), file: ""), at: at(1))
        #expect(queue.groupCount == 1)
        #expect(queue.advanced(to: at(60)).isEmpty)
    }

    @Test func alertsOfARouteThatIsGoneGoToTheOneThatTakesThemNow() throws {
        var queue = try queue("group_wait: 10s")
        queue.received([alert(["alertname": "A"])], at: at(0))
        queue.delivered(try #require(queue.advanced(to: at(10)).first).id, at: at(10))
        let text =
            "route: {receiver: new, group_wait: 10s}\nreceivers: [{name: new, webhook_configs: [{url: 'http://127.0.0.1:9/'}]}]"
        queue.reconfigured(
            try NotificationConfiguration(try #require(try YAML.parse(text).first), file: ""), at: at(20))
        let deliveries = queue.advanced(to: at(30))
        #expect(deliveries.map(\.receiver) == ["new"])
        #expect(deliveries.first?.notification.reason == .first)
    }

    private func configuration(_ text: String) throws -> NotificationConfiguration {
        try NotificationConfiguration(try #require(try YAML.parse(text).first), file: "")
    }

    private static let hooks = """
        receivers:
        - {name: hook, webhook_configs: [{url: 'http://a/'}]}
        - {name: db, webhook_configs: [{url: 'http://b/'}]}
        """

    @Test func aReloadMovesAlertsToTheGroupsThatAreTheirsNow() throws {
        var queue = try queue("group_by: [alertname]\ngroup_wait: 10s\ngroup_interval: 1m")
        queue.received([alert(["alertname": "A", "i": "1"]), alert(["alertname": "A", "team": "db"])], at: at(0))
        queue.delivered(try #require(queue.advanced(to: at(10)).first).id, at: at(10))
        // Another grouping, and a route that takes one of the alerts away.
        queue.reconfigured(
            try configuration(
                "route: {receiver: hook, group_by: [i], routes: [{receiver: db, matchers: [team=db]}]}\n\(Self.hooks)"),
            at: at(20))
        let moved = queue.advanced(to: at(50))
        #expect(moved.map(\.receiver).sorted() == ["db", "hook"])
        #expect(moved.map { $0.notification.alerts.count } == [1, 1])
        #expect(queue.groupCount == 2)
        for delivery in moved { queue.delivered(delivery.id, at: at(50)) }
        // The alert that was moved back is new to the group that it had left.
        queue.reconfigured(try configuration("route: {receiver: hook, group_by: [i]}\n\(Self.hooks)"), at: at(60))
        let back = queue.advanced(to: at(400)).map { $0.notification.alerts.map(\.labels) }
        #expect(back == [[["alertname": "A", "team": "db"]]])
        #expect(queue.groupCount == 2)
    }

    @Test func aReloadAppliesTimesAndForgetsIntegrationsThatAreGone() throws {
        var queue = try queue("group_by: [alertname]\ngroup_wait: 0s\ngroup_interval: 1h")
        queue.received([alert(["alertname": "A"])], at: at(0))
        let first = try #require(queue.advanced(to: at(0)).first)
        queue.failed(first.id, retryable: true, at: at(0))
        let other = "receivers: [{name: hook, slack_configs: [{api_url: 'http://a/', channel: c}]}]"
        queue.reconfigured(
            try configuration("route: {receiver: hook, group_by: [alertname], group_interval: 1m}\n\(other)"), at: at(1)
        )
        #expect(queue.pendingCount == 0)
        let second = queue.advanced(to: at(1))
        #expect(second.map(\.integration) == ["slack/0"])
        queue.delivered(try #require(second.first).id, at: at(1))
        queue.received([alert(["alertname": "A", "i": "2"])], at: at(2))
        #expect(queue.advanced(to: at(61)).map { $0.notification.alerts.count } == [2])
    }

    @Test func withoutSendResolvedWhatFiresAgainIsNew() throws {
        var queue = NotificationQueue(
            try configuration(
                """
                route: {receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1m}
                receivers: [{name: hook, webhook_configs: [{url: 'http://a/', send_resolved: false}]}]
                """))
        queue.received([alert(["alertname": "A"])], at: at(0))
        queue.delivered(try #require(queue.advanced(to: at(0)).first).id, at: at(0))
        _ = queue.takeChanges()
        queue.received([alert(["alertname": "A"], resolved: 30)], at: at(30))
        #expect(queue.advanced(to: at(60)).isEmpty)
        #expect(queue.groupCount == 0)
        #expect(queue.takeChanges().map(\.entry) == [nil])
        queue.received([alert(["alertname": "A"], since: 70)], at: at(70))
        #expect(queue.advanced(to: at(70)).map(\.notification.reason) == [.first])
    }

    @Test func anEndIsNotSentTwiceWhereAnotherIntegrationIsNotSentEnds() throws {
        var queue = NotificationQueue(
            try configuration(
                """
                route: {receiver: hook, group_by: [], group_wait: 0s, group_interval: 1m}
                receivers:
                - {name: hook, webhook_configs: [{url: 'http://a/', send_resolved: false}, {url: 'http://b/'}]}
                """))
        queue.received(["A", "B", "C"].map { alert(["alertname": $0]) }, at: at(0))
        for delivery in queue.advanced(to: at(0)) { queue.delivered(delivery.id, at: at(0)) }
        var ends: [[Labels]] = []
        for (index, name) in ["A", "B"].enumerated() {
            let now = Int64(index + 1) * 60
            queue.received([alert(Labels([Label("alertname", name)]), resolved: now - 1)], at: at(now - 1))
            for delivery in queue.advanced(to: at(now)) {
                ends.append(delivery.notification.alerts.filter(\.isResolved).map(\.labels))
                queue.delivered(delivery.id, at: at(now))
            }
        }
        #expect(ends == [[["alertname": "A"]], [["alertname": "B"]]])
    }

    @Test func anAlertThatFiredForLongerThanTheWaitEndsTheWaitOfItsGroup() throws {
        var queue = try queue("group_by: [alertname]\ngroup_wait: 30s")
        queue.received([alert(["alertname": "A", "i": "1"], since: 100)], at: at(100))
        queue.received([alert(["alertname": "A", "i": "2"], since: 0)], at: at(101))
        #expect(queue.advanced(to: at(101)).map { $0.notification.alerts.count } == [2])
    }

    @Test func theEndKeepsTheEarliestStart() throws {
        var queue = try queue("group_by: [alertname]\ngroup_wait: 0s\ngroup_interval: 1m")
        queue.received([alert(["alertname": "A"], since: 10)], at: at(10))
        queue.delivered(try #require(queue.advanced(to: at(10)).first).id, at: at(10))
        queue.received([alert(["alertname": "A"], since: 30, resolved: 30)], at: at(30))
        #expect(queue.advanced(to: at(70)).first?.notification.alerts.map(\.startsAt) == [at(10)])
    }

    /// The queue after a restart: the content of the log, read back from JSON.
    private func restarted(_ queue: NotificationQueue, at now: Timestamp) throws -> NotificationQueue {
        var after = NotificationQueue(queue.configuration)
        let entries = try queue.logEntries.map { entry in
            let json = NotificationLogEntry.Change(route: entry.route, labels: entry.labels, entry: entry).json
            return try #require(NotificationLogEntry.Change(json)?.entry)
        }
        after.restored(entries, at: now)
        return after
    }

    @Test func aRestartRepeatsNothingThatStillFires() throws {
        var queue = try queue("group_by: [alertname]\ngroup_wait: 0s\ngroup_interval: 1m\nrepeat_interval: 1h")
        queue.received([alert(["alertname": "A"])], at: at(0))
        queue.delivered(try #require(queue.advanced(to: at(0)).first).id, memory: ["ts": "1"], at: at(0))
        var after = try restarted(queue, at: at(30))
        after.received([alert(["alertname": "A"])], at: at(31))
        #expect(after.advanced(to: at(300)).isEmpty)
        after.received([alert(["alertname": "A"])], at: at(3600))
        let repeated = after.advanced(to: at(3661))
        #expect(repeated.map(\.notification.reason) == [.repeated])
        #expect(repeated.first?.memory == ["ts": "1"])
    }

    @Test func whatEndedDuringARestartIsResolvedOnceTheRulesWereEvaluated() throws {
        var queue = try queue("group_by: [alertname]\ngroup_wait: 0s\ngroup_interval: 10s")
        queue.received([alert(["alertname": "A"])], at: at(0))
        queue.delivered(try #require(queue.advanced(to: at(0)).first).id, at: at(0))
        var after = try restarted(queue, at: at(30))
        #expect(after.advanced(to: at(30)).isEmpty)
        after.restorationEnded(at: at(35))
        let resolved = after.advanced(to: at(60))
        #expect(resolved.map(\.notification.isResolved) == [true])
        after.delivered(try #require(resolved.first).id, at: at(60))
        #expect(after.groupCount == 0)
        #expect(after.takeChanges().map { $0.entry == nil } == [true])
    }

    @Test func anIncidentStaysOpenOverARestart() throws {
        var queue = try queue("group_by: [alertname]\ngroup_wait: 0s\ngroup_interval: 10s")
        queue.received([alert(["alertname": "TribuneRollback"])], origin: .incidents, urgent: true, at: at(0))
        queue.delivered(try #require(queue.advanced(to: at(0)).first).id, at: at(0))
        var after = try restarted(queue, at: at(30))
        after.restorationEnded(at: at(35))
        #expect(after.advanced(to: at(60)).isEmpty)
        #expect(after.groupCount == 1)
    }

    @Test func alertsOfTheAPIEndWhenTheyAreNotReceivedAgain() throws {
        var queue = try queue("group_by: [alertname]\ngroup_wait: 0s\ngroup_interval: 10s")
        var posted = alert(["alertname": "A"])
        posted.endsAt = at(60)
        queue.received([posted], origin: .api, at: at(0))
        queue.delivered(try #require(queue.advanced(to: at(0)).first).id, at: at(0))
        var after = try restarted(queue, at: at(100))
        after.restorationEnded(at: at(101))
        #expect(after.advanced(to: at(120)).isEmpty)
        #expect(after.advanced(to: at(200)).map(\.notification.isResolved) == [true])
    }

    // MARK: Several nodes

    @Test func aNodeThatTakesOverKnowsWhatWasSentAndResolvesWhatEnded() throws {
        let route = "group_by: [alertname]\ngroup_wait: 0s\ngroup_interval: 1m\nrepeat_interval: 1h"
        var leader = try queue(route)
        var standby = leader
        for name in ["Same", "Ended", "Missing"] {
            leader.received([alert(Labels([Label("alertname", name)]))], at: at(0))
            if name != "Missing" { standby.received([alert(Labels([Label("alertname", name)]))], at: at(0)) }
        }
        for delivery in leader.advanced(to: at(0)) { leader.delivered(delivery.id, at: at(0)) }
        standby.received([alert(["alertname": "Ended"], resolved: 20)], at: at(20))
        standby.received([alert(["alertname": "New"], since: 25)], at: at(25))
        standby.stoodBy(at: at(30))
        standby.tookOver(leader.logEntries, at: at(40))
        #expect(standby.takeChanges().isEmpty)
        standby.restorationEnded(at: at(40))
        let sent = standby.advanced(to: at(40))
        #expect(
            Set(sent.map { "\($0.notification.groupLabels["alertname"] ?? "") \($0.notification.isResolved)" })
                == ["Ended true", "Missing true", "New false"])
        for delivery in sent { standby.delivered(delivery.id, at: at(40)) }
        #expect(standby.groupCount == 2)
        #expect(standby.advanced(to: at(200)).isEmpty)
    }

    @Test func aNodeThatStandsByForgetsWhatEnded() throws {
        var queue = try queue("group_by: [alertname]")
        queue.received([alert(["alertname": "A"]), alert(["alertname": "B"])], at: at(0))
        queue.received([alert(["alertname": "A"], resolved: 10)], at: at(10))
        queue.stoodBy(at: at(100))
        #expect(queue.groupCount == 2)
        queue.stoodBy(at: at(311))
        #expect(queue.groupCount == 1)
    }
}
