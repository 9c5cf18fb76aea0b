import CurlHTTP
import Foundation
import JSON
import Runtime
import TestSupport
import Testing

/// Other programs open and end pages: PagerDuty's clients, a real Alertmanager, Grafana's webhook, any JSON.
@Suite struct InboundTests {
    private static let keys = [
        "pd.key": "0123456789abcdef0123456789abcdef", "am.key": "alertmanager-key-01", "gr.key": "grafana-key-0000001",
        "js.key": "json-key-00000000001", "hb.key": "heartbeat-key-00001",
    ]

    private static func world(more: String = "") throws -> PagingWorld {
        try PagingWorld(
            policy: "steps: [{notify: [{receiver: first}]}]\n- name: quiet\n  steps: [{notify: [{receiver: second}]}]",
            more: """
                integrations:
                - {name: pd, kind: pagerduty, key_file: pd.key, policy: default, by_severity: {info: quiet}}
                - {name: am, kind: alertmanager, key_file: am.key, policy: default}
                - {name: gr, kind: grafana, key_file: gr.key, policy: default}
                - name: js
                  kind: json
                  key_file: js.key
                  policy: default
                  mapping: {key: /job/id, title: /text, severity: /level, resolved: /state, resolved_values: [ok, "0"]}
                \(more)
                """, files: keys)
    }

    private static func event(_ action: String, _ key: String, severity: String = "critical") -> String {
        """
        {"routing_key":"0123456789abcdef0123456789abcdef","event_action":"\(action)","dedup_key":"\(key)",
         "payload":{"summary":"disk of \(key)","source":"db-3","severity":"\(severity)","component":"disk",
         "custom_details":{"free":"1 %"}},"client":"monitor","client_url":"https://monitor.example/\(key)"}
        """
    }

    @Test func `documented requests of the Events API open, acknowledge and resolve pages`() throws {
        let world = try Self.world()
        func enqueue(_ body: String) throws -> (status: Int, body: JSON) {
            let answer = try world.send("POST", "/v2/enqueue", body)
            return (answer.status, (try? JSON(parsing: answer.body)) ?? .null)
        }
        let opened = try enqueue(Self.event("trigger", "srv01"))
        #expect(opened.status == 202)
        #expect(opened.body == ["status": "success", "message": "Event processed", "dedup_key": "srv01"])
        #expect(Loopback.eventually { world.inbox.heard("first") == ["firing"] }, "\(world.tribune.log)")
        let page = try #require(world.page("disk of srv01"))
        #expect(page["severity"]?.text == "critical" && page["url"]?.text == "https://monitor.example/srv01")
        #expect(page["labels"]?["component"]?.text == "disk" && page["annotations"]?["free"]?.text == "1 %")
        // The same problem again is the same page.
        #expect(try enqueue(Self.event("trigger", "srv01")).status == 202)
        #expect(world.pages().count == 1)
        #expect(try enqueue(Self.event("acknowledge", "srv01")).status == 202)
        #expect(world.page("disk of srv01")?["state"]?.text == "acknowledged")
        #expect(try enqueue(Self.event("resolve", "srv01")).status == 202)
        #expect(world.page("disk of srv01")?["state"]?.text == "resolved")
        #expect(try enqueue(Self.event("resolve", "never")).status == 202)
        // The severity chooses the policy.
        #expect(try enqueue(Self.event("trigger", "srv02", severity: "info")).status == 202)
        #expect(Loopback.eventually { world.inbox.heard("second") == ["firing"] }, "\(world.tribune.log)")

        for (body, fault) in [
            ("{", "JSON parse error"), ("{}", "'routing_key' is missing or blank"),
            (
                Self.event("open", "a"),
                "'event_action' is invalid (must be one of the following: trigger, acknowledge, resolve)"
            ),
            (
                Self.event("trigger", "a", severity: "bad"),
                "'payload.severity' is invalid (must be one of the following: critical, error, warning, info)"
            ),
            (Self.event("trigger", "a").replacing("0123456789", with: "9876543210"), "Invalid routing key"),
            (Self.event("resolve", ""), "'dedup_key' is missing or blank"),
        ] {
            let (status, answer) = try enqueue(body)
            #expect(status == 400 && answer["status"]?.text == "invalid event", "\(body)")
            #expect(answer["errors"]?.elements?.contains(.string(fault)) == true, "\(answer.encoded)")
        }
        #expect(try enqueue(String(repeating: " ", count: 600_000)).status == 413)
    }

