import CurlHTTP
import Glibc
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing

@Suite struct ServeTests {
    private static let scrapesItself = """
        global: {scrape_interval: 100ms, scrape_timeout: 100ms, evaluation_interval: 100ms}
        rule_files: [rules.yml]
        scrape_configs:
        - job_name: self
          static_configs: [{targets: ['127.0.0.1:PORT']}]
        """
    private static let rules = """
        groups:
        - name: g
          rules:
          - {record: 'job:up:sum', expr: 'sum by (job) (up)'}
          - {alert: AlwaysFiring, expr: 'up == 1', annotations: {summary: 'up is {{ $value }}'}}
        """

    @Test func aStockPrometheusConfigurationIsServed() throws {
        let tribune = try RunningTribune(
            ["prometheus.yml": Self.scrapesItself, "rules.yml": Self.rules], config: "prometheus.yml")
        #expect(
            try Loopback.eventually {
                try tribune.query("job:up:sum") == [#"{"__name__":"job:up:sum","job":"self"}"#: "1"]
            })
        #expect(try Loopback.eventually { try tribune.query(#"ALERTS{alertstate="firing"}"#).count == 1 })
        let alerts = try JSON(parsing: try tribune.get("/api/v1/alerts").body)
        #expect(alerts["data"]?["alerts"]?.elements?.first?["annotations"]?["summary"]?.text == "up is 1")
        #expect(tribune.process.stop(graceMilliseconds: 20_000) == .code(0))
    }

