import CurlHTTP
import Glibc
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing

/// Debian's `amtool` against a running service.
@Suite(.enabled(if: access("/usr/bin/amtool", X_OK) == 0, "amtool is not installed"))
struct AmtoolTests {
    private static let files = [
        "tribune.yml": "prometheus_config: prometheus.yml\nalertmanager_config: alertmanager.yml\n",
        "prometheus.yml": """
        global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 100ms}
        rule_files: [rules.yml]
        """,
        "rules.yml": """
        groups:
        - name: g
          rules:
          - {alert: AlwaysFiring, expr: vector(1), labels: {severity: warning}, annotations: {summary: it fires}}
        """,
        "alertmanager.yml": """
        route:
          receiver: team
          group_by: [alertname]
          group_wait: 0s
          group_interval: 1s
          routes:
          - {matchers: [severity=critical], receiver: pager}
          - {matchers: [severity=warning], receiver: hook}
        receivers:
        - {name: team, webhook_configs: [{url: "http://u:hunter2@127.0.0.1:9/"}]}
        - {name: pager, pagerduty_configs: [{routing_key: hunter2}]}
        - {name: hook, webhook_configs: [{url: "HOOK"}]}
        """,
    ]

    /// A receiver that records messages.
    private final class Hook: Sendable {
        private let seen = Mutex<[String]>([])
        var bodies: [String] { seen.withLock { $0 } }

        func server() -> LoopbackServer {
            LoopbackServer { request in
                self.seen.withLock { $0.append(String(decoding: request.body, as: UTF8.self)) }
                return .ok("")
            }
        }
    }

    private let told = Hook()

    private func run(_ tribune: RunningTribune, _ arguments: [String]) throws -> (exit: ChildProcess.Exit, text: String)
    {
        let file = tribune.directory.file("amtool.out")
        let remarks = tribune.directory.file("amtool.err")
        for name in ["amtool.out", "amtool.err"] { tribune.directory.write("", to: name) }
        let process = try ChildProcess(
            ["/usr/bin/amtool", "--alertmanager.url=http://127.0.0.1:\(tribune.port)"] + arguments, output: .file(file),
            errors: .file(remarks))
        let exit = process.wait()
        return (exit, (FileText.read(file) ?? "") + (exit == .code(0) ? "" : FileText.read(remarks) ?? ""))
    }

    @Test func silencesAreMadeShownChangedAndEndedAndRecorded() throws {
        let hook = told.server()
        defer { hook.stop() }
        let tribune = try RunningTribune(Self.files.mapValues { $0.replacing("HOOK", with: hook.url) })
        #expect(Loopback.eventually { told.bodies.contains { $0.contains("AlwaysFiring") } })

        let added = try run(
            tribune,
            [
                "silence", "add", "--author=ada", "--comment=planned work", "--duration=1h", "alertname=~Always.*",
                "severity!=none",
            ])
        #expect(added.exit == .code(0), "\(added.text)")
        let id = added.text.filter { !$0.isWhitespace }
        let queried = try run(tribune, ["silence", "query"])
        #expect(queried.text.contains(id) && queried.text.contains("ada") && queried.text.contains("planned work"))
        #expect(queried.text.contains("alertname=~\"Always.*\"") && queried.text.contains("severity!=\"none\""))

        #expect(try run(tribune, ["alert", "query"]).text.contains("AlwaysFiring") == false)
        let silenced = try run(tribune, ["alert", "query", "--silenced"])
        #expect(silenced.text.contains("AlwaysFiring") && silenced.text.contains("suppressed"), "\(silenced.text)")

        let updated = try run(tribune, ["silence", "update", "--comment=more work", "--duration=2h", id])
        #expect(
            updated.exit == .code(0) && updated.text.contains(id) && updated.text.contains("more work"),
            "\(updated.text)")

        // Kept over a restart, killed or not.
        #expect(tribune.process.stop(graceMilliseconds: 20_000) == .code(0))
        try tribune.restart()
        #expect(try run(tribune, ["silence", "query"]).text.contains("more work"))
        #expect(
            Loopback.eventually {
                (try? run(tribune, ["alert", "query", "--silenced"]).text.contains("AlwaysFiring")) == true
            })
        let before = told.bodies.count

        #expect(try run(tribune, ["silence", "expire", id]).exit == .code(0))
        #expect(try run(tribune, ["silence", "query"]).text.contains(id) == false)
        #expect(try run(tribune, ["silence", "query", "--expired"]).text.contains(id))
        #expect(
            Loopback.eventually { (try? run(tribune, ["alert", "query"]).text.contains("AlwaysFiring")) == true })

        #expect(
            try Loopback.eventually {
                let events = try JSON(parsing: try tribune.get("/api/v1/history/events?kind=silence").body)
                let states = events["data"]?["events"]?.elements?.compactMap { $0["body"]?["state"]?.text }
                return states == ["expired", "kept", "updated", "created"]
            })
        let events = try JSON(parsing: try tribune.get("/api/v1/history/events?kind=silence").body)
        let last = try #require(events["data"]?["events"]?.elements?.last)
        #expect(last["subject"] == #"{alertname=~"Always.*",severity!="none"}"#)
        #expect(last["body"]?["by"] == "127.0.0.1" && last["body"]?["comment"] == "planned work")
        #expect(last["body"]?["silence"]?["created_by"] == "ada")
        // The receiver knew of the alert before the silence, and before the restart.
        #expect(told.bodies.count == before)
    }

    @Test func alertsConfigurationAndRoutesAreUnderstood() throws {
        let hook = told.server()
        defer { hook.stop() }
        let tribune = try RunningTribune(Self.files.mapValues { $0.replacing("HOOK", with: hook.url) })
        let added = try run(
            tribune, ["alert", "add", "Outside", "severity=warning", "--annotation=summary=from elsewhere"])
        #expect(added.exit == .code(0), "\(added.text)")
        #expect(Loopback.eventually { told.bodies.contains { $0.contains("from elsewhere") } })
        #expect(
            try run(tribune, ["alert", "query", "alertname=Outside", "--output=json"]).text.contains("from elsewhere"))
        let shown = try run(tribune, ["config", "show"])
        #expect(shown.text.contains("receiver: team") && !shown.text.contains("hunter2"), "\(shown.text)")
        let routed = try run(tribune, ["config", "routes", "test", "severity=critical"])
        #expect(routed.text.contains("pager"), "\(routed.text)")
        #expect(try run(tribune, ["config", "routes", "show"]).text.contains("receiver: hook"))
        #expect(try run(tribune, ["cluster", "show"]).exit == .code(0))
        let unknown = try run(tribune, ["silence", "expire", "4d1bde97-0000-4000-8000-000000000000"])
        #expect(unknown.exit == .code(1))
    }
}