    @Test func `a program that stops reporting opens a page, and its report ends it`() throws {
        let world = try Self.world(
            more: "heartbeats: [{name: backup, key_file: hb.key, every: 3s, policy: default}]")
        #expect(try world.send("GET", "/oncall/heartbeats/heartbeat-key-00001").status == 200)
        #expect(try world.send("GET", "/oncall/heartbeats/heartbeat-key-00002").status == 404)
        #expect(Loopback.eventually { world.inbox.heard("first") == ["firing"] }, "\(world.tribune.log)")
        #expect(world.inbox.messages.first?.title == "backup has not reported for 3s")
        #expect(try world.send("POST", "/oncall/heartbeats/heartbeat-key-00001").status == 200)
        #expect(Loopback.eventually { world.inbox.heard("first") == ["firing", "resolved"] }, "\(world.tribune.log)")
    }

    @Test func `a pager hears of pages, of acknowledgements and of the end: one Tribune is the pager of another`()
        throws
    {
        let pager = try Self.world()
        let world = try PagingWorld(
            policy: "steps: [{notify: [{receiver: pager}]}]",
            files: [
                "pd.key": "0123456789abcdef0123456789abcdef",
                "alertmanager.yml": """
                route: {receiver: pages, group_wait: 0s, group_interval: 500ms, group_by: [alertname]}
                receivers:
                - {name: pages}
                - {name: first, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}
                - name: pager
                  pagerduty_configs: [{routing_key_file: pd.key, url: 'http://127.0.0.1:\(pager.tribune.port)/v2/enqueue'}]
                """,
            ])
        try world.post("Down")
        #expect(Loopback.eventually { pager.pages().count == 1 }, "\(world.tribune.log)")
        let page = try #require(world.page("Down")?["page"]?.text)
        #expect(try world.tribune.post("/api/v1/oncall/pages/\(page)/acknowledge").status == 200)
        #expect(Loopback.eventually { pager.pages("acknowledged").count == 1 }, "\(world.tribune.log)")
        try world.post("Down", resolved: true)
        #expect(Loopback.eventually { pager.pages("resolved").count == 1 }, "\(world.tribune.log)")
        #expect(pager.pages("all").count == 1)
    }

