import CurlHTTP
import Glibc
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing

/// A real Tribune that is killed (SIGKILL) between the steps of a page, and two that share a lease.
@Suite struct PagingKillTests {
    /// When the process is killed.
    enum Point: CaseIterable, CustomTestStringConvertible {
        /// When the first call is delivered and the process has no answer yet.
        case inTheFirstCall
        /// After the first call, before the second step.
        case betweenSteps
        /// When an acknowledgement was answered.
        case afterTheAnswer

        var testDescription: String { "\(self)" }
    }

    private static let steps =
        "steps: [{notify: [{person: ada}]}, {after: 1500ms, notify: [{receiver: second}]}, {after: 3s, notify: [{receiver: third}]}]"

    @Test(arguments: Point.allCases) func `a kill repeats no step and loses none`(point: Point) throws {
        let world = try PagingWorld(policy: Self.steps)
        func kill() throws {
            world.tribune.process.signal(SIGKILL)
            _ = world.tribune.process.wait()
            try world.tribune.restart()
        }
        if point == .inTheFirstCall { world.inbox.hold("/first") }
        try world.post("Down")
        #expect(Loopback.eventually { !world.inbox.heard("first").isEmpty }, "\(world.tribune.log)")
        if point == .betweenSteps {
            // The process knows that the call was taken, and has stored it.
            let isKnown = try Loopback.eventually {
                try world.record().contains { $0["body"]?["state"]?.text == "called" }
            }
            #expect(isKnown, "\(world.tribune.log)")
        }
        if point != .afterTheAnswer {
            try kill()
            world.inbox.release()
            #expect(Loopback.eventually { !world.inbox.heard("second").isEmpty }, "\(world.tribune.log)")
        }
        // A link of the first call works after the restart too.
        let call = try #require(world.inbox.messages.first { $0.path == "first" })
        #expect(try world.send("POST", call.acknowledge).status == 200, "\(world.tribune.log)")
        try kill()
        #expect(try world.send("POST", call.acknowledge).status == 410)
        #expect(world.page("Down")?["by"]?.text == "ada")
        // When a later page has fired all its steps, those of the first would have fired long ago.
        try world.post("Later")
        let isOver = Loopback.eventually { world.inbox.messages.contains { $0.path == "third" && $0.title == "Later" } }
        #expect(isOver, "\(world.tribune.log)")

        let calls = world.inbox.messages.filter { $0.title == "Down" && $0.status == "firing" }
        // A call whose answer was lost is repeated with its number; every other one is made once.
        #expect(calls.filter { $0.path == "first" }.count == (point == .inTheFirstCall ? 2 : 1), "\(calls)")
        #expect(Set(calls.map(\.call)).count == Set(calls.map { "\($0.path) \($0.call)" }).count)
        #expect(calls.filter { $0.path == "second" }.count == (point == .afterTheAnswer ? 0 : 1), "\(calls)")
        #expect(!calls.contains { $0.path == "third" })
        #expect(Set(calls.map(\.page)).count == 1)
    }

    /// Random numbers, so that each run kills at other moments; printed where the test fails.
    @Test func `kills at any moment between trip and end lose no page and repeat no step`() throws {
        let isDown = Atomic(true)
        let target = LoopbackServer { _ in .ok("down \(isDown.load(ordering: .relaxed) ? 1 : 0)\n") }
        defer { target.stop() }
        let world = try PagingWorld(
            policy: """
                steps: [{notify: [{person: ada}]}, {after: 2s, notify: [{receiver: second}]}, {after: 40s, notify: [{receiver: third}]}]
                """,
            files: [
                "prometheus.yml": """
                global: {scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}
                rule_files: [rules.yml]
                scrape_configs: [{job_name: web, static_configs: [{targets: ['127.0.0.1:\(target.port)']}]}]
                """,
                "rules.yml": "groups: [{name: g, rules: [{alert: Down, expr: down > 0}]}]\n",
            ])
        var moments: [Int] = []
        /// Kills after a random time, again and again, until `isOver`, and leaves a running process.
        func kill(until isOver: () throws -> Bool) throws {
            for _ in 0..<30 {
                let moment = Int.random(in: 0...900)
                moments.append(moment)
                let end = SystemClock.monotonicNanoseconds(in: Int64(moment))
                while SystemClock.monotonicNanoseconds() < end { usleep(2000) }
                world.tribune.process.signal(SIGKILL)
                _ = world.tribune.process.wait()
                try world.tribune.restart()
                if try isOver() { return }
            }
            // A machine on which a start takes longer than the time between kills gets no further.
            let isThere = try Loopback.eventually { try isOver() }
            #expect(isThere, "\(moments) \(world.tribune.log)")
        }
        func calls(_ path: String) -> [PageInbox.Message] {
            world.inbox.messages.filter { $0.path == path && $0.status == "firing" }
        }
        try kill { !calls("second").isEmpty }
        let call = try #require(calls("first").first)
        #expect(
            Loopback.eventually {
                (try? world.send("POST", call.acknowledge).status).map { $0 == 200 || $0 == 410 } ?? false
            })
        let third = calls("third").count
        #expect(world.page("Down")?["by"]?.text == "ada", "\(moments)")
        // Whatever was cut off, nobody is called after the answer, and everybody hears of the end.
        for _ in 0..<3 { try kill { true } }
        isDown.store(false, ordering: .relaxed)
        func hasHeardTheEnd(_ path: String) -> Bool {
            world.inbox.messages.contains { $0.path == path && $0.status == "resolved" && $0.page == call.page }
        }
        try kill { hasHeardTheEnd("first") && hasHeardTheEnd("second") }
        #expect(calls("third").count == third && world.page("Down")?["state"]?.text == "resolved", "\(moments)")
        #expect(Set(world.inbox.messages.map(\.page)) == [call.page], "\(moments)")
        // A call may be repeated with its number, and never comes with another one.
        for path in ["first", "second"] { #expect(Set(calls(path).map(\.call)).count == 1, "\(moments)") }
    }

