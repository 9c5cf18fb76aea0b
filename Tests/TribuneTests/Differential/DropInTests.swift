import CurlHTTP
import Glibc
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing

/// Debian's Prometheus is stopped, and Tribune started in its place: same files, same flags, same name.
@Suite struct DropInTests {
    private static let isThere = access("/usr/bin/prometheus", X_OK) == 0

    /// A possible content of a distribution's `/etc/default/prometheus`.
    private static let flags = [
        "--storage.tsdb.retention.time=30d", "--storage.tsdb.retention.size=5GB", "--storage.tsdb.wal-compression",
        "--web.enable-lifecycle", "--web.enable-admin-api", "--web.console.templates=/etc/prometheus/consoles",
        "--web.console.libraries=/etc/prometheus/console_libraries", "--web.page-title=Metrics",
        "--web.cors.origin=.*", "--web.max-connections=100", "--web.read-timeout=1m",
        "--rules.alert.resend-delay=30s", "--rules.alert.for-grace-period=1m", "--query.timeout=1m",
        "--query.max-concurrency=10", "--alertmanager.notification-queue-capacity=100",
        "--storage.remote.flush-deadline=10s", "--log.format=json", "--enable-feature=memory-snapshot-on-shutdown",
    ]

    private static let metrics = """
        # HELP jobs Jobs.
        # TYPE jobs gauge
        jobs{queue="a",state="new"} 3
        jobs{queue="a",state="done"} 41.5
        jobs{queue="b",state="new"} -2
        # TYPE requests_total counter
        requests_total{code="200",path="/x"} 1027
        requests_total{code="500",path="/x"} 3
        requests_total{code="200",path="/y"} 99
        # TYPE latency_seconds histogram
        latency_seconds_bucket{le="0.1"} 10
        latency_seconds_bucket{le="1.5"} 25
        latency_seconds_bucket{le="+Inf"} 30
        latency_seconds_sum 17.25
        latency_seconds_count 30
        # TYPE temperature gauge
        temperature{room="n"} 21.5
        temperature{room="s"} NaN
        temperature{room="e"} +Inf
        # TYPE build_info gauge
        build_info{version="1.2.3",revision="abc"} 1

        """

    /// Both servers with the same files.
    private final class Pair {
        let directory = TemporaryDirectory()
        let target: LoopbackServer
        let discovery: LoopbackServer
        let alertmanager: LoopbackServer
        let noted: Noted
        private var processes: [ChildProcess] = []
        private(set) var ports: [Int] = []
        private let client = HTTPClient()

        init() throws {
            target = LoopbackServer { _ in .ok(DropInTests.metrics) }
            let address = String(target.url.dropFirst(7))
            discovery = LoopbackServer { _ in
                .ok(
                    #"[{"targets": ["\#(address)"], "labels": {"found": "http", "__metrics_path__": "/http"}}]"#,
                    type: "application/json")
            }
            let noted = Noted()
            alertmanager = LoopbackServer { request in
                noted.note(request)
                return .ok("")
            }
            self.noted = noted
            directory.write(
                """
                [{"targets": ["\(address)", "not a host/x"], "labels": {"found": "file", "__metrics_path__": "/file"}}]
                """, to: "targets.json")
            directory.write(
                """
                groups:
                - name: g
                  interval: 1s
                  rules:
                  - {record: 'queue:jobs:sum', expr: 'sum by (queue) (jobs)', labels: {source: rule}}
                  - {alert: Failing, expr: 'requests_total{code="500"} > 1', labels: {severity: page},
                     annotations: {summary: '{{ $labels.path }} has {{ $value }}'}}
                """, to: "rules.yml")
            directory.write(
                """
                global:
                  scrape_interval: 1s
                  evaluation_interval: 1s
                  external_labels: {monitor: example}
                alerting:
                  alertmanagers:
                  - static_configs: [{targets: ['\(alertmanager.url.dropFirst(7))']}]
                rule_files: [rules.yml]
                scrape_configs:
                - job_name: node
                  static_configs: [{targets: ['\(address)'], labels: {dc: eu}}]
                  params: {collect: [cpu, disk]}
                - job_name: files
                  file_sd_configs: [{files: ['targets*.json']}]
                  relabel_configs:
                  - {source_labels: [__meta_filepath], regex: '.*/(.*)', target_label: file}
                  - {source_labels: [__address__], regex: '.*/.*', action: drop}
                - job_name: http
                  http_sd_configs: [{url: '\(discovery.url)/sd'}]
                  relabel_configs: [{source_labels: [__meta_url], target_label: from}]
                """, to: "prometheus.yml")
        }

