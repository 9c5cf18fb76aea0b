import CurlHTTP
import Glibc
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

/// Debian's Alertmanager on a free port of the loopback.
private final class RealAlertmanager {
    static let program = "/usr/bin/prometheus-alertmanager"
    static var isInstalled: Bool { access(program, X_OK) == 0 }

    let port = Loopback.freePort()
    private let directory = TemporaryDirectory()
    private let process: ChildProcess

    init() throws {
        let configuration = directory.write("route: {receiver: none}\nreceivers: [{name: none}]\n", to: "am.yml")
        process = try ChildProcess(
            [
                Self.program, "--config.file=\(configuration)", "--storage.path=\(directory.file("data"))",
                "--web.listen-address=127.0.0.1:\(port)", "--cluster.listen-address=",
            ], output: .file(directory.file("out")), errors: .file(directory.file("err")))
        let ready = HTTPRequest(url: "http://127.0.0.1:\(port)/-/ready")
        #expect(Loopback.eventually { (try? HTTPClient().send(ready))?.status == 200 })
    }

    deinit { _ = process.stop() }

    /// The alerts that are active there.
    func alerts() throws -> [JSON] {
        let answer = try HTTPClient().send(HTTPRequest(url: "http://127.0.0.1:\(port)/api/v2/alerts"))
        return try JSON(parsing: answer.body).elements ?? []
    }
}

@Suite struct AlertmanagerSenderTests {
    private func alert(_ name: String, resolved: Bool = false) -> Alert {
        let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        return Alert(
            labels: ["alertname": name, "severity": "high", "pod": "a"], annotations: ["summary": "\(name) is down"],
            startsAt: now - .minutes(1), endsAt: resolved ? now : now + .minutes(4), isResolved: resolved,
            generatorURL: "http://tribune:9190/graph?g0.expr=up&g0.tab=1", value: 0)
    }

    private func names(_ alerts: [Alert]) -> [String] { alerts.map { $0.labels["alertname"] ?? "" } }

    @Test func batchesAreBoundedAndTheOldestGoWhenTheQueueIsFull() {
        var queue = AlertmanagerQueue(capacity: 5, batchLimit: 2)
        #expect(queue.received(["a", "b", "c"].map { alert($0) }) == 0)
        #expect(queue.received(["d", "e", "f", "g"].map { alert($0) }) == 2)
        #expect(queue.count == 5)
        #expect(names(queue.nextBatch()) == ["c", "d"])
        #expect(names(queue.nextBatch()) == ["e", "f"])
        #expect(names(queue.nextBatch()) == ["g"])
        #expect(queue.nextBatch().isEmpty)
        #expect(queue.received((0..<9).map { alert("\($0)") }) == 4)
        #expect(queue.abandoned() == 5)
        #expect(queue.count == 0)
    }

    @Test func everyServerGetsEverythingThatItsRulesLeave() throws {
        let bodies = Mutex<[(path: String, body: JSON, authorization: String?)]>([])
        let server = try HTTPServer(HTTPServerConfiguration()) { request in
            let body = (try? JSON(parsing: request.body)) ?? .null
            bodies.withLock { $0.append((request.path, body, request[header: "Authorization"])) }
            return HTTPServerResponse(status: request.path == "/broken" ? 500 : 200, body: [])
        }
        defer { server.stop() }
        let registry = Registry()
        let sender = AlertmanagerSender(logger: .silent, registry: registry)
        let base = "http://127.0.0.1:\(server.port)"
        try sender.reload(
            AlertmanagerSettings(
                externalLabels: ["cluster": "eu", "severity": "none"],
                relabel: { $0["alertname"] == "Hidden" ? nil : $0.dropping(["pod"]) },
                servers: [
                    AlertmanagerServer(url: "\(base)/broken"),
                    AlertmanagerServer(
                        url: "\(base)/one", relabel: { $0.setting("for", to: "one") },
                        prepare: { (request) throws(HTTPFailure) in request.authorize(credentials: "token") }),
                    AlertmanagerServer(url: "\(base)/two", relabel: { $0["alertname"] == "A0" ? .empty : $0 }),
                ]))
        #expect(sender.urls == ["\(base)/broken", "\(base)/one", "\(base)/two"])
        sender.receive((0..<300).map { alert("A\($0)") } + [alert("Hidden")])
        #expect(Loopback.eventually { bodies.withLock { $0.count } == 6 })
        sender.stop()

        let seen = bodies.withLock { $0 }
        func sizes(_ path: String) -> [Int] { seen.filter { $0.path == path }.map { $0.body.elements?.count ?? -1 } }
        #expect(sizes("/broken") == [256, 44])
        #expect(sizes("/one") == [256, 44])
        #expect(sizes("/two") == [256, 43])
        let one = try #require(seen.first { $0.path == "/one" })
        #expect(one.authorization == "Bearer token")
        let first = try #require(one.body.elements?.first)
        #expect(
            first["labels"] == ["alertname": "A0", "cluster": "eu", "for": "one", "severity": "high"])
        #expect(first["annotations"] == ["summary": "A0 is down"])
        #expect(first["generatorURL"]?.text == "http://tribune:9190/graph?g0.expr=up&g0.tab=1")
        let failed = registry.counter(
            "tribune_alertmanager_errors_total", "Alerts that an Alertmanager did not accept.",
            labels: ["alertmanager": "\(base)/broken"])
        #expect(failed.value == 300)
    }

    @Test func aServerThatIsGoneHoldsUpNeitherReloadNorEnd() throws {
        let sender = AlertmanagerSender(logger: .silent, registry: Registry())
        let nobody = "http://127.0.0.1:\(Loopback.freePort())/api/v2/alerts"
        try sender.reload(
            AlertmanagerSettings(servers: [AlertmanagerServer(url: nobody), AlertmanagerServer(url: nobody)]))
        #expect(sender.urls == [nobody])
        sender.receive([alert("A")])
        try sender.reload(AlertmanagerSettings())
        #expect(sender.urls == [])
        sender.receive([alert("B")])
        sender.stop()
    }

    @Test(.enabled(if: RealAlertmanager.isInstalled, "prometheus-alertmanager is not installed"))
    func aRealAlertmanagerSeesAnAlertAndItsEnd() throws {
        let real = try RealAlertmanager()
        let sender = AlertmanagerSender(logger: .silent, registry: Registry())
        try sender.reload(
            AlertmanagerSettings(
                externalLabels: ["cluster": "eu"],
                servers: [AlertmanagerServer(url: "http://127.0.0.1:\(real.port)/api/v2/alerts")]))
        sender.receive([alert("Down")])
        #expect(try Loopback.eventually { try real.alerts().count == 1 })
        let seen = try #require(try real.alerts().first)
        #expect(seen["labels"] == ["alertname": "Down", "cluster": "eu", "pod": "a", "severity": "high"])
        #expect(seen["annotations"]?["summary"]?.text == "Down is down")
        #expect(seen["status"]?["state"]?.text == "active")
        sender.receive([alert("Down", resolved: true)])
        #expect(try Loopback.eventually { try real.alerts().isEmpty })
        sender.stop()
    }
}
