import CurlHTTP
import Glibc
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing

/// The platform for its pipeline: seven services in staging and production, a Tribune with a plan and gates, and an
/// executor of improvements that reports success.
private final class PipelinePlatform {
    static let services = ["auth", "ac", "integrity", "fv", "gs", "pgc", "ec"]

    let tribune: RunningTribune
    /// The checkout of the pipeline.
    let checkout = TemporaryDirectory()
    private let metrics: LoopbackServer
    private let executor: LoopbackServer
    fileprivate let files: TemporaryDirectory
    private let failing = Failing()

    /// - Parameter compliance: the score of the service gs.
    init(compliance: Double) throws {
        let counts = Mutex([String: (all: Int, bad: Int)]())
        metrics = LoopbackServer { [failing] _ in
            var text = "# TYPE http_requests_total counter\n# TYPE acgs_constitutional_compliance_score gauge\n"
            let share = failing.percent.withLock { $0 }
            counts.withLock { counts in
                for service in Self.services {
                    for (environment, env) in [("staging", "blue"), ("production", "blue"), ("production", "green")] {
                        let labels = "service=\"\(service)\",environment=\"\(environment)\",env=\"\(env)\""
                        var count = counts[labels] ?? (0, 0)
                        count.all += 1000
                        count.bad += 10 * (env == "green" ? share : 0)
                        counts[labels] = count
                        text += "http_requests_total{\(labels),status=\"200\"} \(count.all - count.bad)\n"
                        text += "http_requests_total{\(labels),status=\"500\"} \(count.bad)\n"
                    }
                    let score = service == "gs" ? compliance : 0.99
                    text += "acgs_constitutional_compliance_score{service=\"\(service)\"} \(score)\n"
                }
            }
            return .ok(text)
        }
        let target = Mutex("")
        executor = LoopbackServer { request in
            guard let body = try? JSON(parsing: request.body), let id = body["improvement_id"]?.text else {
                return .ok("", status: "400 Bad Request")
            }
            // The report comes on a connection of its own, after this answer. The shell ends at once and is waited for:
            // exit tests hang while another child of this process is not.
            let report = #"curl -s -H 'Authorization: Bearer correct-horse' -d '{"status": "succeeded"}'"#
            let url = "\(target.withLock { $0 })/api/v1/improvements/\(id)"
            _ = try? ChildProcess(["sh", "-c", "\(report) '\(url)' &"]).wait()
            return .ok("{}", status: "202 Accepted")
        }
        let host = metrics.url.dropFirst("http://".count)
        let probes = Self.services.map { service in
            """
            - job_name: \(service)
              scrape_interval: 1s
              static_configs: [{targets: ['\(host)'], labels: {service: \(service), environment: production}}]
              metric_relabel_configs: [{action: drop, regex: '.*', source_labels: [__name__]}]
            """
        }
        files = TemporaryDirectory()
        var plan = "plan: acgs\nstages: [10, 100]\nbake: 1h\nvalidation: {rounds: 1, interval: 10ms}\nservices:\n"
        for service in Self.services {
            let weights = files.write(
                #"{"stable":100,"candidate":0,"stable_healthy":true}"#, to: "weights-\(service)")
            let shift = files.write(
                "sed -e 's/.*\\(\"stable\":[0-9]*,\"candidate\":[0-9]*\\).*/{\\1,\"stable_healthy\":true}/' > \(weights)",
                to: "shift-\(service)")
            plan += "- {name: \(service), routes: [{exec: {shift: [sh, \(shift)], read: [cat, \(weights)]}}]}\n"
        }
        tribune = try RunningTribune([
            "tribune.yml": """
            prometheus_config: prometheus.yml
            plans: [plan.yml]
            gates:
              token_file: token
              executor: {url: "\(executor.url)/improve"}
              bottlenecks:
                queries:
                - {name: compliance_score, kind: compliance, expr: 'min by (service) (acgs_constitutional_compliance_score)', threshold: 0.95, better: higher, best: 1}
              profiles:
              - name: platform
                stable: {env: blue, environment: production}
                candidate: {env: green, environment: production}
                window: 3s
                metrics:
                - {name: errors, events: 'http_requests_total{status=~"5.."}', of: http_requests_total}
            """,
            "prometheus.yml": """
            global: {scrape_interval: 100ms, scrape_timeout: 100ms}
            scrape_configs:
            - job_name: platform
              static_configs: [{targets: ['\(host)']}]
            \(probes.joined(separator: "\n"))
            """, "token": "correct-horse\n", "plan.yml": plan,
        ])
        target.withLock { $0 = "http://127.0.0.1:\(tribune.port)" }
        try prepareCheckout()
    }

    deinit {
        metrics.stop()
        executor.stop()
    }

    /// Of a hundred requests of the candidate, those that fail.
    private final class Failing: Sendable {
        let percent = Mutex(0)
    }

    /// From now on, `percent` of the candidate's requests fail.
    func fail(_ percent: Int) { failing.percent.withLock { $0 = percent } }

    func weight(of service: String) -> Int64? {
        FileText.read(files.file("weights-\(service)")).flatMap { try? JSON(parsing: $0) }?["candidate"]?.integer
    }

    private func prepareCheckout() throws {
        #expect(Paths.makeDirectory(checkout.file("bin")))
        checkout.write(
            """
            window: 3s
            measure: 3
            environments:
              staging: {match: {environment: staging}}
              production: {match: {environment: production}}
            """, to: ".tribune-ci.yml")
        // The platform's own programs. kubectl keeps what it was told.
        checkout.write("#!/bin/sh\necho \"$@\" >> \(checkout.file("kubectl.log"))\n", to: "bin/kubectl")
        checkout.write("#!/bin/sh\nexit 0\n", to: "bin/pytest")
        for name in ["kubectl", "pytest"] { chmod(checkout.file("bin/\(name)"), 0o755) }
        #expect(symlink(TribuneProgram.path, checkout.file("bin/tribune")) == 0)
        for words in [
            ["init", "-q"], ["add", ".tribune-ci.yml"], ["commit", "-q", "-m", "one"],
            ["commit", "-q", "--allow-empty", "-m", "two"],
        ] {
            let result = try TribuneProgram.run(
                program: ["git", "-C", checkout.path, "-c", "user.name=t", "-c", "user.email=t@example.org"] + words)
            #expect(result.exit == .code(0), "\(result)")
        }
    }

    /// Waits until two windows are full of scrapes.
    func awaitData() throws -> Bool {
        try Loopback.eventually {
            let counts = try tribune.query("count_over_time(http_requests_total{env=\"green\",status=\"200\"}[4s])")
            return counts.count == 7 && counts.values.allSatisfy { (Int($0) ?? 0) >= 25 }
        }
    }

    /// Runs the workflow with short times.
    func run(_ text: String) throws -> WorkflowInterpreter {
        let short = text.replacing("--duration 600", with: "--duration 4 --interval 1")
            .replacing("--timeout 300", with: "--timeout 60").replacing(
                "--timeout 1800", with: "--timeout 60 --interval 1")
        let path = String(cString: getenv("PATH"))
        let workflow = try WorkflowInterpreter(
            short, in: checkout.path,
            context: [
                "github.ref_name": "main", "github.sha": "HEAD", "github.run_id": "4711", "github.event.before": "",
                "secrets.DGM_SERVICE_URL": "http://127.0.0.1:\(tribune.port)", "secrets.DGM_API_TOKEN": "correct-horse",
            ],
            environment: [
                "PATH": "\(checkout.file("bin")):\(path)", "TRIBUNE_RUNTIME_DIR": tribune.directory.file("run"),
            ])
        try workflow.run()
        return workflow
    }
}

@Suite struct PipelineTests {
    private static let root = "\(#filePath)".split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
    private static func workflow() throws -> String {
        try #require(FileText.read("\(root)/integrations/github-actions/acgs-cicd.yml"))
    }