    /// The newest client of PagerDuty, and the one before it, which ./test fetches from PyPI.
    @Test(
        .enabled(
            if: PagerDutyClient.directory != nil, "PagerDuty's clients are not there: ./test fetches them from PyPI"),
        arguments: ["pagerduty.EventsApiV2Client", "pdpyras.EventsAPISession"])
    func `PagerDuty's own Python client drives it unchanged`(name: String) throws {
        let world = try Self.world()
        let result = try PagerDutyClient.run(name, url: "http://127.0.0.1:\(world.tribune.port)")
        #expect(result.exit == .code(0), "\(result.errors)")
        #expect(result.output == "opened opened\nrefused\n", "\(result)")
        #expect(
            Set(world.pages("all").map { "\($0["title"]?.text ?? "") \($0["state"]?.text ?? "")" }) == [
                "first resolved", "second acknowledged",
            ])
    }

    @Test func `a real Alertmanager's webhook opens a page and ends it`() throws {
        guard Paths.exists("/usr/bin/prometheus-alertmanager") else {
            print("skipped: Debian's prometheus-alertmanager is not installed")
            return
        }
        let world = try Self.world()
        let directory = TemporaryDirectory()
        let port = Loopback.freePort()
        let file = directory.write(
            """
            route: {receiver: tribune, group_by: [alertname], group_wait: 0s, group_interval: 1s}
            receivers:
            - name: tribune
              webhook_configs: [{url: 'http://127.0.0.1:\(world.tribune.port)/oncall/in/alertmanager-key-01'}]
            """, to: "am.yml")
        let process = try ChildProcess(
            [
                "/usr/bin/prometheus-alertmanager", "--config.file=\(file)", "--storage.path=\(directory.file("data"))",
                "--web.listen-address=127.0.0.1:\(port)", "--cluster.listen-address=",
            ], output: .file(directory.file("log")), errors: .file(directory.file("log")))
        defer { _ = process.stop() }
        func post(_ end: String) -> Bool {
            var request = HTTPRequest(url: "http://127.0.0.1:\(port)/api/v2/alerts")
            request.method = "POST"
            request.headers = [("Content-Type", "application/json")]
            request.body = Array(
                "[{\"labels\":{\"alertname\":\"Foreign\",\"severity\":\"high\"},\"annotations\":{\"summary\":\"from afar\"}\(end)}]"
                    .utf8)
            return (try? HTTPClient().send(request).status) == 200
        }
        #expect(Loopback.eventually { post("") }, "\(FileText.read(directory.file("log")) ?? "")")
        #expect(Loopback.eventually { world.page("from afar") != nil }, "\(world.tribune.log)")
        #expect(world.page("from afar")?["severity"]?.text == "high")
        #expect(post(",\"endsAt\":\"2026-01-01T00:00:00Z\""))
        #expect(Loopback.eventually { world.page("from afar")?["state"]?.text == "resolved" }, "\(world.tribune.log)")
    }

    @Test func `Grafana's webhook and JSON with a mapping open pages and end them`() throws {
        let world = try Self.world()
        // The members that Grafana 11 documents for its webhook contact point.
        func grafana(_ status: String) -> String {
            """
            {"receiver":"tribune","status":"\(status)","orgId":1,"alerts":[{"status":"\(status)","labels":{"alertname":"High
            load","severity":"warning"},"annotations":{"summary":"load"},"startsAt":"2026-01-01T00:00:00Z",
            "endsAt":"0001-01-01T00:00:00Z","generatorURL":"https://grafana.example/alerting/1","fingerprint":"c6ea","silenceURL":"",
            "dashboardURL":"","panelURL":"","values":{"B":44.2}}],"groupLabels":{"alertname":"High load"},
            "commonLabels":{"alertname":"High load"},"commonAnnotations":{},"externalURL":"https://grafana.example/","version":"1",
            "groupKey":"{}:{alertname=\\"High load\\"}","truncatedAlerts":0,"title":"[FIRING:1] High load","state":"alerting",
            "message":"x"}
            """.replacing("High\nload", with: "High load")
        }
        #expect(try world.send("POST", "/oncall/in/grafana-key-0000001", grafana("firing")).status == 200)
        #expect(world.page("[FIRING:1] High load")?["url"]?.text == "https://grafana.example/alerting/1")
        #expect(try world.send("POST", "/oncall/in/grafana-key-0000001", grafana("resolved")).status == 200)
        #expect(world.page("[FIRING:1] High load")?["state"]?.text == "resolved")

        let path = "/oncall/in/json-key-00000000001"
        #expect(
            try world.send("POST", path, "{\"job\":{\"id\":7},\"text\":\"backup late\",\"level\":\"high\",\"state\":1}")
                .status == 200)
        #expect(world.page("backup late")?["severity"]?.text == "high")
        #expect(try world.send("POST", path, "{\"job\":{\"id\":7},\"state\":0}").status == 200)
        #expect(world.page("backup late")?["state"]?.text == "resolved")
        for (path, body, status) in [
            (path, "{\"text\":\"no key\"}", 400), (path, "[]", 400), (path, "{", 400),
            ("/oncall/in/wrong-key-000000001", "{}", 404),
            ("/oncall/in/grafana-key-0000001", "{\"status\":\"firing\"}", 400),
        ] { #expect(try world.send("POST", path, body).status == status, "\(path) \(body)") }
    }
}

/// PagerDuty's Python clients, where they were fetched.
private enum PagerDutyClient {
    static let directory: String? = {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..").standardized.path
        let path = "\(root)/.build/tools/pagerduty-clients"
        let isThere = Paths.exists("\(path)/pagerduty") && Paths.exists("\(path)/pdpyras.py")
        if !isThere { print("skipped: PagerDuty's clients are not in \(path)") }
        return isThere ? path : nil
    }()

    static func run(_ name: String, url: String) throws -> TribuneProgram.Result {
        let parts = name.split(separator: ".").map(String.init)
        let program = """
            import sys
            sys.path.insert(0, sys.argv[1])
            import \(parts[0])
            def client_of(key):
                client = \(name)(key)
                # The setter of the newest client insists on TLS, which other tests cover.
                setattr(client, "_url" if "\(parts[0])" == "pagerduty" else "url", sys.argv[2])
                return client
            client = client_of("0123456789abcdef0123456789abcdef")
            first = client.trigger("first", "db-1", severity="critical", custom_details={"free": "1 %"})
            second = client.trigger("second", "db-2", dedup_key="two")
            client.acknowledge(second)
            client.resolve(first)
            print("opened" if first else "", "opened" if second == "two" else "")
            try:
                client_of("f123456789abcdef0123456789abcdef").trigger("third", "db-3")
            except Exception:
                print("refused")
            """
        return try TribuneProgram.run(program: ["python3", "-c", program, directory ?? "", url])
    }
}
