import CurlHTTP
import Glibc
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing

/// A Tribune with one service in two versions: its metrics, its router (a file with the weights) and its gates.
private final class GatedTribune {
    let tribune: RunningTribune
    private let metrics: LoopbackServer
    private let client = HTTPClient()

    /// - Parameter failing: how many of a hundred requests the candidate loses.
    init(failing: Int) throws {
        let scrapes = Mutex(0)
        metrics = LoopbackServer { _ in
            let count = scrapes.withLock { value in
                value += 1
                return value
            }
            var text = "# TYPE http_requests_total counter\n"
            for (env, share) in [("blue", 0), ("green", failing)] {
                let series = "http_requests_total{service=\"shop\",env=\"\(env)\",status="
                text += "\(series)\"200\"} \(count * (1000 - 10 * share))\n\(series)\"500\"} \(count * 10 * share)\n"
            }
            return .ok(text)
        }
        let scrape = """
            global: {scrape_interval: 100ms, scrape_timeout: 100ms}
            scrape_configs:
            - job_name: shop
              static_configs: [{targets: ['\(metrics.url.dropFirst("http://".count))']}]
            """
        let plan = """
            plan: shop
            stages: [10, 100]
            bake: 1h
            validation: {rounds: 1, interval: 10ms}
            services:
            - {name: shop, routes: [{exec: {shift: [sh, SHIFT], read: [cat, WEIGHTS]}}]}
            """
        let configuration = """
            prometheus_config: prometheus.yml
            plans: [plan.yml]
            gates:
              token_file: token
              profiles:
              - name: shop
                stable: {env: blue}
                candidate: {env: green}
                window: 3s
                metrics:
                - {name: errors, events: 'http_requests_total{status=~"5.."}', of: http_requests_total}
            """
        let files = TemporaryDirectory()
        let weights = files.write(#"{"stable":100,"candidate":0,"stable_healthy":true}"#, to: "weights")
        let shift = files.write(
            "sed -e 's/.*\\(\"stable\":[0-9]*,\"candidate\":[0-9]*\\).*/{\\1,\"stable_healthy\":true}/' > \(weights)",
            to: "shift")
        self.files = files
        tribune = try RunningTribune([
            "tribune.yml": configuration, "prometheus.yml": scrape, "token": "correct-horse\n",
            "plan.yml": plan.replacing("SHIFT", with: shift).replacing("WEIGHTS", with: weights),
        ])
    }

    private let files: TemporaryDirectory

    deinit { metrics.stop() }

    var candidateWeight: Int64? {
        FileText.read(files.file("weights")).flatMap { try? JSON(parsing: $0) }?["candidate"]?.integer
    }

    /// Waits until the window of the profile is full of scrapes.
    func awaitData() throws -> Bool {
        try Loopback.eventually {
            try tribune.query("count_over_time(http_requests_total{env=\"green\",status=\"200\"}[3s])").values.contains
            {
                (Int($0) ?? 0) >= 20
            }
        }
    }

    func send(_ path: String, method: String = "POST", token: String? = "correct-horse", _ body: String = "{}") throws
        -> HTTPResponse
    {
        var request = HTTPRequest(url: "http://127.0.0.1:\(tribune.port)\(path)")
        request.method = method
        if method == "POST" { request.body = Array(body.utf8) }
        if let token { request.authorize(credentials: token) }
        return try client.send(request)
    }
}

@Suite struct GateTests {
    /// The repository, seen from this file.
    private static let root = "\(#filePath)".split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
    private static let integration = "\(root)/integrations/github-actions"

    /// The output of a job.
    private struct Job {
        var exits: [ChildProcess.Exit] = []
        var outputs: [String: String] = [:]
        var log = ""
    }

