import CurlHTTP
import Glibc
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing

/// From an alert or a rollback to the person who answers, in a real Tribune with real requests.
@Suite struct PagingTests {
    private static let steps =
        "steps: [{notify: [{person: ada}]}, {after: 1s, notify: [{receiver: second}]}, {after: 3s, notify: [{receiver: third}]}]"

    @Test
    func `an alert pages step by step until a link acknowledges it, and its end is told to those who were called`()
        throws
    {
        let world = try PagingWorld(policy: Self.steps)
        try world.post("Down")
        #expect(Loopback.eventually { world.inbox.heard("second") == ["firing"] }, "\(world.tribune.log)")
        #expect(world.inbox.heard("first") == ["firing"])
        let call = try #require(world.inbox.messages.first { $0.path == "first" })
        #expect(call.title == "Down")

        // Looking at a link changes nothing.
        let shown = try world.send("GET", call.acknowledge)
        #expect(shown.status == 200 && String(decoding: shown.body, as: UTF8.self).contains("<button>Acknowledge"))
        #expect(world.page("Down")?["state"]?.text == "escalating")
        #expect(try world.send("POST", call.acknowledge + "A").status == 404)
        #expect(try world.send("POST", call.acknowledge).status == 200)
        #expect(world.page("Down")?["state"]?.text == "acknowledged")
        #expect(world.page("Down")?["by"]?.text == "ada")
        // Clients of Alertmanager see who acts.
        for path in ["alerts", "alerts/groups"] {
            let shown = try JSON(parsing: try world.tribune.get("/api/v2/\(path)").body).elements?.first ?? .null
            let alert = path == "alerts" ? shown : shown["alerts"]?.elements?.first ?? .null
            #expect(alert["annotations"]?["acknowledged_by"]?.text == "ada", "\(shown.encoded)")
        }
        if access("/usr/bin/amtool", X_OK) == 0 {
            let url = "http://127.0.0.1:\(world.tribune.port)"
            let listed = ShellCommand.run("/usr/bin/amtool --alertmanager.url=\(url) alert query -o extended 2>&1")
            #expect(listed.contains("acknowledged_by=\"ada\""), "\(listed)")
        }
        #expect(try world.send("POST", call.acknowledge).status == 410)
        #expect(try world.send("GET", call.acknowledge).status == 410)

        // When the third step of a later page has fired, that of the first would have long ago.
        try world.post("Later")
        #expect(Loopback.eventually { !world.inbox.heard("third").isEmpty }, "\(world.tribune.log)")
        #expect(world.inbox.messages.filter { $0.path == "third" }.map(\.title) == ["Later"])

        try world.post("Down", resolved: true)
        let isTold = Loopback.eventually {
            ["first", "second"].allSatisfy { path in
                world.inbox.messages.contains { $0.path == path && $0.status == "resolved" && $0.title == "Down" }
            }
        }
        #expect(isTold, "\(world.tribune.log)")
        #expect(!world.inbox.messages.contains { $0.path == "third" && $0.title == "Down" })
        #expect(world.page("Down")?["state"]?.text == "resolved")

        // The record says who did what, and how it was proved.
        let isRecorded = try Loopback.eventually {
            let entries = try world.record().filter { $0["body"]?["title"]?.text == "Down" }
            let states = Set(entries.compactMap { $0["body"]?["state"]?.text })
            return states == ["opened", "called", "acknowledged", "resolved"]
        }
        let entries = try world.record()
        #expect(isRecorded, "\(entries.map(\.encoded))")
        let answer = try #require(entries.first { $0["body"]?["state"]?.text == "acknowledged" })
        #expect(answer["actor"]?["method"]?.text == "link")
        #expect(answer.encoded.contains("ada"))
    }