        deinit {
            for process in processes {
                process.signal(SIGKILL)
                _ = process.wait()
            }
            for server in [target, discovery, alertmanager] { server.stop() }
        }

        func start(_ program: String, _ name: String) throws {
            let port = Loopback.freePort()
            ports.append(port)
            processes.append(
                try ChildProcess(
                    [
                        "/usr/bin/env", "TRIBUNE_RUNTIME_DIR=\(directory.file("run"))",
                        program, "--config.file=\(directory.file("prometheus.yml"))",
                        "--storage.tsdb.path=\(directory.file(name))", "--web.listen-address=127.0.0.1:\(port)",
                    ] + DropInTests.flags, output: .file(directory.file("\(name).log"))))
            let isReady = try Loopback.eventually(within: 30) {
                guard (try? send(port, "/-/ready").status) == 200 else { return false }
                let answer = try ask(port, "query", "count(queue:jobs:sum) + count(ALERTS)")
                return !answer.isEmpty
            }
            #expect(isReady, "\(FileText.read(directory.file("\(name).log")) ?? "")")
        }

        func send(_ port: Int, _ path: String, method: String = "GET") throws -> HTTPResponse {
            var request = HTTPRequest(method: method, url: "http://127.0.0.1:\(port)\(path)")
            if method != "GET", let token = FileText.read(directory.file("run/\(port).token")) {
                request.authorize(credentials: String(token.prefix { !$0.isWhitespace }))
            }
            return try client.send(request)
        }

        func ask(_ port: Int, _ path: String, _ query: String) throws -> ComparedAnswer {
            let escaped = query.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            return ComparedAnswer(try JSON(parsing: try send(port, "/api/v1/\(path)?query=\(escaped)").body))
        }

        /// The properties of each target, without those that differ from run to run.
        func targets(_ port: Int) throws -> Set<String> {
            let data = try JSON(parsing: try send(port, "/api/v1/targets").body)["data"]
            let active = (data?["activeTargets"]?.elements ?? []).map { target in
                let names = [
                    "labels", "discoveredLabels", "scrapePool", "scrapeUrl", "health", "lastError", "scrapeInterval",
                    "scrapeTimeout",
                ]
                return names.map { target[$0]?.canonical ?? "" }.joined(separator: " ")
            }
            let dropped = (data?["droppedTargets"]?.elements ?? []).map {
                $0["discoveredLabels"]?.canonical ?? ""
            }
            return Set(active + dropped)
        }
    }

    /// The alerts that were sent, without times.
    private final class Noted: Sendable {
        private let seen = Mutex<[String: Int]>([:])

        func note(_ request: LoopbackServer.Request) {
            guard request.line.hasPrefix("POST /api/v2/alerts"), let list = try? JSON(parsing: request.body) else {
                return
            }
            for alert in list.elements ?? [] {
                let text = "\(alert["labels"]?.canonical ?? "") \(alert["annotations"]?.canonical ?? "")"
                seen.withLock { $0[text, default: 0] += 1 }
            }
        }

        var alerts: Set<String> { seen.withLock { Set($0.keys) } }
        func forget() { seen.withLock { $0 = [:] } }
    }