    @Test("the platform's workflow runs from the baseline to the watch of production, with an improvement")
    func wholeWorkflow() throws {
        let platform = try PipelinePlatform(compliance: 0.9)
        #expect(try platform.awaitData())
        let run = try platform.run(try Self.workflow())
        #expect(run.results.values.allSatisfy { $0 == .success } && run.results.count == 5, "\(run.results) \(run.log)")
        #expect(run.steps.count == 27, "\(run.steps)")
        #expect(run.log.contains("improvement-") && run.log.contains(": succeeded"), "\(run.log)")
        #expect(run.log.contains("no violation in 4 s"), "\(run.log)")
        let kubectl = FileText.read(platform.checkout.file("kubectl.log")) ?? ""
        #expect(kubectl.contains("patch service acgs-gateway"), "\(kubectl)")
        let events = try JSON(parsing: try platform.tribune.get("/api/v1/history/events?limit=100").body)["data"]
        let kinds = Set((events?["events"]?.elements ?? []).compactMap { $0["kind"]?.text })
        #expect(kinds.isSuperset(of: ["checkpoint", "decision"]), "\(kinds)")
    }

    @Test(
        "a violation in production restores the checkpoint and fails the pipeline; without bottlenecks there is no improvement"
    )
    func violation() throws {
        let platform = try PipelinePlatform(compliance: 0.99)
        #expect(try platform.awaitData())
        // What would deploy to production gives the candidates traffic, and they fail.
        let start = "tribune rollout start acgs --server=$DGM_SERVICE_URL"
        let text = try Self.workflow().replacing(
            "kubectl patch service acgs-gateway --namespace=acgs-production -p '{\"spec\":{\"selector\":{\"version\":\"new\"}}}'",
            with:
                "\(start)\n        for n in $(seq 300); do grep -q '\"candidate\":10' \(platform.weightsFile("auth")) && break; sleep 0.1; done"
        )
        platform.fail(40)
        let run = try platform.run(text)
        #expect(run.results["dgm-improvement-cycle"] == .skipped, "\(run.results)")
        #expect(run.results["deploy-production"] == .failure, "\(run.log)")
        #expect(run.steps.last?.name == "Watch" && run.steps.last?.exit == .code(1), "\(run.log)")
        #expect(run.log.contains("violation: ") && run.log.contains("restore of acgs: accepted"), "\(run.log)")
        #expect(Loopback.eventually { platform.weight(of: "auth") == 0 })
    }