    @Test func `a receiver that fails is asked again with the same call, and a page that nobody answers is an alert`()
        throws
    {
        let world = try PagingWorld(
            policy: "steps: [{notify: [{receiver: first}]}]\n  repeat_after: 8s",
            routes: """
                {receiver: pages, group_by: [alertname], group_wait: 0s,
                 routes: [{receiver: third, matchers: ['alertname="TribunePageNotAnswered"'], group_wait: 0s}]}
                """)
        world.inbox.refusals.withLock { $0["/first"] = 2 }
        try world.post("Down")
        #expect(Loopback.eventually { world.inbox.heard("third") == ["firing"] }, "\(world.tribune.log)")
        #expect(world.inbox.messages.filter { $0.path == "first" }.map(\.call) == ["1"])
        let metrics = String(decoding: try world.tribune.get("/metrics").body, as: UTF8.self)
            .split(separator: "\n").filter { $0.hasPrefix("tribune_oncall_") }.map(String.init)
        for line in [
            "tribune_oncall_calls_total{outcome=\"failed\"} 2", "tribune_oncall_calls_total{outcome=\"delivered\"} 1",
            "tribune_oncall_unanswered_pages 1", "tribune_oncall_pages{state=\"escalating\"} 1",
        ] { #expect(metrics.contains(line), "\(line)") }
        // Somebody acts after all, and the alert is over.
        let page = try #require(world.page("Down")?["page"]?.text)
        #expect(try world.tribune.post("/api/v1/oncall/pages/\(page)/acknowledge").status == 200)
        #expect(Loopback.eventually { world.inbox.heard("third") == ["firing", "resolved"] }, "\(world.tribune.log)")
    }

    @Test func `commands show pages and answer them, and a reload loses none`() throws {
        let world = try PagingWorld(
            policy: "steps: [{notify: [{person: ada}]}]\n- name: other\n  steps: [{notify: [{receiver: second}]}]")
        try world.post("Down")
        #expect(Loopback.eventually { world.inbox.heard("first") == ["firing"] }, "\(world.tribune.log)")
        let page = try #require(world.page("Down")?["page"]?.text)
        func run(_ arguments: String...) throws -> TribuneProgram.Result {
            try TribuneProgram.run(
                program: [
                    "/usr/bin/env", "TRIBUNE_RUNTIME_DIR=\(world.tribune.directory.file("run"))", TribuneProgram.path,
                    "oncall",
                ]
                    + arguments + ["--server=http://127.0.0.1:\(world.tribune.port)"])
        }
        let listed = try run("pages")
        #expect(listed.output.contains(page) && listed.output.contains("escalating"), "\(listed)")
        #expect(try run("note", page, "looks like the disk").exit == .code(0))
        #expect(try run("snooze", page, "--for=2h").exit == .code(0))
        #expect(world.page("Down")?["state"]?.text == "snoozed")

        world.tribune.process.signal(SIGHUP)
        #expect(Loopback.eventually { world.tribune.log.contains("configuration reloaded") }, "\(world.tribune.log)")
        let shown = try run("page", page)
        #expect(shown.output.contains("snoozed by") && shown.output.contains("looks like the disk"), "\(shown)")

        #expect(try run("reassign", page, "--policy=nobody").errors.contains("there is no policy"))
        #expect(try run("reassign", page, "--policy=other").exit == .code(0))
        #expect(Loopback.eventually { world.inbox.heard("second") == ["firing"] }, "\(world.tribune.log)")
        #expect(try run("ack", page).exit == .code(0))
        #expect(try run("ack", page).errors.contains("before"))
        #expect(try run("resolve", page).exit == .code(0))
        let people = try JSON(parsing: try world.tribune.get("/api/v1/oncall/people").body)["data"]?["people"]?.elements
        #expect(people?.first?["name"]?.text == "ada")
        let calendar = try world.tribune.get(try #require(people?.first?["calendar"]?.text))
        #expect(calendar.status == 200 && String(decoding: calendar.body, as: UTF8.self).hasPrefix("BEGIN:VCALENDAR"))
        #expect(try world.tribune.get("/oncall/calendars/YWRh.YWRh").status == 404)
        #expect(try run("pages").output == "no pages\n")
        #expect(try run("ack", "zzz").errors.contains("no page"))
    }

    @Test func `a rule that trips pages, and the page ends when the rollback is validated`() throws {
        let fixture = RollbackToPage()
        let world = try PagingWorld(
            policy: Self.steps, tribuneFile: "plans: [plan.yml]", files: fixture.files)
        #expect(try world.tribune.post("/api/v1/rollouts/acgs/start").status == 200)
        #expect(Loopback.eventually { world.inbox.heard("second").contains("firing") }, "\(world.tribune.log)")
        let call = try #require(world.inbox.messages.first { $0.path == "first" })
        #expect(try world.send("POST", call.acknowledge).status == 200)
        fixture.recover()
        let isOver = Loopback.eventually {
            ["first", "second"].allSatisfy { path in
                world.inbox.messages.contains { $0.path == path && $0.status == "resolved" && $0.page == call.page }
            }
        }
        #expect(isOver, "\(world.tribune.log)")
        #expect(!world.inbox.messages.contains { $0.path == "third" && $0.page == call.page })
        // The page belongs to the incident of the violation.
        let violations = try JSON(parsing: try world.tribune.get("/api/v1/history/events?kind=violation").body)
        let incident = violations["data"]?["events"]?.elements?.last?["incident"]?.text
        let paged = try world.record().filter { $0["body"]?["page"]?.text == call.page }
        #expect(incident != nil && paged.allSatisfy { $0["incident"]?.text == incident }, "\(paged.map(\.encoded))")
    }
}

/// A service whose compliance is low on its new version, with a route that two scripts shift and read.
private final class RollbackToPage {
    private let state = TemporaryDirectory()
    private let target: LoopbackServer

    init() {
        let path = state.path
        target = LoopbackServer { _ in
            let isGood = Paths.exists("\(path)/good")
            return .ok("compliance{service=\"auth\",env=\"green\"} \(isGood ? "1" : "0.5")\n")
        }
        state.write("0\n", to: "auth")
        state.write(
            """
            #!/bin/bash
            sed 's/.*"candidate":\\([0-9]*\\).*/\\1/' > \(state.path)/auth.new
            mv \(state.path)/auth.new \(state.path)/auth
            """, to: "shift")
        state.write(
            """
            #!/bin/bash
            candidate=$(cat \(state.path)/auth)
            echo "{\\"stable\\": $((100 - candidate)), \\"candidate\\": $candidate, \\"stable_healthy\\": true}"
            """, to: "read")
    }

    deinit { target.stop() }

    func recover() { state.write("", to: "good") }

    var files: [String: String] {
        [
            "prometheus.yml": """
            global: {scrape_interval: 500ms, evaluation_interval: 500ms}
            rule_files: [rules.yml]
            scrape_configs:
            - job_name: auth
              static_configs: [{targets: ['127.0.0.1:\(target.port)']}]
            """,
            "rules.yml": """
            groups:
            - name: g
              rules:
              - rollback: ComplianceLow
                expr: compliance
                trip: "< 0.95"
                consecutive: 2
                action: {plan: acgs}
            """,
            "plan.yml": """
            plan: acgs
            stages: [50, 100]
            bake: 1h
            validation: {rounds: 1, interval: 100ms, timeout: 10m, rules: [ComplianceLow]}
            services:
            - name: auth
              routes:
              - exec: {shift: [bash, \(state.file("shift"))], read: [bash, \(state.file("read"))]}
            """,
        ]
    }
}
