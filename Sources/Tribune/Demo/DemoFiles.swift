internal import Glibc
internal import Runtime

/// The configuration files of the demo.
struct DemoFiles {
    let directory: String
    let ports: DemoPorts
    /// The port of Tribune.
    let tribunePort: Int
    /// The database of the history, for libpq; `nil` for SQLite.
    let database: String?

    /// Writes all files.
    func write() throws(CommandFailure) {
        for (name, text) in [
            ("haproxy.cfg", haproxy), ("prometheus.yml", prometheus), ("rollback.yml", rules), ("plan.yml", plan),
            ("alertmanager.yml", alertmanager), ("tribune.yml", tribune), ("watching.yml", watching),
        ] {
            guard FileText.write(text, to: "\(directory)/\(name)") else {
                throw CommandFailure("\(directory)/\(name): \(SystemError.current)")
            }
        }
    }

    private var haproxy: String {
        """
        global
          stats socket \(directory)/haproxy.sock mode 600 level admin
          stats timeout 1m
          maxconn 2000
        defaults
          mode http
          timeout connect 2s
          timeout client 30s
          timeout server 30s
        frontend traffic
          bind 127.0.0.1:\(ports.traffic)
          default_backend demo
        backend demo
          option httpchk GET /healthz
          server blue 127.0.0.1:\(ports.blue) weight 100 check inter 1s
          server green 127.0.0.1:\(ports.green) weight 0 check inter 1s
        frontend metrics
          bind 127.0.0.1:\(ports.haproxyMetrics)
          http-request use-service prometheus-exporter if { path /metrics }

        """
    }

    private var prometheus: String {
        """
        global:
          scrape_interval: 1s
          scrape_timeout: 1s
          evaluation_interval: 1s
        rule_files:
        - rollback.yml
        scrape_configs:
        - job_name: tribune
          static_configs:
          - targets: ['127.0.0.1:\(tribunePort)']
        - job_name: haproxy
          static_configs:
          - targets: ['127.0.0.1:\(ports.haproxyMetrics)']
        - job_name: node
          static_configs:
          - targets: ['127.0.0.1:\(ports.nodeExporter)']
        - job_name: demo
          static_configs:
          - targets: ['127.0.0.1:\(ports.blue)']
            labels: {env: blue, service: demo}
          - targets: ['127.0.0.1:\(ports.green)']
            labels: {env: green, service: demo}

        """
    }

    /// The configuration of the Prometheus that scrapes Tribune.
    private var watching: String {
        """
        global:
          scrape_interval: 1s
        scrape_configs:
        - job_name: tribune
          static_configs:
          - targets: ['127.0.0.1:\(tribunePort)']

        """
    }

    private var rules: String {
        """
        groups:
        - name: demo
          interval: 1s
          rules:
          - rollback: ConstitutionalHashMismatch
            expr: constitutional_hash_match{env="green"}
            trip: "== 0"
            immediate: true
            severity: critical
            cooldown: 5s
            action: {plan: demo, service: demo, scope: service}
            annotations: {summary: "Green runs under another constitution"}
          - rollback: ComplianceLow
            expr: avg_over_time(acgs_constitutional_compliance_score{env="green"}[5s])
            trip: "< 0.95"
            consecutive: 3
            severity: critical
            cooldown: 5s
            action: {plan: demo, service: demo, scope: service}
            annotations: {summary: "Green decides against the constitution too often"}
          - rollback: ErrorRateHigh
            expr: >-
              sum by (service) (rate(http_requests_total{env="green",status=~"5.."}[10s]))
              / sum by (service) (rate(http_requests_total{env="green"}[10s]))
              or 0 * sum by (service) (rate(http_requests_total{env="green"}[10s]))
            trip: "> 0.01"
            consecutive: 3
            severity: high
            cooldown: 5s
            action: {plan: demo, service: demo, scope: service}
          - rollback: LatencyHigh
            expr: histogram_quantile(0.95, sum by (service, le) (rate(acgs_request_duration_seconds_bucket{env="green"}[10s])))
            trip: "> 2"
            consecutive: 2
            severity: high
            cooldown: 5s
            action: {plan: demo, service: demo, scope: service}
          - record: demo:requests:rate5s
            expr: sum by (env) (rate(http_requests_total{job="demo"}[5s]))

        """
    }

    private var plan: String {
        """
        plan: demo
        stages: [10, 50, 100]
        bake: 10m
        settle: 10s
        reconcile: 1s
        validation:
          rounds: 3
          interval: 1s
          timeout: 1m
        services:
        - name: demo
          stable_health: http://127.0.0.1:\(ports.blue)/healthz
          routes:
          - haproxy:
              address: \(directory)/haproxy.sock
              stable: [demo/blue]
              candidate: [demo/green]
            isolate: drain
            timeout: 2s

        """
    }

    private var alertmanager: String {
        """
        route:
          receiver: demo
          group_by: [alertname, plan]
          group_wait: 0s
          group_interval: 1s
        receivers:
        - name: demo
          webhook_configs:
          - url: http://127.0.0.1:\(ports.webhook)/notify
          pagerduty_configs:
          - routing_key: \(DemoPager.routingKey)
            url: http://127.0.0.1:\(ports.pager)/v2/enqueue

        """
    }

    private var tribune: String {
        let history = database.map { "history:\n  postgres: {connection: '\($0)'}\n" } ?? ""
        return """
            prometheus_config: prometheus.yml
            alertmanager_config: alertmanager.yml
            plans: [plan.yml]
            constitution:
              hash: \(DemoServiceCommand.constitution)

            """ + history
    }
}
