import CurlHTTP
import Glibc
import JSON
import Runtime
import TestSupport
import Testing

/// The behaviour of `serve` when the system has fewer threads than it needs.
@Suite(.enabled(if: getuid() == 0, "only root can start a process as a user without other processes"))
struct ThreadLimitTests {
    private static let files = [
        "tribune.yml": """
        prometheus_config: prometheus.yml
        history: {redis: {address: '127.0.0.1:1'}}
        plans: [plan.yml]
        """,
        "prometheus.yml": """
        global: {scrape_interval: 100ms, scrape_timeout: 100ms, evaluation_interval: 100ms}
        rule_files: [rules.yml]
        alerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:1']}]}]}
        """,
        "rules.yml": "groups: [{name: g, rules: [{record: one, expr: vector(1)}]}]",
        "plan.yml": """
        plan: p
        stages: [100]
        services: [{name: a, routes: [{exec: {shift: ['true'], read: ['false']}}]}]
        """,
    ]

    /// One start under each limit, from one thread up to as many as are enough. Each start either fails with one clear
    /// line, or the service is whole: its rules are evaluated.
    @Test func aStartWithoutAllThreadsFailsAndSaysSo() throws {
        let directory = TemporaryDirectory()
        chmod(directory.path, 0o777)
        for (name, text) in Self.files { directory.write(text, to: name) }
        let port = Loopback.freePort()
        var missing: Set<String> = []
        // The web server has 32 workers, which need not be tested one by one.
        for limit in Array(1...16) + Array(40...200) {
            let log = directory.file("log-\(limit)")
            let process = try Self.start(directory, port: port, limit: limit, log: log)
            defer { _ = process.stop(graceMilliseconds: 20_000) }
            var end: ChildProcess.Exit?
            try #require(
                Loopback.eventually {
                    end = process.wait(milliseconds: 20)
                    return end != nil || (FileText.read(log) ?? "").contains("msg=ready")
                })
            let text = FileText.read(log) ?? ""
            if end == nil {
                let rules = { try? Self.rules(port) }
                #expect(Loopback.eventually { rules()?["health"]?.text == "ok" }, "\(text)")
                #expect(missing.count >= 15, "\(missing.sorted())")
                // The kernel still counts a thread for a moment after its end, so that a limit can be passed over.
                let parts = ["spool", "notify", "alertmanager", "hot-cache", "plan p", "rule-clock", "housekeeping"]
                #expect(missing.intersection(parts).count >= parts.count - 2, "\(missing.sorted())")
                return
            }
            #expect(end == .code(1), "\(limit) threads: \(text)")
            #expect(!text.contains("msg=ready"))
            let lines = text.split(separator: "\n").filter { !$0.hasPrefix("time=") }
            #expect(
                lines.count == 1 && lines.allSatisfy { $0.hasPrefix("tribune serve: ") }, "\(limit) threads: \(text)")
            if let name = text.firstMatch(of: /cannot start thread "([^"]+)"/) { missing.insert(String(name.output.1)) }
        }
        Issue.record("200 threads were not enough")
    }

    private static func start(
        _ directory: TemporaryDirectory, port: Int, limit: Int, log: String
    ) throws -> ChildProcess {
        let user = 100_000 + Int(getpid())
        return try ChildProcess(
            [
                "setpriv", "--reuid=\(user)", "--regid=\(user)", "--clear-groups", "prlimit", "--nproc=\(limit)",
                TribuneProgram.path, "serve", "--config.file=\(directory.file("tribune.yml"))",
                "--storage.path=\(directory.file("data"))", "--web.listen-address=127.0.0.1:\(port)",
            ], output: .file(log), errors: .file(log))
    }

    private static func rules(_ port: Int) throws -> JSON? {
        let client = HTTPClient()
        let body = try client.send(HTTPRequest(url: "http://127.0.0.1:\(port)/api/v1/rules")).body
        return try JSON(parsing: body)["data"]?["groups"]?.elements?.first?["rules"]?.elements?.first
    }
}
