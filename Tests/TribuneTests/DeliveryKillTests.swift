import CurlHTTP
import Glibc
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing

/// A real Tribune that is killed (SIGKILL) at each point of the delivery of a message, and started again.
struct DeliveryKillTests {
    /// When the process is killed.
    enum Point: Equatable, CustomTestStringConvertible {
        /// Before the receiver has read the message.
        case requestLost
        /// When the receiver has accepted the message and the process has no answer yet.
        case answerLost
        /// So many milliseconds after the answer: before, while or after the process writes its log.
        case answered(milliseconds: UInt32)

        var testDescription: String { "\(self)" }
    }

    /// What the receiver and the test share.
    private final class Receiver: Sendable {
        struct State {
            /// The status of each message that was accepted.
            var accepted: [String] = []
            /// Kills the process at the next message.
            var armed: Point?
            /// Set when the process is to be killed.
            var isDue = false
            /// Set when it is dead.
            var isDead = false
        }
        let state = Mutex(State())

        func take(_ request: LoopbackServer.Request) -> LoopbackServer.Reply {
            let status = (try? JSON(parsing: request.body))?["status"]?.text ?? "unreadable"
            let point = state.withLock { state -> Point? in
                if state.armed != .requestLost { state.accepted.append(status) }
                defer { state.armed = nil }
                if state.armed != nil { state.isDue = true }
                return state.armed
            }
            switch point {
            case .requestLost, .answerLost:
                _ = Loopback.eventually { state.withLock(\.isDead) }
                return .bytesThenClose([])
            case .answered, nil: return .ok("")
            }
        }
    }

    @Test(arguments: [
        Point.requestLost, .answerLost, .answered(milliseconds: 0), .answered(milliseconds: 2),
        .answered(milliseconds: 500),
    ])
    func isAtLeastOnceAndNeverAResolveAlone(point: Point) throws {
        let receiver = Receiver()
        let hook = LoopbackServer { receiver.take($0) }
        defer { hook.stop() }
        let tribune = try RunningTribune([
            "tribune.yml": "prometheus_config: prometheus.yml\nalertmanager_config: alertmanager.yml\n",
            "prometheus.yml": "scrape_configs: []\n",
            "alertmanager.yml": """
            route: {receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 300ms}
            receivers: [{name: hook, webhook_configs: [{url: '\(hook.url)/'}]}]
            """,
        ])
        for status in ["firing", "resolved"] {
            receiver.state.withLock {
                $0.armed = point
                $0.isDue = false
                $0.isDead = false
            }
            // As a Prometheus does: again and again.
            let isReached = Loopback.eventually(within: 20) {
                try? post(tribune, status)
                return receiver.state.withLock(\.isDue)
            }
            try #require(isReached, "\(tribune.log)")
            if case .answered(let milliseconds) = point { usleep(milliseconds * 1000) }
            tribune.process.signal(SIGKILL)
            _ = tribune.process.wait()
            receiver.state.withLock { $0.isDead = true }
            try tribune.restart()
            let isSent = Loopback.eventually(within: 20) {
                try? post(tribune, status)
                return receiver.state.withLock { $0.accepted.last == status }
            }
            #expect(isSent, "\(tribune.log)")
            // Two intervals of the group.
            let until = SystemClock.monotonicNanoseconds() + 700_000_000
            while SystemClock.monotonicNanoseconds() < until {
                try post(tribune, status)
                usleep(100_000)
            }
        }
        let accepted = receiver.state.withLock(\.accepted)
        #expect(accepted.first == "firing" && accepted.last == "resolved", "\(accepted)")
        #expect(accepted.sorted() == accepted, "\(accepted)")
        switch point {
        case .requestLost, .answered(milliseconds: 500): #expect(accepted == ["firing", "resolved"])
        case .answerLost, .answered: #expect(accepted.count <= 4, "\(accepted)")
        }
    }

    private func post(_ tribune: RunningTribune, _ status: String) throws {
        var members: [JSON.Member] = [
            .init("labels", ["alertname": "A"]), .init("startsAt", "2026-01-01T00:00:00Z"),
        ]
        if status == "resolved" { members.append(.init("endsAt", "2026-01-02T00:00:00Z")) }
        var request = HTTPRequest(url: "http://127.0.0.1:\(tribune.port)/api/v2/alerts")
        request.method = "POST"
        request.headers = [("Content-Type", "application/json")]
        request.body = Array(JSON.array([.object(members)]).encoded.utf8)
        _ = try HTTPClient().send(request)
    }
}