    private static let names = [
        "jobs", "requests_total", "latency_seconds_bucket", "latency_seconds_sum", "temperature", "build_info", "up",
        "queue:jobs:sum",
    ]
    private static let templates = [
        "M", "sum(M)", "count(M)", "avg by (job) (M)", "max without (instance) (M)", "min by (code, le) (M)",
        "topk(1, M{job=\"node\"})", "group by (__name__) (M)", "stddev(M)", "quantile(0.5, M)", "M > 1",
        "M == bool 3", "-M", "M * 2 ^ 3 % 7", "abs(M)", "ceil(M / 10)", "round(M, 0.5)", "clamp(M, 0, 20)",
        "sgn(M)", "label_replace(M, \"x\", \"$1-y\", \"job\", \"(.*)\")",
        "label_join(M, \"z\", \"/\", \"job\", \"path\")",
        "sort_desc(M{job=\"files\"})", "absent(M{job=\"none\"})", "count_values(\"v\", M)", "M and on (job) up",
        "M unless M", "sum(changes(M[10s]))", "max_over_time(M[10s])", "histogram_quantile(0.9, M)", "scalar(sum(M))",
    ]

    @Test(.enabled(if: isThere, "Debian's prometheus is not installed")) func tribuneTakesThePlaceOfPrometheus() throws
    {
        let pair = try Pair()
        try pair.start("/usr/bin/prometheus", "theirs")
        let wantedAlerts = pair.noted
        #expect(Loopback.eventually(within: 30) { !wantedAlerts.alerts.isEmpty })
        let alerts = wantedAlerts.alerts
        let link = pair.directory.file("prometheus")
        #expect(symlink(TribuneProgram.path, link) == 0)
        pair.noted.forget()
        try pair.start(link, "ours")
        let (theirs, ours) = (pair.ports[0], pair.ports[1])
        let targets = try pair.targets(theirs)
        #expect(targets.count == 4)
        _ = try Loopback.eventually { try pair.targets(ours) == targets }
        let found = try pair.targets(ours)
        #expect(found == targets)
        var agreed = 0
        for name in Self.names {
            // A rule's first results depend on the moment of the start.
            for template in Self.templates where !(name.contains(":") && template.contains("[")) {
                let query = template.replacing("M", with: name)
                let (wanted, answer) = (try pair.ask(theirs, "query", query), try pair.ask(ours, "query", query))
                // The moments differ, the samples do not.
                #expect(answer.agreesApartFromTime(with: wanted), "\(query)\nPrometheus: \(wanted)\nTribune: \(answer)")
                agreed += 1
            }
        }
        #expect(agreed >= 200)
        #expect(Loopback.eventually(within: 30) { alerts.isSubset(of: pair.noted.alerts) }, "\(pair.noted.alerts)")
        let url = "http://127.0.0.1:\(ours)"
        for arguments in [
            ["query", "instant", url, "sum(jobs)"], ["query", "series", "--match=jobs", url],
            ["query", "labels", url, "queue"], ["query", "range", url, "up", "--step=1s"],
        ] {
            let result = try TribuneProgram.run(program: ["promtool"] + arguments)
            #expect(result.exit == .code(0) && !result.output.isEmpty, "\(arguments): \(result.errors)")
        }
        let flags = try JSON(parsing: try pair.send(ours, "/api/v1/status/flags").body)["data"]
        #expect(flags?["storage.tsdb.retention.time"]?.text == "30d")
        #expect(flags?["web.enable-admin-api"]?.text == "true")
        #expect(try pair.send(ours, "/-/reload", method: "POST").status == 200)
        let log = FileText.read(pair.directory.file("ours.log")) ?? ""
        #expect(log.contains("--web.page-title") && log.contains("memory-snapshot-on-shutdown"))
    }

