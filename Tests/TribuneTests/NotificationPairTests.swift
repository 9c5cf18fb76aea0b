import CurlHTTP
import Glibc
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing

/// Two real Tribunes that share a lease in a real PostgreSQL, and one receiver.
@Suite(.enabled(if: PostgresServer.programDirectory != nil, "PostgreSQL is not installed"), .serialized)
struct NotificationPairTests {
    private final class Seen: Sendable {
        let bodies = Mutex<[JSON]>([])

        /// The status of each message about `name`, in order.
        func statuses(_ name: String) -> [String] {
            bodies.withLock { $0 }.filter { $0["groupLabels"]?["alertname"]?.text == name }
                .compactMap { $0["status"]?.text }
        }
    }

    private final class World {
        let database: PostgresServer
        let seen = Seen()
        let hook: LoopbackServer
        var nodes: [RunningTribune] = []
        private let client = HTTPClient()

        init() throws {
            database = try PostgresServer()
            hook = LoopbackServer { [seen] request in
                seen.bodies.withLock { $0.append((try? JSON(parsing: request.body)) ?? .null) }
                return .ok("")
            }
            let files = [
                "prometheus.yml": "global: {evaluation_interval: 200ms}\nrule_files: [rules.yml]\n",
                "rules.yml": "groups: [{name: g, rules: [{alert: Rule, expr: vector(1)}]}]\n",
                "alertmanager.yml": """
                route: {receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 500ms}
                receivers: [{name: hook, webhook_configs: [{url: '\(hook.url)/'}]}]
                """,
                "tribune.yml": """
                prometheus_config: prometheus.yml
                alertmanager_config: alertmanager.yml
                history: {postgres: {connection: '\(database.address)'}}
                lease: {postgres: {connection: '\(database.address)'}, ttl: 4s}
                """,
            ]
            for _ in 0..<2 { try nodes.append(RunningTribune(files)) }
        }

        deinit { hook.stop() }

        private func leads(_ node: RunningTribune) -> Bool {
            guard let body = try? node.get("/metrics").body else { return false }
            return String(decoding: body, as: UTF8.self).contains("tribune_lease_holder 1\n")
        }

        func leader(among nodes: [RunningTribune]) throws -> RunningTribune {
            var found: RunningTribune?
            let isThere = Loopback.eventually(within: 60) {
                found = nodes.first(where: leads)
                return found?.log.contains("this node notifies") == true
            }
            try #require(isThere, "\(nodes.map(\.log))")
            return found!
        }

        @discardableResult
        func send(_ method: String, _ node: RunningTribune, _ path: String, _ body: JSON = .null) throws -> JSON {
            var request = HTTPRequest(url: "http://127.0.0.1:\(node.port)\(path)")
            request.method = method
            if body != .null {
                request.headers = [("Content-Type", "application/json")]
                request.body = Array(body.encoded.utf8)
            }
            let answer = try client.send(request)
            #expect(answer.status == 200, "\(String(decoding: answer.body, as: UTF8.self))")
            return (try? JSON(parsing: answer.body)) ?? .null
        }

        /// As a Prometheus does, to each node that runs.
        func post(_ name: String, endsAt: String? = nil, to nodes: [RunningTribune]) throws {
            var members: [JSON.Member] = [
                .init("labels", ["alertname": .string(name)]), .init("startsAt", "2026-01-01T00:00:00Z"),
            ]
            if let endsAt { members.append(.init("endsAt", .string(endsAt))) }
            for node in nodes { try send("POST", node, "/api/v2/alerts", .array([.object(members)])) }
        }

        func silence(_ name: String, on node: RunningTribune) throws -> String {
            let answer = try send(
                "POST", node, "/api/v2/silences",
                [
                    "matchers": [["name": "alertname", "value": .string(name), "isRegex": false]],
                    "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2999-01-01T00:00:00Z", "createdBy": "ada",
                    "comment": "planned",
                ])
            return try #require(answer["silenceID"]?.text)
        }

        func state(ofSilence id: String, on node: RunningTribune) -> String? {
            guard let answer = try? node.get("/api/v2/silence/\(id)"), answer.status == 200 else { return nil }
            return (try? JSON(parsing: answer.body))?["status"]?["state"]?.text
        }
    }

    @Test("after a fail-over nothing is repeated, what ended is resolved, and silences of either node count")
    func takesOver() throws {
        let world = try World()
        let first = try world.leader(among: world.nodes)
        let second = try #require(world.nodes.first { $0 !== first })
        // Silences made on one node are seen on the other, and so are their ends.
        let quiet = try world.silence("Quiet", on: second)
        #expect(Loopback.eventually(within: 20) { world.state(ofSilence: quiet, on: first) == "active" })
        let short = try world.silence("Short", on: first)
        #expect(Loopback.eventually(within: 20) { world.state(ofSilence: short, on: second) == "active" })
        try world.send("DELETE", second, "/api/v2/silence/\(short)")
        #expect(Loopback.eventually(within: 20) { world.state(ofSilence: short, on: first) == "expired" })

        for name in ["Posted", "Gone", "Quiet"] { try world.post(name, to: world.nodes) }
        let isSent = Loopback.eventually(within: 30) {
            ["Rule", "Posted", "Gone"].allSatisfy { world.seen.statuses($0) == ["firing"] }
        }
        try #require(isSent, "\(first.log) \(second.log)")
        // The metric is zero once everything is in the database.
        let isShared = Loopback.eventually(within: 20) {
            let text = (try? first.get("/metrics")).map { String(decoding: $0.body, as: UTF8.self) } ?? ""
            return text.contains("tribune_notification_sharing_queued 0\n")
        }
        #expect(isShared)

        first.process.signal(SIGKILL)
        _ = first.process.wait()
        try world.post("Gone", endsAt: "2026-01-02T00:00:00Z", to: [second])
        #expect(try world.leader(among: [second]) === second)
        #expect(Loopback.eventually(within: 30) { world.seen.statuses("Gone") == ["firing", "resolved"] })
        // A new alert shows that groups are worked on; what is old was not repeated before it.
        try world.post("New", to: [second])
        #expect(Loopback.eventually(within: 30) { world.seen.statuses("New") == ["firing"] })
        #expect(world.seen.statuses("Rule") == ["firing"])
        #expect(world.seen.statuses("Posted") == ["firing"])
        #expect(world.seen.statuses("Quiet").isEmpty)

        // Back in order: the second is ended and gives the lease back.
        try first.restart()
        #expect(Loopback.eventually(within: 20) { world.state(ofSilence: quiet, on: first) == "active" })
        #expect(second.process.stop(graceMilliseconds: 20_000) == .code(0))
        try world.post("Posted", endsAt: "2026-01-02T00:00:00Z", to: [first])
        #expect(
            Loopback.eventually(within: 60) { world.seen.statuses("Posted") == ["firing", "resolved"] }, "\(first.log)")
        #expect(world.seen.statuses("Rule") == ["firing"])
        #expect(world.seen.statuses("New") == ["firing"])
    }
}
