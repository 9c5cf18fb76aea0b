import CurlHTTP
import JSON
import MetricModel
import RouterFixtures
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import Rollback
@testable import TrafficRouters

struct RouterTests {
    private let directory = TemporaryDirectory()

    private func exec(_ shift: [String], read: [String] = ["true"], timeout: Milliseconds = .seconds(5)) -> ExecRouter {
        ExecRouter(route: ExecRoute(shift: shift, read: read, isolate: shift), timeout: timeout)
    }

    @Test("a program gets the operation, its key and the epoch, and is read back")
    func exec() throws {
        let state = directory.file("state")
        let log = directory.file("log")
        let script = directory.write(
            """
            cat > \(state)
            echo "$TRIBUNE_IDEMPOTENCY_KEY $TRIBUNE_EPOCH" >> \(log)
            """, to: "shift.sh")
        let read = "echo '{\"stable\": 90, \"candidate\": 10, \"stable_healthy\": true}'"
        let router = exec(["sh", script], read: ["sh", "-c", read])
        try router.shift(to: try #require(TrafficSplit(candidate: 10)), for: HAProxyFixture.operation)
        try router.isolate(for: HAProxyFixture.operation)
        #expect(FileText.read(log) == "acgs/1/auth/1/shift 1\nacgs/1/auth/1/isolate 1\n")
        #expect(
            FileText.read(state)
                == #"{"operation":"isolate","service":"auth","generation":1,"epoch":1,"key":"acgs/1/auth/1"}"#)
        let seen = try router.read()
        #expect(
            seen
                == Inspection(
                    split: TrafficSplit(candidate: 10), stable: .healthy,
                    candidate: .unknown("not reported by the router")))
    }

    @Test(
        "programs that fail are errors that say how",
        arguments: [
            (["sh", "-c", "echo no route >&2; exit 3"], "sh ended with exit code 3: no route"),
            (["/nonexistent"], "cannot start /nonexistent: No such file or directory"),
            (["sh", "-c", "kill -9 $$"], "sh ended with signal 9: "),
            (["sleep", "60"], "sleep took longer than 100ms"),
            (["sh", "-c", "sleep 60 & sleep 60"], "sh took longer than 100ms"),
        ])
    func execFailure(command: [String], message: String) {
        let router = exec(command, timeout: command.joined().contains("sleep") ? .milliseconds(100) : .seconds(5))
        #expect(throws: RouterError(message)) { try router.shift(to: .allStable, for: HAProxyFixture.operation) }
    }

    @Test(
        "a reading must be JSON with two percentages",
        arguments: [
            ("", "the reading is invalid JSON at byte 0: expected a value, found the end of the text"),
            ("{\"stable\": 100}", "the numbers \"stable\" and \"candidate\" are required"),
            ("{\"stable\": 200, \"candidate\": -100}", "the weights 200 and -100 are not percentages"),
        ])
    func badReading(text: String, message: String) {
        #expect(throws: RouterError(message)) { try RouterMessage.inspection(Array(text.utf8)) }
    }

    @Test("weights that do not sum to 100 are refused")
    func oddSum() throws {
        #expect(try RouterMessage.inspection(Array("{\"stable\": 50, \"candidate\": 10}".utf8)).split == nil)
    }

    @Test("a web service gets the operation with its key, and is read back")
    func webhook() throws {
        let requests = Mutex<[LoopbackServer.Request]>([])
        let server = LoopbackServer { request in
            requests.withLock { $0.append(request) }
            return request.line.hasPrefix("GET") ? .ok("{\"stable\": 0, \"candidate\": 100}") : .ok("{}")
        }
        defer { server.stop() }
        let router = WebhookRouter(
            route: WebhookRoute(
                url: server.url + "/shift", read: server.url + "/read",
                headers: [.init(name: "Authorization", value: "Bearer s3cret")]), timeout: .seconds(5),
            client: HTTPClient())
        try router.shift(to: .allStable, for: HAProxyFixture.operation)
        #expect(try router.read().split == .allCandidate)
        let seen = requests.withLock { $0 }
        #expect(seen.map(\.target) == ["/shift", "/read"])
        #expect(seen[0].headers["idempotency-key"] == "acgs/1/auth/1/shift")
        #expect(seen[0].headers["authorization"] == "Bearer s3cret")
        let body = try JSON(parsing: seen[0].body)
        #expect(body["candidate"] == 0)
        #expect(body["stable"] == 100)
    }

    @Test("a web service that refuses, or does not respond, is an error")
    func webhookFailure() {
        let server = LoopbackServer { request in
            request.target == "/hang" ? .hang : .ok("conflict", status: "409 Conflict")
        }
        defer { server.stop() }
        func router(_ path: String) -> WebhookRouter {
            WebhookRouter(
                route: WebhookRoute(url: server.url + path, read: server.url, headers: []),
                timeout: .milliseconds(200), client: HTTPClient())
        }
        #expect(throws: RouterError("POST \(server.url)/x answered 409: conflict")) {
            try router("/x").shift(to: .allStable, for: HAProxyFixture.operation)
        }
        #expect(throws: RouterError.self) {
            try router("/hang").shift(to: .allStable, for: HAProxyFixture.operation)
        }
    }

    @Test("several routers of a service have weights only while they agree")
    func several() throws {
        func service(_ readings: [String]) throws -> ServiceRouter {
            let routes = readings.map { "  - exec: {shift: [\"true\"], read: [echo, '\($0)']}\n" }.joined()
            let plan = try RolloutPlan(
                parsing: "plan: p\nstages: [100]\nservices:\n- name: a\n  routes:\n\(routes)", file: "p.yml")
            return ServiceRouter(plan.services[0], client: HTTPClient())
        }
        var operation = HAProxyFixture.operation
        operation.kind = .inspect
        func split(_ readings: [String]) throws -> TrafficSplit? {
            guard case .inspected(let seen) = try service(readings).perform(operation) else { return nil }
            return seen.split
        }
        let (stable, candidate) = ("{\"stable\": 100, \"candidate\": 0}", "{\"stable\": 0, \"candidate\": 100}")
        #expect(try split([stable, stable]) == .allStable)
        #expect(try split([stable, candidate]) == nil)
        #expect(try service([stable, "x"]).perform(operation) != .done)
    }

    @Test("any bad result of a target counts, and one good result is enough if others are unknown")
    func health() {
        let bad = TargetHealth.unhealthy("down")
        let unknown = TargetHealth.unknown("no check")
        #expect(TargetHealth.healthy.combined(with: unknown) == .healthy)
        #expect(unknown.combined(with: .healthy) == .healthy)
        #expect(bad.combined(with: .healthy) == bad)
        #expect(TargetHealth.healthy.combined(with: bad) == bad)
        #expect(unknown.combined(with: unknown) == .unknown("no check, no check"))
    }
}
