import CurlHTTP
import Foundation
import JSON
import Runtime
import TestSupport
import Testing

/// The trace of an incident of a real Tribune, in a collector with OpenTelemetry's definitions: complete, also when the
/// service ends in the middle.
@Suite struct IncidentTraceTests {
    private struct World {
        let target: LoopbackServer
        let receiver: LoopbackServer
        let state = TemporaryDirectory()
        let tribune: RunningTribune

        init(_ tracing: String, isHealthy: Bool = false) throws {
            // Healthy while the file exists.
            let healthy = state.file("healthy")
            target = LoopbackServer { _ in
                .ok("compliance{service=\"auth\",env=\"green\"} \(Paths.exists(healthy) ? 1 : 0.5)\n")
            }
            if isHealthy { state.write("", to: "healthy") }
            receiver = LoopbackServer { _ in .ok("{}", type: "application/json") }
            state.write("0\n", to: "auth")
            // The router waits while the file exists.
            state.write(
                """
                #!/bin/bash
                for ((i = 0; i < 1000; i++)); do [ -e \(state.path)/hold ] || break; sleep 0.02; done
                # Not after the end of the process that wants it.
                kill -0 $PPID 2>/dev/null || exit 1
                sed 's/.*"candidate":\\([0-9]*\\).*/\\1/' > \(state.path)/auth.new
                mv \(state.path)/auth.new \(state.path)/auth
                """, to: "shift")
            state.write(
                """
                #!/bin/bash
                candidate=$(cat \(state.path)/auth)
                echo "{\\"stable\\": $((100 - candidate)), \\"candidate\\": $candidate, \\"stable_healthy\\": true}"
                """, to: "read")
            tribune = try RunningTribune(
                [
                    "prometheus.yml": """
                    global: {scrape_interval: 1s, evaluation_interval: 1s, external_labels: {cluster: west}}
                    rule_files: [rules.yml]
                    tracing: \(tracing)
                    scrape_configs:
                    - job_name: auth
                      static_configs: [{targets: ['127.0.0.1:\(target.port)']}]
                    """,
                    "rules.yml": """
                    groups:
                    - name: g
                      trigger: scrape
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
                ], flags: ["--log.format=json"])
            #expect(try tribune.post("/api/v1/rollouts/acgs/start").status == 200)
        }

        func events(_ query: String) throws -> [JSON] {
            try JSON(parsing: try tribune.get("/api/v1/history/events?limit=1000&\(query)").body)["data"]?["events"]?
                .elements ?? []
        }
    }

    private func spans(_ collector: TraceCollector) throws -> [String: [JSON]] {
        Dictionary(grouping: try collector.lines.map { try JSON(parsing: Array($0.utf8)) }) { $0["name"]?.text ?? "" }
    }

    private func time(_ span: JSON?, _ name: String) -> Int64 { span?[name]?.text.flatMap { Int64($0) } ?? 0 }

    @Test(arguments: ["grpc", "http"])
    func `one trace goes from the scrape to the notification`(mode: String) throws {
        guard TraceCollector.packages != nil else { return }
        let collector = try TraceCollector(mode)
        let world = try World(
            "{endpoint: '127.0.0.1:\(collector.port)', client_type: \(mode), insecure: true, sampling_fraction: 1}")
        #expect(
            try Loopback.eventually(within: 60) {
                let spans = try self.spans(collector)
                return spans["incident"] != nil && spans["notification"] != nil
            }, "\(world.tribune.log) \(collector.lines) \(collector.log)")
        let spans = try spans(collector)
        let trace = try #require(spans["incident"]?.first?["trace"]?.text)
        #expect(!collector.lines.contains { $0.hasPrefix("FAULT") })
        #expect(spans.values.joined().allSatisfy { $0["trace"]?.text == trace })
        for name in ["scrape", "decision", "shift", "read back", "isolate", "validate", "incident"] {
            #expect(spans[name]?.count == 1, "\(name): \(spans.keys.sorted())")
        }
        // Each step begins where the one before ended, and all are within the incident.
        let (scrape, decision) = (spans["scrape"]?.first, spans["decision"]?.first)
        let (shift, told, root) = (spans["shift"]?.first, spans["notification"]?.first, spans["incident"]?.first)
        #expect(time(scrape, "end") == time(decision, "start"))
        #expect(time(decision, "end") <= time(shift, "start") && time(shift, "start") < time(shift, "end"))
        #expect(time(shift, "end") <= time(told, "start"))
        #expect(time(root, "start") <= time(scrape, "start") && time(validate: spans) <= time(root, "end"))
        #expect(told?["attributes"]?["tribune.receiver"]?.text == "hook")
        #expect(root?["resource"]?["cluster"]?.text == "west")
        // The record and the log have the id.
        let decisions = try world.events("kind=decision")
        let entry = try #require(decisions.first { $0["body"]?["cause"] != nil })
        #expect(entry["body"]?["trace_id"]?.text == trace && entry["body"]?["committed_at"]?.text != nil)
        #expect(entry["incident"]?.text == root?["attributes"]?["tribune.incident"]?.text)
        let delivered = try Loopback.eventually {
            try world.events("kind=alert").contains {
                $0["body"]?["state"]?.text == "delivered" && $0["body"]?["trace_id"]?.text == trace
            }
        }
        #expect(delivered)
        let lines = world.tribune.log.split(separator: "\n").filter { $0.contains("\"trace_id\":\"\(trace)\"") }
        let messages = try Set(lines.compactMap { try JSON(parsing: Array($0.utf8))["msg"]?.text })
        #expect(
            messages.isSuperset(of: ["step", "receiver notified of an incident", "rollback validated"]), "\(messages)")
    }

    private func time(validate spans: [String: [JSON]]) -> Int64 { time(spans["validate"]?.first, "end") }

    @Test func `a service that ends between decision and shift goes on in the same trace`() throws {
        guard TraceCollector.packages != nil else { return }
        let collector = try TraceCollector("http")
        let world = try World(
            "{endpoint: '127.0.0.1:\(collector.port)', client_type: http, insecure: true, sampling_fraction: 1}",
            isHealthy: true)
        try #require(Loopback.eventually { (FileText.read(world.state.file("auth")) ?? "").hasPrefix("50") })
        // The first stage is there; the shift back will wait.
        world.state.write("", to: "hold")
        try FileManager.default.removeItem(atPath: world.state.file("healthy"))
        #expect(
            try Loopback.eventually(within: 60) { try self.spans(collector)["decision"] != nil }, "\(world.tribune.log)"
        )
        world.tribune.process.signal(SIGKILL)
        _ = world.tribune.process.wait()
        let before = try spans(collector)
        #expect(before["shift"] == nil && before["incident"] == nil)
        try FileManager.default.removeItem(atPath: world.state.file("hold"))
        try world.tribune.restart()
        #expect(
            try Loopback.eventually(within: 60) {
                let spans = try self.spans(collector)
                return spans["incident"] != nil && spans["notification"] != nil
            }, "\(world.tribune.log) \(collector.lines)")
        let after = try spans(collector)
        let decision = before["decision"]?.first
        for name in ["shift", "read back", "incident", "notification"] {
            #expect(after[name]?.allSatisfy { $0["trace"]?.text == decision?["trace"]?.text } == true, "\(name)")
        }
        #expect(time(after["incident"]?.first, "start") <= time(decision, "start"))
    }
}
