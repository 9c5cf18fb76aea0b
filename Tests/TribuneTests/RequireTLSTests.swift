import CurlHTTP
import JSON
import Runtime
import TestSupport
import Testing

/// `--require-tls`, and where connections may go.
@Suite struct RequireTLSTests {
    private static let plan = """
        plan: shop
        stages: [50, 100]
        bake: 1h
        settle: 0s
        services:
        - name: web
          stable_health: http://192.0.2.1/health
          routes: [{envoy: {admin: "http://192.0.2.2:9901", runtime: {prefix: shop}, stable: a, candidate: b}}]
        """

    @Test func aStartNamesEveryPlainLinkAndRefuses() throws {
        let directory = TemporaryDirectory()
        directory.write("global: {}\n", to: "prometheus.yml")
        directory.write(Self.plan, to: "plan.yml")
        let path = directory.write(
            """
            prometheus_config: prometheus.yml
            plans: [plan.yml]
            history:
              postgres: {connection: "host=192.0.2.3 password=hidden7 dbname=a"}
              redis: {address: "192.0.2.4:6379"}
            lease: {postgres: {connection: "host=192.0.2.3 sslmode=require"}}
            """, to: "tribune.yml")
        let result = try TribuneProgram.run([
            "serve", "--require-tls", "--config.file=\(path)", "--storage.path=\(directory.file("data"))",
            "--web.listen-address=127.0.0.1:\(Loopback.freePort())",
        ])
        #expect(result.exit == .code(1))
        for field in [
            "history.postgres", "lease.postgres", "history.redis.address", "services.web.stable_health",
            "services.web.routes.envoy.admin",
        ] { #expect(result.errors.contains("\(field): with --require-tls"), "\(field) in \(result.errors)") }
        #expect(!result.errors.contains("hidden7"))
    }

    @Test func aPortOfTheNetworkNeedsTLS() throws {
        let directory = TemporaryDirectory()
        let path = directory.write("global: {}\n", to: "prometheus.yml")
        let web = directory.write("http_server_config: {headers: {X-Frame-Options: deny}}\n", to: "web.yml")
        for more in [[], ["--web.config.file=\(web)"]] {
            let result = try TribuneProgram.run(
                [
                    "serve", "--require-tls", "--config.file=\(path)", "--storage.path=\(directory.file("data"))",
                    "--web.listen-address=0.0.0.0:\(Loopback.freePort())",
                ] + more)
            #expect(result.exit == .code(1))
            #expect(result.errors.contains("--require-tls") && result.errors.contains("tls_server_config"))
        }
    }

    /// The last error of each target by its address.
    private func errors(_ tribune: RunningTribune) throws -> [String: String] {
        let targets = try JSON(parsing: tribune.get("/api/v1/targets").body)["data"]?["activeTargets"]?.elements ?? []
        return Dictionary(
            targets.map { ($0["scrapeUrl"]?.text ?? "", $0["lastError"]?.text ?? "") },
            uniquingKeysWith: { first, _ in first })
    }

    @Test func plainTargetsOfTheNetworkAreNotScraped() throws {
        let tribune = try RunningTribune(
            [
                "prometheus.yml": """
                scrape_configs:
                - {job_name: far, scrape_interval: 1s, static_configs: [{targets: ["192.0.2.1:80"]}]}
                - {job_name: self, scrape_interval: 1s, static_configs: [{targets: ["127.0.0.1:PORT"]}]}
                """
            ], config: "prometheus.yml", flags: ["--require-tls"])
        #expect(
            Loopback.eventually {
                (try? errors(tribune)["http://192.0.2.1:80/metrics"])?.contains("--require-tls") == true
            }, "\((try? errors(tribune)) ?? [:])")
        #expect(Loopback.eventually { (try? tribune.query("up{job=\"self\"}").values.first) == "1" })
    }

    @Test func theConfigurationConfinesConnections() throws {
        let tribune = try RunningTribune([
            "prometheus.yml": """
            scrape_configs:
            - {job_name: self, scrape_interval: 1s, static_configs: [{targets: ["127.0.0.1:PORT"]}]}
            """, "tribune.yml": "prometheus_config: prometheus.yml\noutgoing: {allow: [10.0.0.0/8]}\n",
        ])
        let url = "http://127.0.0.1:\(tribune.port)/metrics"
        #expect(Loopback.eventually { (try? errors(tribune)[url])?.contains("outgoing.allow") == true })
        tribune.directory.write(
            "prometheus_config: prometheus.yml\noutgoing: {allow: [10.0.0.0/8, 127.0.0.1]}\n", to: "tribune.yml")
        tribune.process.signal(1)
        #expect(Loopback.eventually { (try? tribune.query("up{job=\"self\"}").values.first) == "1" })
    }
}
