import Instrumentation
import JSON
import MetricModel
import Notification
import RuleModel
import Runtime
import Synchronization
import TestSupport
import Testing
import WebServer
import YAML

/// A receiver that records messages and returns configured responses.
private final class FakeReceiver: Sendable {
    let bodies = Mutex<[(path: String, body: JSON, authorization: String?)]>([])
    let statuses = Mutex<[Int]>([])

    func answer(_ request: HTTPServerRequest) -> HTTPServerResponse {
        let body = (try? JSON(parsing: request.body)) ?? .null
        bodies.withLock { $0.append((request.path, body, request[header: "Authorization"])) }
        let status = statuses.withLock { $0.isEmpty ? 202 : $0.removeFirst() }
        return HTTPServerResponse(status: status, body: [])
    }
}

@Suite struct NotificationRunnerTests {
    private func run(
        _ receivers: String, statuses: [Int] = [], alerts: [Alert], expecting count: Int
    ) throws -> (bodies: [(path: String, body: JSON, authorization: String?)], outcomes: [String?]) {
        let fake = FakeReceiver()
        fake.statuses.withLock { $0 = statuses }
        let server = try HTTPServer(HTTPServerConfiguration()) { fake.answer($0) }
        defer { server.stop() }
        let text = """
            route: {receiver: r, group_wait: 0s, group_by: [alertname]}
            receivers:
            - name: r
            \(receivers.replacing("PORT", with: "\(server.port)"))
            """
        let configuration = try NotificationConfiguration(
            try #require(try YAML.parse(text, file: "am.yml").first), file: "am.yml")
        let outcomes = Outcomes()
        let directory = TemporaryDirectory()
        let runner = NotificationRunner(
            externalURL: "http://tribune:9190", silences: .kept(in: directory), logger: .silent, registry: Registry(),
            onOutcome: { outcomes.add($0) })
        try runner.start(configuration)
        runner.receive(alerts)
        #expect(Loopback.eventually { fake.bodies.withLock { $0.count } >= count && outcomes.all.count >= count })
        runner.stop()
        return (fake.bodies.withLock { $0 }, outcomes.all)
    }

    private final class Outcomes: Sendable {
        private let failures = Mutex<[String?]>([])
        var all: [String?] { failures.withLock { $0 } }
        func add(_ outcome: NotificationRunner.Outcome) { failures.withLock { $0.append(outcome.failure) } }
    }

    private let firing = Alert(
        labels: ["alertname": "Down", "instance": "a:1", "severity": "high"], annotations: ["summary": "a:1 is down"],
        startsAt: Timestamp(milliseconds: 1_700_000_000_000), endsAt: .distantFuture, isResolved: false,
        generatorURL: "http://tribune:9190/graph", value: 0)

    @Test func webhooksReceiveVersionFour() throws {
        let result = try run(
            """
              webhook_configs:
              - url: http://127.0.0.1:PORT/hook
                http_config: {authorization: {credentials: token}}
            """, alerts: [firing], expecting: 1)
        let body = try #require(result.bodies.first?.body)
        #expect(result.bodies.first?.authorization == "Bearer token")
        #expect(body["version"]?.text == "4")
        #expect(body["status"]?.text == "firing")
        #expect(body["groupKey"]?.text == #"{}:{alertname="Down"}"#)
        #expect(body["commonAnnotations"]?["summary"]?.text == "a:1 is down")
        let alert = try #require(body["alerts"]?.elements?.first)
        #expect(alert["startsAt"]?.text == "2023-11-14T22:13:20Z")
        #expect(alert["endsAt"]?.text == "0001-01-01T00:00:00Z")
        // The fingerprint that Alertmanager 0.25 shows for these labels.
        #expect(alert["fingerprint"]?.text == "9a20be7635879dea")
        #expect(result.outcomes == [nil])
    }

    @Test func pagerDutyReceivesATriggerWithAStableKey() throws {
        let receivers = """
              pagerduty_configs:
              - routing_key: KEY
                url: http://127.0.0.1:PORT/v2/enqueue
            """
        let first = try run(receivers, alerts: [firing], expecting: 1)
        let second = try run(receivers, alerts: [firing], expecting: 1)
        let body = try #require(first.bodies.first?.body)
        #expect(body["event_action"]?.text == "trigger")
        #expect(body["routing_key"]?.text == "KEY")
        let payload = try #require(body["payload"])
        #expect(payload["severity"]?.text == "error")
        #expect(payload["summary"]?.text?.hasPrefix("[FIRING:1] Down ") == true)
        #expect(payload["source"]?.text == "Alertmanager")
        #expect(payload["custom_details"]?["num_firing"]?.text == "1")
        #expect(payload["custom_details"]?["firing"]?.text?.hasPrefix("Labels:\n - alertname = Down\n") == true)
        #expect(body["dedup_key"]?.text?.count == 64)
        #expect(body["dedup_key"] == second.bodies.first?.body["dedup_key"])
    }

    @Test func serverErrorsAreTriedAgainUntilTheyPass() throws {
        let result = try run(
            "  webhook_configs: [{url: 'http://127.0.0.1:PORT/'}]", statuses: [503, 429, 200], alerts: [firing],
            expecting: 3)
        #expect(result.outcomes == ["unexpected status code 503", "unexpected status code 429", nil])
    }

    @Test("a process that must not notify sends nothing, and has dropped its alerts when its turn comes")
    func standby() throws {
        let fake = FakeReceiver()
        let server = try HTTPServer(HTTPServerConfiguration()) { fake.answer($0) }
        defer { server.stop() }
        let text = """
            route: {receiver: r, group_wait: 0s, group_by: [alertname]}
            receivers: [{name: r, webhook_configs: [{url: 'http://127.0.0.1:\(server.port)/'}]}]
            """
        let configuration = try NotificationConfiguration(
            try #require(try YAML.parse(text, file: "am.yml").first), file: "am.yml")
        let leads = Atomic<Bool>(false)
        let asked = Atomic<Int>(0)
        let directory = TemporaryDirectory()
        let runner = NotificationRunner(
            externalURL: "http://tribune:9190", silences: .kept(in: directory), logger: .silent, registry: Registry())
        try runner.start(configuration) {
            asked.add(1, ordering: .relaxed)
            return leads.load(ordering: .relaxed)
        }
        defer { runner.stop() }
        #expect(Loopback.eventually { asked.load(ordering: .relaxed) > 0 })
        func settle(_ alert: Alert) {
            let before = asked.load(ordering: .relaxed)
            runner.receive([alert])
            #expect(Loopback.eventually { asked.load(ordering: .relaxed) > before })
        }
        settle(firing)
        var other = firing
        other.labels = ["alertname": "Slow"]
        settle(other)
        leads.store(true, ordering: .relaxed)
        other.labels = ["alertname": "Up"]
        runner.receive([other])
        #expect(Loopback.eventually { fake.bodies.withLock { !$0.isEmpty } })
        let told = fake.bodies.withLock { $0.map { $0.body["commonLabels"]?["alertname"]?.text } }
        #expect(told == ["Up"])
    }

    @Test func refusalsAreNotTriedAgain() throws {
        let result = try run(
            "  webhook_configs: [{url: 'http://127.0.0.1:PORT/'}]", statuses: [400], alerts: [firing], expecting: 1)
        #expect(result.outcomes == ["unexpected status code 400"])
        #expect(result.bodies.count == 1)
    }

    private func configuration(_ text: String) throws -> NotificationConfiguration {
        try NotificationConfiguration(try #require(try YAML.parse(text, file: "am.yml").first), file: "am.yml")
    }

    private func alert(_ name: String, team: String = "a") -> Alert {
        var alert = firing
        alert.labels = ["alertname": name, "team": team]
        return alert
    }

    @Test("a receiver that does not respond delays no other, and no incident for itself")
    func slowReceiver() throws {
        let told = FakeReceiver()
        let isOver = Atomic(false)
        let server = try HTTPServer(HTTPServerConfiguration()) { request in
            if request.path == "/slow", !String(decoding: request.body, as: UTF8.self).contains("Rollback") {
                _ = Loopback.eventually { isOver.load(ordering: .relaxed) }
            }
            return told.answer(request)
        }
        defer { server.stop() }
        let directory = TemporaryDirectory()
        let runner = NotificationRunner(
            externalURL: "http://tribune:9190", silences: .kept(in: directory), logger: .silent, registry: Registry())
        try runner.start(
            try configuration(
                """
                route:
                  receiver: quick
                  group_wait: 0s
                  group_by: [alertname]
                  routes: [{receiver: slow, matchers: [team="slow"]}]
                receivers:
                - {name: quick, webhook_configs: [{url: 'http://127.0.0.1:\(server.port)/quick'}]}
                - {name: slow, webhook_configs: [{url: 'http://127.0.0.1:\(server.port)/slow', timeout: 60s}]}
                """))
        defer {
            isOver.store(true, ordering: .relaxed)
            runner.stop()
        }
        runner.receive((0..<4).map { alert("Slow\($0)", team: "slow") })
        runner.receive((0..<20).map { alert("Quick\($0)") })
        runner.receive([alert("Rollback", team: "slow")], urgent: true)
        #expect(
            Loopback.eventually {
                let paths = told.bodies.withLock { $0.map(\.path) }
                return paths.filter { $0 == "/quick" }.count == 20 && paths.contains("/slow")
            })
    }

    @Test("alerts sent before a stop are not sent again after it, and those that ended meanwhile are resolved")
    func restart() throws {
        let fake = FakeReceiver()
        let server = try HTTPServer(HTTPServerConfiguration()) { fake.answer($0) }
        defer { server.stop() }
        let configuration = try configuration(
            """
            route: {receiver: r, group_wait: 0s, group_interval: 1s, group_by: [alertname]}
            receivers: [{name: r, webhook_configs: [{url: 'http://127.0.0.1:\(server.port)/'}]}]
            """)
        let directory = TemporaryDirectory()
        func started() throws -> NotificationRunner {
            let runner = NotificationRunner(
                externalURL: "http://tribune:9190", silences: .kept(in: directory),
                logPath: directory.path + "/sent.log",
                logger: .silent, registry: Registry())
            try runner.start(configuration)
            return runner
        }
        func bodies() -> [String] {
            fake.bodies.withLock { bodies in
                bodies.map {
                    ($0.body["commonLabels"]?["alertname"]?.text ?? "?") + " " + ($0.body["status"]?.text ?? "?")
                }
            }
        }
        let first = try started()
        first.receive([alert("Stays"), alert("Ends")])
        #expect(Loopback.eventually { bodies().count == 2 })
        first.stop()
        let second = try started()
        defer { second.stop() }
        second.receive([alert("Stays"), alert("New")])
        second.rulesWereEvaluated()
        #expect(Loopback.eventually { bodies().count == 4 })
        #expect(bodies()[2...].sorted() == ["Ends resolved", "New firing"])
    }
}
