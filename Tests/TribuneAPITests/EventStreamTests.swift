import MetricModel
import RuleEngine
import RuleModel
import Synchronization
import TestSupport
import Testing
import WebFixture

@testable import TribuneAPI

@Suite struct EventStreamTests {
    private static func alert(_ name: String, _ state: ActiveAlertSnapshot.State) -> ActiveAlertSnapshot {
        ActiveAlertSnapshot(
            labels: ["alertname": name], annotations: .empty, state: state, activeAt: Timestamp(milliseconds: 0),
            keepFiringSince: nil, value: 1)
    }

    private func snapshot(_ alerts: [ActiveAlertSnapshot]) -> EventSnapshot {
        var sources = TribuneSources()
        sources.alerts = { alerts }
        return EventSnapshot(sources)
    }

    @Test func onlyChangesAreSent() {
        let first = snapshot([Self.alert("A", .pending), Self.alert("B", .firing)])
        let second = snapshot([Self.alert("A", .firing), Self.alert("C", .pending)])
        #expect(first.changes(since: first) == [])
        #expect(
            second.changes(since: first) == [
                EventSnapshot.Event(
                    name: "alerts",
                    data: #"[{"labels":{"alertname":"A"},"state":"firing"},{"labels":{"alertname":"B"},"#
                        + #""state":"inactive"},{"labels":{"alertname":"C"},"state":"pending"}]"#)
            ])
    }

    @Test func tooManyChangesAskTheClientToReadAnew() {
        let many = snapshot((0..<501).map { Self.alert("\($0)", .firing) })
        #expect(
            many.changes(since: EventSnapshot()) == [EventSnapshot.Event(name: "reset", data: #"{"list":"alerts"}"#)])
    }

    @Test func aClientSeesThePresentStateAndThenChanges() throws {
        final class Alerts: Sendable {
            let current = Mutex([EventStreamTests.alert("A", .pending)])
        }
        let alerts = Alerts()
        let fixture = try WebFixture(sources: { $0.tribune.alerts = { alerts.current.withLock { $0 } } })
        let client = RawHTTPClient(port: fixture.port)
        client.send("GET /api/v1/events/stream HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(client.received(until: #"{"alertname":"A"},"state":"pending""#))
        alerts.current.withLock { $0 = [Self.alert("A", .firing)] }
        #expect(client.received(until: #"{"alertname":"A"},"state":"firing""#))
        alerts.current.withLock { $0 = [] }
        #expect(client.received(until: #"{"alertname":"A"},"state":"inactive""#))
    }
}