    @Test(.enabled(if: PostgresServer.programDirectory != nil, "PostgreSQL is not installed"))
    func `the node that takes over goes on with the next step, and knows who acknowledged`() throws {
        let database = try PostgresServer()
        let inbox = PageInbox()
        let hook = LoopbackServer { inbox.take($0) }
        defer { hook.stop() }
        let lease = """
            history: {postgres: {connection: '\(database.address)'}}
            lease: {postgres: {connection: '\(database.address)'}, ttl: 4s}
            """
        let files = PagingWorld.files(
            hook, "steps: [{notify: [{person: ada}]}, {after: 12s, notify: [{receiver: second}]}]",
            "links: {key_file: links.key}", lease, ["links.key": String(repeating: "5a", count: 32)],
            "{receiver: pages, group_by: [alertname], group_wait: 0s, group_interval: 500ms}")
        let nodes = [try RunningTribune(files), try RunningTribune(files)]
        func leader(_ nodes: [RunningTribune]) throws -> RunningTribune {
            var found: RunningTribune?
            let isThere = Loopback.eventually {
                found = nodes.first { $0.log.contains("this node acts for on-call") }
                return found != nil
            }
            try #require(isThere, "\(nodes.map(\.log))")
            return found!
        }
        func post(_ name: String, to nodes: [RunningTribune]) throws {
            for node in nodes {
                var request = HTTPRequest(url: "http://127.0.0.1:\(node.port)/api/v2/alerts")
                request.method = "POST"
                request.headers = [("Content-Type", "application/json")]
                request.body = Array(
                    "[{\"labels\":{\"alertname\":\"\(name)\"},\"startsAt\":\"2026-01-01T00:00:00Z\"}]".utf8)
                #expect(try HTTPClient().send(request).status == 200)
            }
        }
        let first = try leader(nodes)
        let second = try #require(nodes.first { $0 !== first })
        for name in ["Down", "Acknowledged"] { try post(name, to: nodes) }
        #expect(Loopback.eventually { inbox.heard("first").count == 2 }, "\(first.log)")
        let call = try #require(inbox.messages.first { $0.title == "Acknowledged" })
        var request = HTTPRequest(url: "http://127.0.0.1:\(second.port)\(call.acknowledge)")
        request.method = "POST"
        // A node that does not lead changes nothing.
        #expect(try HTTPClient().send(request).status == 503)
        request.url = "http://127.0.0.1:\(first.port)\(call.acknowledge)"
        #expect(try HTTPClient().send(request).status == 200)

        first.process.signal(SIGKILL)
        _ = first.process.wait()
        #expect(try leader([second]) === second)
        #expect(Loopback.eventually { !inbox.heard("second").isEmpty }, "\(second.log)")
        try post("Later", to: [second])
        #expect(Loopback.eventually { inbox.messages.filter { $0.path == "second" }.map(\.title).contains("Later") })
        #expect(inbox.messages.filter { $0.path == "second" }.map(\.title).sorted() == ["Down", "Later"])
        for title in ["Down", "Acknowledged"] {
            #expect(inbox.messages.filter { $0.path == "first" && $0.title == title }.count == 1)
        }
        request.url = "http://127.0.0.1:\(second.port)\(call.acknowledge)"
        #expect(try HTTPClient().send(request).status == 410)
    }
}
