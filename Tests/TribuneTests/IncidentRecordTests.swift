import CurlHTTP
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing

/// One incident in the record of a real Tribune: from the first violation to what the receiver was told.
@Suite struct IncidentRecordTests {
    @Test func `violations, decision, steps and notifications have one incident`() throws {
        let target = LoopbackServer { _ in .ok("compliance{service=\"auth\",env=\"green\"} 0.5\n") }
        let told = Mutex(0)
        let receiver = LoopbackServer { _ in
            told.withLock { $0 += 1 }
            return .ok("{}", type: "application/json")
        }
        let state = TemporaryDirectory()
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
        let tribune = try RunningTribune([
            "prometheus.yml": """
            global: {scrape_interval: 1s, evaluation_interval: 1s}
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
                consecutive: 4
                action: {plan: acgs}
            """,
            "plan.yml": """
            plan: acgs
            stages: [50, 100]
            bake: 1h
            validation: {rounds: 1, interval: 50ms, timeout: 5s}
            services:
            - name: auth
              routes:
              - exec: {shift: [bash, \(state.file("shift"))], read: [bash, \(state.file("read"))]}
            """,
            "alertmanager.yml": """
            route: {receiver: hook, group_wait: 0s}
            receivers:
            - {name: hook, webhook_configs: [{url: 'http://127.0.0.1:\(receiver.port)/'}]}
            """,
            "tribune.yml": """
            prometheus_config: prometheus.yml
            alertmanager_config: alertmanager.yml
            plans: [plan.yml]
            """,
        ])
        #expect(try tribune.post("/api/v1/rollouts/acgs/start").status == 200)
        func events(_ query: String) throws -> [JSON] {
            try JSON(parsing: try tribune.get("/api/v1/history/events?limit=1000&\(query)").body)["data"]?["events"]?
                .elements ?? []
        }
        let isTold = try Loopback.eventually(within: 60) {
            try events("kind=alert").contains { $0["body"]?["state"]?.text == "delivered" }
        }
        try #require(isTold, "\(tribune.log)")
        let violations = try events("kind=violation")
        let incident = try #require(violations.last?["incident"]?.text)
        #expect(incident.hasPrefix("ComplianceLow-") && violations.count == 4)
        #expect(violations.allSatisfy { $0["service"]?.text == "auth" })
        let whole = try events("incident=\(incident)")
        let kinds = whole.compactMap { $0["kind"]?.text }
        #expect(kinds.count { $0 == "violation" } == 4, "\(kinds)")
        #expect(kinds.count { $0 == "decision" } == 1, "\(kinds)")
        #expect(kinds.count { $0 == "rollback_step" } >= 5, "\(kinds)")
        #expect(kinds.contains("alert"), "\(kinds)")
        let delivered = try #require(whole.first { $0["kind"]?.text == "alert" })
        #expect(delivered["body"]?["receiver"]?.text == "hook")
        #expect(told.withLock { $0 } > 0)

        // What the rollback left is found in the record, and has an owner and an end there.
        func run(_ arguments: String...) throws -> TribuneProgram.Result {
            let token = tribune.directory.file("run/\(tribune.port).token")
            return try TribuneProgram.run(
                arguments + ["--server=http://127.0.0.1:\(tribune.port)", "--token-file=\(token)"])
        }
        #expect(
            try Loopback.eventually {
                try run("rollout", "history", "acgs").output.contains("rollback acgs-1-1 of auth")
            })
        let open = try run("rollout", "tasks", "acgs")
        #expect(
            open.output.split(separator: "\n").map { $0.split(separator: " ").prefix(3).joined(separator: " ") } == [
                "acgs-1-1", "auth root_cause open,", "auth debugging open,", "auth fix open,", "auth retry_plan open,",
                "auth lessons open,",
            ], "\(open)")
        let changed = try run(
            "rollout", "task", "acgs", "acgs-1-1", "auth", "fix", "--state=done", "--owner=ada", "--note=build 8")
        #expect(changed.output == "auth fix: done, owner ada: build 8\n", "\(changed)")
        #expect(try Loopback.eventually { try !run("rollout", "tasks", "acgs").output.contains("auth fix") })
        #expect(try run("rollout", "tasks", "acgs", "--all").output.contains("done, owner ada: build 8"))
        #expect(
            try run("rollout", "report", "acgs").output.contains(
                "- [x] Fix auth and test the fix. (`fix`, done, owner: ada): build 8\n"))
        let wrong = try run("rollout", "task", "acgs", "acgs-1-1", "pgc", "fix", "--state=done")
        #expect(wrong.exit == .code(1) && wrong.errors.contains("has no tasks for the service \"pgc\""), "\(wrong)")
        let entry = try #require(try events("incident=\(incident)").first { $0["body"]?["step"]?.text == "task" })
        #expect(entry["body"]?["owner"]?.text == "ada" && entry["kind"]?.text == "deployment")
    }
}