    @Test func anAbsentRuleFileIsSaidAtTheStartAndRefusedByTheCheck() throws {
        let tribune = try RunningTribune(
            ["prometheus.yml": "rule_files: [gone.yml, 'none-*.yml']\n"], config: "prometheus.yml")
        let file = tribune.directory.file("prometheus.yml")
        #expect(
            tribune.log.contains("msg=\"rule file does not exist\" file=\(tribune.directory.file("gone.yml"))"),
            "\(tribune.log)")
        #expect(!tribune.log.contains("none-"))
        let check = try TribuneProgram.run(["check", "config", file])
        #expect(check.exit == .code(1))
        let gone = tribune.directory.file("gone.yml")
        #expect(check.output == "FAILED: \(file):1:14: rule_files[0]: no file is called \"\(gone)\"\n")
        // A request refused before a handler gets a JSON response as well.
        let long = try tribune.get("/api/v1/query?query=" + String(repeating: "a", count: 300_000))
        #expect(long.status == 414 && long["Content-Type"] == "application/json")
        #expect(try JSON(parsing: long.body)["errorType"]?.text == "bad_data")
    }

    @Test func alertsReachTheAlertmanagersOfAStockConfiguration() throws {
        let seen = Mutex<[LoopbackServer.Request]>([])
        let alertmanager = LoopbackServer { request in
            seen.withLock { $0.append(request) }
            return .ok("")
        }
        defer { alertmanager.stop() }
        let address = alertmanager.url.dropFirst("http://".count)
        let alerting = """
            alerting:
              alert_relabel_configs: [{action: labeldrop, regex: instance}]
              alertmanagers:
              - path_prefix: /am/
                basic_auth: {username: me, password: hunter2}
                alert_relabel_configs: [{target_label: team, replacement: core}]
                relabel_configs: [{source_labels: [__address__], regex: 'dropped:.*', action: drop}]
                static_configs: [{targets: ['dropped:1']}]
                file_sd_configs: [{files: [alertmanagers.json]}]
            """
        let global = Self.scrapesItself.replacing("global: {", with: "global: {external_labels: {cluster: eu}, ")
        let tribune = try RunningTribune(
            [
                "prometheus.yml": global + "\n" + alerting, "rules.yml": Self.rules,
                "alertmanagers.json": "[{\"targets\": [\"http://\(address)/x\", \"\(address)\"]}]",
            ], config: "prometheus.yml",
            flags: ["--web.enable-lifecycle"])
        #expect(Loopback.eventually { seen.withLock { !$0.isEmpty } })
        let request = try #require(seen.withLock { $0.first })
        #expect(request.line == "POST /am/api/v2/alerts HTTP/1.1")
        #expect(request.headers["authorization"] == "Basic bWU6aHVudGVyMg==")
        let alert = try #require(try JSON(parsing: request.body).elements?.first)
        #expect(
            alert["labels"] == ["alertname": "AlwaysFiring", "cluster": "eu", "job": "self", "team": "core"])

        let known = try JSON(parsing: try tribune.get("/api/v1/alertmanagers").body)
        #expect(
            known["data"]?["activeAlertmanagers"] == [["url": .string("http://\(address)/am/api/v2/alerts")]])
        // The other one is no address: it alone is left out, with its reason, once.
        #expect(
            tribune.log.contains(
                #"msg="alertmanager rejected" error="\"http://\#(address)/x\" is not a valid hostname""#))
        #expect(tribune.log.split(separator: "alertmanager rejected").count == 2)
        let shown = try JSON(parsing: try tribune.get("/api/v1/status/config").body)["data"]?["yaml"]?.text ?? ""
        #expect(shown.contains("password: <secret>"))
        #expect(!shown.contains("hunter2"))

        tribune.directory.write(global, to: "prometheus.yml")
        #expect(try tribune.post("/-/reload").status == 200)
        let after = try JSON(parsing: try tribune.get("/api/v1/alertmanagers").body)
        #expect(after["data"]?["activeAlertmanagers"] == [])
        #expect(tribune.process.stop(graceMilliseconds: 20_000) == .code(0))
    }

    @Test func aRedisThatIsAwayDoesNotMatter() throws {
        let tribune = try RunningTribune([
            "tribune.yml": """
            prometheus_config: prometheus.yml
            history: {redis: {address: '127.0.0.1:\(Loopback.freePort())', password_file: redis-password}}
            """, "redis-password": "hunter2\n", "prometheus.yml": Self.scrapesItself, "rules.yml": Self.rules,
        ])
        #expect(try Loopback.eventually { try tribune.query("job:up:sum").count == 1 })
        #expect(tribune.process.stop(graceMilliseconds: 20_000) == .code(0))
        #expect(!tribune.log.contains("hunter2"))
    }

    @Test func samplesAndTheRecordSurviveAKill() throws {
        let tribune = try RunningTribune(
            ["prometheus.yml": Self.scrapesItself, "rules.yml": Self.rules], config: "prometheus.yml")
        #expect(
            try Loopback.eventually { Int(try tribune.query("count_over_time(up[1h])").values.first ?? "0")! >= 10 })
        let before = try #require(Int(try tribune.query("count_over_time(up[1h])").values.first ?? ""))
        tribune.process.signal(SIGKILL)
        #expect(tribune.process.wait() == .signal(9))
        try tribune.restart()
        #expect(try #require(Int(try tribune.query("count_over_time(up[1h])").values.first ?? "")) >= before)
        #expect(tribune.process.stop(graceMilliseconds: 20_000) == .code(0))
        let audit = try TribuneProgram.run([
            "audit", "verify", "--config.file=\(tribune.directory.file("prometheus.yml"))",
            "--storage.path=\(tribune.directory.file("data"))",
        ])
        #expect(audit.exit == .code(0), "\(audit.output)\(audit.errors)")
        #expect(audit.output.contains("The record is intact."))
    }

    @Test func aBrokenReloadChangesNothing() throws {
        let tribune = try RunningTribune(
            ["prometheus.yml": Self.scrapesItself, "rules.yml": Self.rules], config: "prometheus.yml",
            flags: ["--web.enable-lifecycle"])
        tribune.directory.write("groups:\n- name: g\n  rules:\n  - {record: x, expr: 'sum('}\n", to: "rules.yml")
        let refused = try tribune.post("/-/reload")
        #expect(refused.status == 500)
        let reason = String(decoding: refused.body, as: UTF8.self)
        #expect(reason.contains("rules.yml:4:"))
        #expect(reason.contains("unclosed left parenthesis"))
        let metrics = String(decoding: try tribune.get("/metrics").body, as: UTF8.self)
        #expect(metrics.contains("\ntribune_config_last_reload_successful 0\n"))
        #expect(try Loopback.eventually { try tribune.query("job:up:sum").count == 1 })

        tribune.directory.write("groups: []\n", to: "rules.yml")
        tribune.process.signal(SIGHUP)
        #expect(
            try Loopback.eventually {
                String(decoding: try tribune.get("/metrics").body, as: UTF8.self)
                    .contains("\ntribune_config_last_reload_successful 1\n")
            })
        #expect(try JSON(parsing: try tribune.get("/api/v1/rules").body)["data"]?["groups"]?.elements == [])
    }

    @Test func lifecycleCallsAreOffUnlessAskedFor() throws {
        let tribune = try RunningTribune(
            ["prometheus.yml": "scrape_configs: []\n"], config: "prometheus.yml")
        #expect(try tribune.post("/-/reload").status == 403)
        #expect(try tribune.post("/-/quit").status == 403)
    }

    @Test func theOwnMetricsPleasePromtool() throws {
        let tribune = try RunningTribune(
            ["prometheus.yml": Self.scrapesItself, "rules.yml": Self.rules], config: "prometheus.yml")
        #expect(try Loopback.eventually { try tribune.query("up").count == 1 })
        let file = tribune.directory.write(
            String(decoding: try tribune.get("/metrics").body, as: UTF8.self), to: "metrics")
        let check = try ChildProcess(
            ["promtool", "check", "metrics"], input: file, output: .file(tribune.directory.file("promtool")))
        #expect(check.wait() == .code(0))
        #expect(FileText.read(tribune.directory.file("promtool")) == "")
    }

    @Test func debiansPrometheusScrapesTheOwnMetricsWithoutAWarning() throws {
        let tribune = try RunningTribune(
            ["prometheus.yml": Self.scrapesItself, "rules.yml": Self.rules], config: "prometheus.yml")
        let directory = TemporaryDirectory()
        let config = directory.write(
            """
            global: {scrape_interval: 200ms, scrape_timeout: 200ms}
            scrape_configs:
            - job_name: tribune
              static_configs: [{targets: ['127.0.0.1:\(tribune.port)']}]

            """, to: "prometheus.yml")
        let port = Loopback.freePort()
        let prometheus = try ChildProcess(
            [
                "prometheus", "--config.file=\(config)", "--storage.tsdb.path=\(directory.file("data"))",
                "--web.listen-address=127.0.0.1:\(port)",
            ], output: .file(directory.file("log")))
        defer { prometheus.stop() }
        func ask(_ query: String) throws -> String? {
            let response = try? HTTPClient().send(
                HTTPRequest(url: "http://127.0.0.1:\(port)/api/v1/query?query=\(query)"))
            guard let response, response.status == 200 else { return nil }
            return try JSON(parsing: response.body)["data"]?["result"]?.elements?.first?["value"]?.elements?.last?.text
        }
        #expect(try Loopback.eventually { Int(try ask("sum_over_time(up[1m])") ?? "") ?? 0 >= 5 })
        #expect(try ask("min_over_time(up[1m])") == "1")
        #expect(try ask("tribune_config_last_reload_successful") == "1")
        let log = FileText.read(directory.file("log")) ?? "level=warn: no log"
        #expect(!log.contains("level=warn") && !log.contains("level=error"), "\(log)")
    }

    @Test func whatStopsTheStartIsOneClearLine() throws {
        let directory = TemporaryDirectory()
        let config = directory.write("scrape_configs: []\n", to: "prometheus.yml")
        let taken = try RunningTribune(["prometheus.yml": "scrape_configs: []\n"], config: "prometheus.yml")
        func start(_ flags: [String]) throws -> TribuneProgram.Result {
            try TribuneProgram.run(
                ["serve", "--config.file=\(config)", "--storage.path=\(directory.file("data"))"] + flags)
        }
        let port = try start(["--web.listen-address=127.0.0.1:\(taken.port)"])
        #expect(port.exit == .code(1))
        #expect(port.errors.contains("cannot listen on 127.0.0.1:\(taken.port): Address already in use"))
        let missing = try TribuneProgram.run(["serve", "--config.file=/nonexistent/x.yml"])
        #expect(missing.exit == .code(1))
        #expect(missing.errors == "tribune serve: /nonexistent/x.yml: No such file or directory\n")
        let usage = try start(["--storage.retention.size=lots"])
        #expect(usage.exit == .code(2))
        #expect(usage.errors.hasPrefix("tribune serve: --storage.retention.size must be a size"))
    }

    @Test func everyFaultOfAConfigurationIsTold() throws {
        let directory = TemporaryDirectory()
        directory.write(
            "global: {scrape_interval: 5}\nscrape_configs:\n- job_name: a\n  eureka_sd_configs: [{}]\n",
            to: "prometheus.yml")
        directory.write("route: {receiver: nobody}\n", to: "alertmanager.yml")
        directory.write("plan: p\nservices: []\n", to: "plan.yml")
        let file = directory.write(
            "prometheus_config: prometheus.yml\nalertmanager_config: alertmanager.yml\nplans: [plan.yml]\n",
            to: "tribune.yml")
        let check = try TribuneProgram.run(["check", "config", file])
        #expect(check.exit == .code(1))
        for fault in [
            "prometheus.yml:1:", "eureka_sd_configs", "alertmanager.yml:1:", "plan.yml:1:1: services: a plan has",
        ] {
            #expect(check.output.contains(fault), "\(check.output)")
        }
    }
}