    /// Runs the steps of the shipped workflow as a runner would: each `run` in a shell of its own, in order; after a
    /// failure only the last, which goes back.
    private func run(_ tribune: GatedTribune, deploy: String, environment: [String] = []) throws -> Job {
        let workflow = try #require(FileText.read("\(Self.integration)/tribune-gate.yml"))
        let steps = workflow.split(separator: "\n").compactMap { line -> String? in
            line.firstRange(of: "run: ").map { String(line[$0.upperBound...]) }
        }
        #expect(steps.count == 5)
        let directory = TemporaryDirectory()
        let script = try #require(FileText.read("\(Self.integration)/tribune-gate.sh"))
        #expect(Paths.makeDirectory(directory.file(".github/scripts")))
        chmod(directory.write(script, to: ".github/scripts/tribune-gate.sh"), 0o755)
        var job = Job()
        for (index, step) in steps.enumerated() {
            let isGoingBack = index == steps.count - 1
            guard job.exits.allSatisfy({ $0 == .code(0) }) != isGoingBack else { continue }
            let output = directory.write("", to: "output")
            let values = [
                "TRIBUNE_URL=http://127.0.0.1:\(tribune.tribune.port)", "TRIBUNE_TOKEN=correct-horse",
                "TRIBUNE_RUNTIME_DIR=\(tribune.tribune.directory.file("run"))",
                "TRIBUNE_PLAN=shop", "TRIBUNE_SERVICE=shop", "DEPLOY=\(deploy)", "WATCH_SECONDS=3.5",
                "GITHUB_OUTPUT=\(output)", "CHECKPOINT=\(job.outputs["checkpoint"] ?? "")",
            ]
            let log = directory.file("log-\(index)")
            let command = "cd \(directory.path) && exec 2>&1; \(step)"
            let child = try ChildProcess(
                ["env"] + values + environment + ["bash", "-eo", "pipefail", "-c", command], output: .file(log))
            job.exits.append(child.wait(milliseconds: 60_000) ?? child.stop())
            job.log += FileText.read(log) ?? ""
            for line in (FileText.read(output) ?? "").split(separator: "\n") {
                let parts = line.split(separator: "=", maxSplits: 1)
                if parts.count == 2 { job.outputs[String(parts[0])] = String(parts[1]) }
            }
        }
        return job
    }

    @Test("the shipped workflow restores its checkpoint if the candidate is worse")
    func failingWorkflow() throws {
        let gated = try GatedTribune(failing: 4)
        let start = "\(TribuneProgram.path) rollout start shop --server=http://127.0.0.1:\(gated.tribune.port)"
        let job = try run(gated, deploy: start)
        #expect(job.exits == [.code(0), .code(0), .code(0), .code(1), .code(0)], "\(job.log)")
        #expect(
            job.outputs["verdict"] == "fail" && job.log.contains("::error title=Tribune::errors: worse"), "\(job.log)")
        #expect(job.log.contains("shop: accepted"), "\(job.log)")
        #expect(Loopback.eventually { gated.candidateWeight == 0 })
        let events = try JSON(parsing: try gated.tribune.get("/api/v1/history/events").body)["data"]?["events"]
        let kinds = Set((events?.elements ?? []).compactMap { $0["kind"]?.text })
        #expect(kinds.isSuperset(of: ["checkpoint", "decision", "deployment", "rollback_step"]), "\(kinds)")
    }

    @Test("the shipped workflow passes a good candidate, and treats inconclusive results as configured")
    func passingWorkflow() throws {
        let gated = try GatedTribune(failing: 0)
        let job = try run(gated, deploy: "true")
        #expect(job.exits == [.code(0), .code(0), .code(0), .code(0)], "\(job.log)")
        #expect(job.outputs["verdict"] == "pass")
        let unknown = try run(gated, deploy: "true", environment: ["TRIBUNE_SERVICE=nobody"])
        #expect(unknown.exits == [.code(0), .code(0), .code(0), .code(3), .code(0)], "\(unknown.log)")
        let lenient = try run(
            gated, deploy: "true", environment: ["TRIBUNE_SERVICE=nobody", "TRIBUNE_ON_INCONCLUSIVE=pass"])
        #expect(lenient.exits == [.code(0), .code(0), .code(0), .code(0)], "\(lenient.log)")
        let stranger = try run(gated, deploy: "true", environment: ["TRIBUNE_TOKEN=wrong"])
        #expect(stranger.exits.first == .code(2) && stranger.log.contains("answered 401"), "\(stranger.log)")
    }