    @Test func theRetentionIsThatOfPrometheus() throws {
        func retention(_ flags: [String], _ configuration: String = "") throws -> String? {
            let tribune = try RunningTribune(["prometheus.yml": configuration], config: "prometheus.yml", flags: flags)
            let info = try JSON(parsing: try tribune.get("/api/v1/status/runtimeinfo").body)
            return info["data"]?["storageRetention"]?.text
        }
        #expect(try retention([]) == "15d")
        #expect(try retention(["--storage.tsdb.retention=3d"]) == "3d")
        #expect(try retention(["--storage.tsdb.retention.size=1536MB"]) == "1GiB512MiB")
        let both = "storage: {tsdb: {retention: {time: 20d, size: 2GB}}}"
        #expect(try retention(["--storage.tsdb.retention.time=3d"], both) == "20d or 2GiB")
        let size = "storage: {tsdb: {retention: {size: 2GB}}}"
        #expect(try retention([], size) == "2GiB")
        #expect(try retention(["--storage.tsdb.retention.time=3d"], size) == "3d or 2GiB")
        let share = try #require(try retention([], "storage: {tsdb: {retention: {percentage: 50, size: 2GB}}}"))
        #expect(share.hasSuffix("B") && share != "2GiB" && !share.contains("or"), "\(share)")
    }

    /// As in Prometheus, an unknown feature is a warning.
    @Test func featuresHaveTheirEffectOrAreNamed() throws {
        let target = LoopbackServer { _ in .ok("a 1\n", type: "text/plain; version=0.0.4") }
        let tribune = try RunningTribune(
            [
                "prometheus.yml": """
                global: {scrape_interval: 1s, scrape_timeout: 750ms}
                scrape_configs:
                - {job_name: a, sample_limit: 7, static_configs: [{targets: ['127.0.0.1:\(target.port)']}]}
                - {job_name: b, extra_scrape_metrics: false, static_configs: [{targets: ['127.0.0.1:\(target.port)']}]}
                """
            ], config: "prometheus.yml", flags: ["--enable-feature=extra-scrape-metrics,not-yet-known"])
        func values(_ query: String) throws -> [String] {
            let answer = try JSON(parsing: try tribune.get("/api/v1/query?query=\(query)").body)
            return (answer["data"]?["result"]?.elements ?? []).compactMap { $0["value"]?.elements?.last?.text }
        }
        #expect(try Loopback.eventually { try values("count(up==1)") == ["2"] })
        #expect(try values("scrape_body_size_bytes") == ["4"])
        #expect(try values("scrape_timeout_seconds") == ["0.75"])
        #expect(try values("scrape_sample_limit") == ["7"])
        #expect(tribune.log.contains("feature=not-yet-known"))
    }

    @Test func `the resend delay of alerts is that of the flag`() throws {
        let posts = Mutex(0)
        let server = LoopbackServer { request in
            if request.line.hasPrefix("POST /api/v2/alerts") { posts.withLock { $0 += 1 } }
            return .ok("{}", type: "application/json")
        }
        let tribune = try RunningTribune(
            [
                "prometheus.yml": """
                global: {evaluation_interval: 1s}
                rule_files: [rules.yml]
                alerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:\(server.port)']}]}]}
                """,
                "rules.yml": "groups: [{name: g, rules: [{alert: Always, expr: vector(1)}]}]",
            ], config: "prometheus.yml", flags: ["--rules.alert.resend-delay=1s"])
        // With the default, the second one comes after a minute.
        #expect(Loopback.eventually(within: 40) { posts.withLock { $0 } >= 4 }, "\(tribune.log)")
    }

    @Test(arguments: [
        (["--web.enable-lifecycle", "--no-web.enable-lifecycle"], "false"), (["--web.enable-lifecycle"], "true"),
        (["--no-auto-gomemlimit", "--auto-gomemlimit.ratio=0.8"], "false"),
    ])
    func switchesCanBeTurnedOff(flags: [String], value: String) throws {
        let tribune = try RunningTribune(["prometheus.yml": ""], config: "prometheus.yml", flags: flags)
        let data = try JSON(parsing: try tribune.get("/api/v1/status/flags").body)["data"]
        #expect(data?["web.enable-lifecycle"]?.text == value)
    }
}
