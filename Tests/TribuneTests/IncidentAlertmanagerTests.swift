import CurlHTTP
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing

/// What a person is told who keeps an Alertmanager: `alerting:` in `prometheus.yml`, and no `alertmanager_config`.
@Suite struct IncidentAlertmanagerTests {
    private let state = TemporaryDirectory()

    private func plan() -> String {
        state.write("0\n", to: "share")
        state.write(
            """
            sed 's/.*"candidate":\\([0-9]*\\).*/\\1/' > \(state.file("new"))
            mv \(state.file("new")) \(state.file("share"))
            """, to: "shift")
        state.write(
            """
            share=$(cat \(state.file("share")))
            echo "{\\"stable\\": $((100 - share)), \\"candidate\\": $share, \\"stable_healthy\\": true}"
            """, to: "read")
        return """
            plan: shop
            stages: [50, 100]
            bake: 1h
            validation: {rounds: 1, interval: 50ms, timeout: 5s}
            services:
            - name: cart
              routes:
              - exec: {shift: [bash, \(state.file("shift"))], read: [bash, \(state.file("read"))]}
            """
    }

    @Test func theAlertmanagersOfPrometheusAreToldOfARollbackAndItsEnd() throws {
        let seen = Mutex<[JSON]>([])
        let alertmanager = LoopbackServer { request in
            let alerts = (try? JSON(parsing: request.body))?.elements ?? []
            seen.withLock { $0 += alerts.filter { $0["labels"]?["alertname"]?.text == "TribuneRollback" } }
            return .ok("")
        }
        defer { alertmanager.stop() }
        let target = LoopbackServer { _ in .ok("errors{service=\"cart\",env=\"green\"} 5\n") }
        defer { target.stop() }
        let tribune = try RunningTribune([
            "prometheus.yml": """
            global: {scrape_interval: 1s, evaluation_interval: 1s, external_labels: {cluster: eu}}
            rule_files: [rules.yml]
            alerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:\(alertmanager.port)']}]}]}
            scrape_configs:
            - job_name: cart
              static_configs: [{targets: ['127.0.0.1:\(target.port)']}]
            """,
            "rules.yml": """
            groups:
            - name: g
              rules:
              - {rollback: Errors, expr: errors, trip: "> 1", severity: high, action: {plan: shop}}
            """,
            "plan.yml": plan(), "tribune.yml": "{prometheus_config: prometheus.yml, plans: [plan.yml]}",
        ])
        #expect(try tribune.post("/api/v1/rollouts/shop/start").status == 200)
        #expect(Loopback.eventually(within: 60) { seen.withLock { $0.count >= 2 } }, "\(tribune.log)")
        let (first, last) = try seen.withLock { (try #require($0.first), try #require($0.last)) }
        #expect(first["labels"]?["plan"]?.text == "shop" && first["labels"]?["severity"]?.text == "high")
        #expect(first["labels"]?["cluster"]?.text == "eu")
        #expect(first["annotations"]?["services"]?.text == "cart")
        // The same alert, ended in the past: an Alertmanager resolves it.
        #expect(last["labels"] == first["labels"])
        let (opened, closed) = (first["endsAt"]?.text ?? "", last["endsAt"]?.text ?? "")
        #expect(closed < opened, "\(first.encoded) \(last.encoded)")
    }
}