    @Test("a client without the token gets no data, and errors name the field")
    func refusals() throws {
        let gated = try GatedTribune(failing: 0)
        let paths = [
            "analyze-deployment", "analyze-performance-change", "improvements", "safety/checkpoint",
            "analyze-deployment/x", "safety/checkpoint/x",
        ]
        for path in paths {
            for token in [nil, "wrong", "correct-horseX", "correct-hors"] {
                let response = try gated.send("/api/v1/\(path)", method: "GET", token: token)
                #expect(response.status == 401, "\(path) \(token ?? "")")
                #expect(response["WWW-Authenticate"] == "Bearer realm=\"tribune\"")
            }
        }
        let wrong = try gated.send("/api/v1/analyze-deployment", #"{"window": 5}"#)
        #expect(wrong.status == 400)
        #expect(try JSON(parsing: wrong.body)["error"]?.text == "window: expected text")
        #expect(try gated.send("/api/v1/safety/checkpoint/x/restore").status == 404)
        #expect(try gated.send("/api/v1/improvements", #"{"title": "x"}"#).status == 409)
        let bottlenecks = try JSON(parsing: try gated.tribune.get("/api/v1/bottlenecks").body)["data"]?["bottlenecks"]
        #expect(bottlenecks?.elements?.isEmpty == false)
    }

    @Test("without a configured token all requests are refused")
    func noToken() throws {
        let tribune = try RunningTribune(
            ["prometheus.yml": "global: {scrape_interval: 1s}"], config: "prometheus.yml")
        var request = HTTPRequest(url: "http://127.0.0.1:\(tribune.port)/api/v1/analyze-deployment")
        request.authorize(credentials: "")
        let response = try HTTPClient().send(request)
        #expect(response.status == 401)
        #expect(String(decoding: response.body, as: UTF8.self).contains("needs credentials"))
    }

    @Test("the command's exit code is the verdict; checkpoints are created and restored")
    func command() throws {
        let gated = try GatedTribune(failing: 4)
        #expect(try gated.awaitData())
        let token = gated.tribune.directory.file("token")
        func gate(_ words: [String]) throws -> TribuneProgram.Result {
            try TribuneProgram.run(
                ["gate"] + words + ["--server=http://127.0.0.1:\(gated.tribune.port)", "--token-file=\(token)"])
        }
        let failed = try gate(["analyze", "--service=shop"])
        #expect(failed.exit == .code(1) && failed.output.hasPrefix("fail analysis-"), "\(failed)")
        #expect(failed.output.contains("fail errors (fisher_exact): worse: risk_difference 0.04"), "\(failed)")
        #expect(try gate(["analyze", "--service=nobody"]).exit == .code(3))
        let change = try gate(["analyze", "--change", "--service=shop", "--change-time=9999999999"])
        #expect(change.exit == .code(1) && change.errors.contains("change_time: is in the future"), "\(change)")
        let made = try gate(["checkpoint", "--plan=shop"])
        let id = String(made.output.split(separator: "\n").first ?? "")
        #expect(made.exit == .code(0) && id.hasPrefix("checkpoint-"), "\(made)")
        #expect(try gate(["restore", id]).output == "shop: ignored, there is no rollout\n")
        #expect(try gate(["status"]).output.contains(id))
        #expect(try JSON(parsing: gate(["status", id]).output)["restores"]?.elements?.count == 1)
    }

    @Test("errors of the section gates are reported with line and field")
    func configuration() throws {
        let directory = TemporaryDirectory()
        _ = directory.write("global: {}", to: "prometheus.yml")
        for (gates, message) in [
            ("gates: {tokn_file: x}", "2:20: gates.tokn_file: unknown field"),
            ("gates: {token_file: nowhere}", "gates.token_file: cannot read nowhere"),
            (
                "gates:\n  profiles:\n  - {name: a, metrics: [{name: e, samples: 'rate('}]}",
                "gates.profiles[0].metrics[0].samples"
            ),
            ("gates:\n  profiles:\n  - name: a\n    window: never", "5:13: gates.profiles[0].window: not a duration"),
            ("gates: {executor: {url: ftp://x}}", "gates.executor.url: expected a URL of http or https"),
        ] {
            let file = directory.write("prometheus_config: prometheus.yml\n\(gates)\n", to: "tribune.yml")
            let checked = try TribuneProgram.run(["check", "config", file])
            #expect(checked.exit == .code(1) && (checked.output + checked.errors).contains(message), "\(checked)")
        }
    }
}