    @Test("the answers have their fields at the top level, and may stand in a shell's apostrophes")
    func answers() throws {
        let platform = try PipelinePlatform(compliance: 0.9)
        #expect(try platform.awaitData())
        func send(_ path: String, _ body: String, _ filter: String) throws -> String {
            let result = try TribuneProgram.run(
                program: [
                    "bash", "-c",
                    "curl -sS -X POST http://127.0.0.1:\(platform.tribune.port)/api/v1/\(path) -H 'Authorization: Bearer "
                        + "correct-horse' -H 'Content-Type: application/json' -d @- | \(filter)",
                ], input: body)
            #expect(result.exit == .code(0), "\(result)")
            return result.output
        }
        #expect(
            try send("safety/checkpoint", #"{"environment": "x", "services": ["auth"]}"#, "jq -r .checkpoint_id")
                .hasPrefix("checkpoint-"))
        let advice = try send(
            "analyze-deployment", #"{"deployment_context": {"branch": "it's", "more": {"a": 1}}}"#, "cat")
        #expect(advice.contains("\"auto_improve\": true") && !advice.contains("'"), "\(advice)")
        let parsed = try JSON(parsing: advice)
        #expect(parsed["deployment_context"]?["branch"] == "it's" && parsed["data"]?["id"] == parsed["id"])
        #expect(parsed["status"] == "success", "the envelope's own members win")
        #expect(
            try send(
                "improvements",
                "{\"deployment_context\": {\"deployment_id\": \"1\"}, \"improvement_request\": \(advice)}",
                "jq -r .improvement_id"
            ).hasPrefix("improvement-"))
        // A field that nobody knows is still an error of the caller's spelling.
        #expect(try send("safety/checkpoint", #"{"envronment": "x"}"#, "jq -r .error") == "envronment: unknown field\n")
    }

    @Test("a step fails clearly where the step before it got no id")
    func missingIDs() throws {
        for words in [
            ["ci", "monitor-improvement", "--improvement-id", "null", "--dgm-service-url=http://127.0.0.1:9"],
            ["ci", "monitor-deployment", "--checkpoint-id", "--dgm-service-url=http://127.0.0.1:9"],
        ] {
            let result = try TribuneProgram.run(words)
            #expect(result.exit == .code(1) && result.errors.contains("the request for it failed"), "\(result)")
        }
        let nowhere = try TribuneProgram.run(program: [
            "env", "-u", "DGM_SERVICE_URL", TribuneProgram.path, "ci", "baseline",
        ])
        #expect(nowhere.exit == .code(2) && nowhere.errors.contains("DGM_SERVICE_URL"), "\(nowhere)")
    }
}

extension PipelinePlatform {
    func weightsFile(_ service: String) -> String { files.file("weights-\(service)") }
}
