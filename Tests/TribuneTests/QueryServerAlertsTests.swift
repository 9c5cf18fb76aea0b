import MetricModel
import RuleModel
import Testing

@testable import RemoteQuery
@testable import Tribune

/// The alerts about query servers, in virtual time.
@Suite struct QueryServerAlertsTests {
    private func trouble(_ reason: String = "gone", since: Int64 = 100) -> QueryServers.Trouble {
        .init(server: "default", since: at(since), reason: reason, askers: 2)
    }

    private func at(_ seconds: Int64) -> Timestamp { Timestamp(milliseconds: seconds * 1000) }

    @Test func aTroubleThatLastsIsToldOnceAndItsEndToo() {
        var machine = QueryServerAlerts()
        #expect(machine.alerts(for: [trouble()], at: at(129)).isEmpty)
        let first = machine.alerts(for: [trouble()], at: at(130))
        #expect(
            first.map(\.labels) == [
                ["alertname": "TribuneQueryServerUnanswered", "server": "default", "severity": "critical"]
            ])
        #expect(first.map(\.annotations) == [["summary": "2 rule groups or gates wait for an answer: gone"]])
        #expect(first.map(\.startsAt) == [at(100)])
        #expect(machine.alerts(for: [trouble()], at: at(131)).isEmpty)
        #expect(machine.alerts(for: [trouble("slow")], at: at(132)).count == 1)
        // Before it expires.
        #expect(machine.alerts(for: [trouble("slow")], at: at(732)).map(\.isResolved) == [false])
        let last = machine.alerts(for: [], at: at(740))
        #expect(last.map(\.isResolved) == [true])
        #expect(last.map(\.startsAt) == [at(100)])
        #expect(machine.alerts(for: [], at: at(741)).isEmpty)
    }

    @Test func aBlipIsNotTold() {
        var machine = QueryServerAlerts()
        #expect(machine.alerts(for: [trouble()], at: at(110)).isEmpty)
        #expect(machine.alerts(for: [], at: at(111)).isEmpty)
        #expect(machine.alerts(for: [trouble(since: 120)], at: at(140)).isEmpty)
    }
}
