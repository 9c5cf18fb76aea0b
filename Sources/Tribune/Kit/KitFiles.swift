internal import Glibc
internal import Runtime

/// The configuration files of the kit, in one directory.
struct KitFiles {
    /// The names of the files that are copies of the shipped ones.
    private static let ruleFiles = ["acgs.yml", "acgs-platform.yml", "rollback.yml", "history.yml", "tribune.yml"]

    let directory: String
    /// The directory of the shipped rules and plans.
    let rules: String
    let ports: KitPorts
    let pace: KitPace
    /// The database, for libpq.
    let database: String
    let secrets: KitSecrets

    /// Writes all files.
    func write() throws(CommandFailure) {
        for name in ["rules", "plans"] where !Paths.makeDirectory("\(directory)/\(name)") {
            throw CommandFailure("\(directory)/\(name): \(SystemError.current)")
        }
        for (name, text) in [
            ("haproxy.cfg", haproxy),
            ("prometheus.yml", KitPace(factor: pace.factor, floor: 1000).apply(to: prometheus)),
            ("alertmanager.yml", pace.apply(to: alertmanager)), ("oncall.yml", pace.apply(to: onCall)),
            ("access.yml", secrets.accessFile), ("gates.token", secrets.gatesToken + "\n"), ("tribune.yml", tribune),
            ("postgres.txt", database + "\n"), ("plans/acgs.yml", try plan()),
        ] { try write(text, to: name) }
        for name in Self.ruleFiles { try write(pace.apply(to: try shipped(name)), to: "rules/\(name)") }
    }

    private func write(_ text: String, to name: String) throws(CommandFailure) {
        guard FileText.write(text, to: "\(directory)/\(name)") else {
            throw CommandFailure("\(directory)/\(name): \(SystemError.current)")
        }
    }

    private func shipped(_ name: String) throws(CommandFailure) -> String {
        guard let text = FileText.read("\(rules)/\(name)") else {
            throw CommandFailure("\(rules)/\(name): \(SystemError.current) (--rules names the directory)")
        }
        return text
    }

    /// The shipped plan, with the address of this HAProxy and checks of the health of blue.
    private func plan() throws(CommandFailure) -> String {
        var text = pace.apply(to: try shipped("plans/acgs.yml"))
            .replacing("/run/haproxy/admin.sock", with: "\(directory)/haproxy.sock")
        for service in ports.services {
            text = text.replacing(
                "- name: \(service.name)\n",
                with: "- name: \(service.name)\n  stable_health: http://127.0.0.1:\(service.blue)/health\n")
        }
        return text
    }

    private var haproxy: String {
        var text = """
            global
              stats socket \(directory)/haproxy.sock mode 600 level admin
              stats timeout 1m
              maxconn 4000
            defaults
              mode http
              timeout connect 2s
              timeout client 30s
              timeout server 30s
            frontend metrics
              bind 127.0.0.1:\(ports.haproxyMetrics)
              http-request use-service prometheus-exporter if { path /metrics }

            """
        for service in ports.services {
            text += """
                frontend \(service.name)
                  bind 127.0.0.1:\(service.shared)
                  default_backend acgs_\(service.name)
                backend acgs_\(service.name)
                  option httpchk GET /health
                  server blue 127.0.0.1:\(service.blue) weight 100 check inter 1s
                  server green 127.0.0.1:\(service.green) weight 0 check inter 1s

                """
        }
        return text
    }

    /// The platform's jobs and intervals. Ports become the labels `service` and `env`.
    private var prometheus: String {
        let targets = ports.services.flatMap { [$0.blue, $0.green] }.map { "'127.0.0.1:\($0)'" }.joined(separator: ", ")
        let names = ports.services.map { service in
            """
              - source_labels: [__address__]
                regex: '.*:(?:\(service.blue)|\(service.green))'
                target_label: service
                replacement: \(service.name)

            """
        }.joined()
        func version(_ name: String, _ port: KeyPath<KitPorts.Service, Int>) -> String {
            """
              - source_labels: [__address__]
                regex: '.*:(?:\(ports.services.map { "\($0[keyPath: port])" }.joined(separator: "|")))'
                target_label: env
                replacement: \(name)

            """
        }
        return """
            global:
              scrape_interval: 15s
              evaluation_interval: 15s
            rule_files:
            - rules/*.yml
            scrape_configs:
            - job_name: acgs-services
              metrics_path: /metrics
              scrape_interval: 5s
              scrape_timeout: 5s
              static_configs:
              - targets: [\(targets)]
              relabel_configs:

            """ + names + version("blue", \.blue) + version("green", \.green) + """
                - job_name: acgs-infrastructure
                  scrape_interval: 10s
                  static_configs:
                  - targets: ['127.0.0.1:\(ports.postgresExporter)']
                    labels: {service: postgres, instance: 'localhost:\(ports.postgres)'}
                  - targets: ['127.0.0.1:\(ports.redisExporter)']
                    labels: {service: redis, instance: 'localhost:\(ports.redis)'}
                  - targets: ['127.0.0.1:\(ports.nodeExporter)']
                    labels: {service: node}
                  - targets: ['127.0.0.1:\(ports.haproxyMetrics)']
                    labels: {service: haproxy}
                - job_name: tribune
                  scrape_interval: 15s
                  static_configs:
                  - targets: ['127.0.0.1:\(ports.tribune)']

                """
    }

    private var tribune: String {
        """
        prometheus_config: prometheus.yml
        alertmanager_config: alertmanager.yml
        oncall_config: oncall.yml
        access_config: access.yml
        plans: [plans/acgs.yml]
        constitution:
          hash: \(DemoServiceCommand.constitution)
        history:
          postgres: {connection_file: postgres.txt}
          redis: {address: '127.0.0.1:\(ports.redis)'}
          record:
          - {match: acgs_constitutional_compliance_score, interval: 30s}
          - {match: constitutional_hash_match, interval: 60s}
          - {match: acgs_principle_adherence_ratio, interval: 60s}
          - {match: acgs_cache_hit_rate, interval: 30s}
        lease:
          postgres: {connection_file: postgres.txt}
          ttl: 15s
          node: kit
        gates:
          token_file: gates.token
          executor: {url: "http://127.0.0.1:\(ports.control)/executor"}
          orchestration:
            enabled: true
            interval: \(pace.duration(300))
            error_interval: \(pace.duration(600))
            success_ratio: 0.8
            stabilization: \(pace.duration(120))

        """
    }
}
