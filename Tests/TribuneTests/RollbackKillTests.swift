import CurlHTTP
import Glibc
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing

/// The whole service in front of a real HAProxy, killed in the middle of a rollback.
@Suite(.enabled(if: access("/usr/sbin/haproxy", X_OK) == 0, "haproxy is not installed"), .serialized)
struct RollbackKillTests {
    /// HAProxy in front of blue and green, which also exposes a quality metric.
    private final class Proxy {
        let directory = TemporaryDirectory()
        let port = Loopback.freePort()
        private let servers: [LoopbackServer]
        let metrics: LoopbackServer
        private let process: ChildProcess

        var socket: String { directory.file("admin.sock") }

        init() throws {
            let text = Text()
            self.text = text
            let (blue, green) = (LoopbackServer { _ in .ok("blue") }, LoopbackServer { _ in .ok("green") })
            servers = [blue, green]
            metrics = LoopbackServer { _ in .ok("quality{service=\"web\"} \(text.value)\n") }
            func server(_ name: String, _ server: LoopbackServer) -> String {
                "    server \(name) 127.0.0.1:\(server.port) check inter 50ms weight 100\n"
            }
            func backend(_ name: String) -> String {
                "backend \(name)\n" + server("blue", blue)
                    + server("green", green).replacing("weight 100", with: "weight 0")
            }
            directory.write(
                """
                global
                    stats socket \(directory.file("admin.sock")) mode 600 level admin
                defaults
                    mode http
                    timeout connect 1s
                    timeout client 10s
                    timeout server 10s
                frontend front
                    bind 127.0.0.1:\(port)
                    use_backend db if { path_beg /db }
                    default_backend web

                """ + backend("web") + backend("db"), to: "haproxy.cfg")
            process = try ChildProcess(
                ["/usr/sbin/haproxy", "-db", "-f", directory.file("haproxy.cfg")],
                output: .file(directory.file("log")))
        }

        /// The text of the metrics endpoint.
        final class Text: Sendable {
            private let current = Mutex("1")
            var value: String {
                get { current.withLock(\.self) }
                set { current.withLock { $0 = newValue } }
            }
        }

        let text: Text

        deinit {
            process.stop(graceMilliseconds: 200)
            for server in servers + [metrics] { server.stop() }
        }

        /// The versions that respond to ten requests for `path`.
        func answers(_ path: String) -> Set<String> {
            let client = HTTPClient()
            return Set(
                (0..<10).map { _ in
                    let body = try? client.send(HTTPRequest(url: "http://127.0.0.1:\(port)\(path)")).body
                    return String(decoding: body ?? [], as: UTF8.self)
                })
        }
    }

    private func files(_ proxy: Proxy) -> [String: String] {
        func service(_ name: String, _ more: String) -> String {
            """
            - name: \(name)
              \(more)
              routes: [{haproxy: {address: \(proxy.socket), stable: [\(name)/blue], candidate: [\(name)/green]}, isolate: drain}]

            """
        }
        return [
            "tribune.yml": "prometheus_config: prometheus.yml\nplans: [plan.yml]\n",
            "prometheus.yml": """
            global: {scrape_interval: 100ms, scrape_timeout: 100ms, evaluation_interval: 100ms}
            rule_files: [rules.yml]
            scrape_configs:
            - job_name: web
              static_configs: [{targets: ['127.0.0.1:\(proxy.metrics.port)']}]
            """,
            "rules.yml": """
            groups:
            - name: g
              rules:
              - {rollback: Low, expr: quality, trip: "< 0.95", immediate: true, action: {plan: shop, scope: all}}
            """,
            "plan.yml": """
            plan: shop
            stages: [50, 100]
            bake: 1h
            settle: 0s
            max_concurrent: 2
            reconcile: 1s
            validation: {rounds: 2, interval: 10ms, timeout: 20s}
            services:

            """ + service("web", "priority: 1") + service("db", "priority: 0"),
        ]
    }

    private func rollout(_ tribune: RunningTribune) throws -> JSON {
        let body = try JSON(parsing: try tribune.get("/api/v1/rollouts").body)
        return body["data"]?["rollouts"]?.elements?.first ?? body["data"]?.elements?.first ?? .null
    }

    @Test(
        "killed behind any step of a rollback, the service ends it after its restart",
        arguments: ["intent", "shifted", "verified", "isolated", "incident", "announced"])
    func killed(behind step: String) throws {
        let proxy = try Proxy()
        let tribune = try RunningTribune(files(proxy))
        #expect(Loopback.eventually { proxy.answers("/") == ["blue"] })
        #expect(try Loopback.eventually { try tribune.query("quality").count == 1 })
        #expect(try tribune.post("/api/v1/rollouts/shop/start").status == 200)
        #expect(Loopback.eventually { proxy.answers("/") == ["blue", "green"] && proxy.answers("/db").count == 2 })
        proxy.text.value = "0.5"
        let journal = tribune.directory.file("data/journals/shop.journal")
        let mark = "\"step\":\"\(step)\""
        try #require(Loopback.eventually { Self.contains(journal, mark) }, "\(tribune.log)")
        tribune.process.signal(SIGKILL)
        #expect(tribune.process.wait() == .signal(SIGKILL))

        try tribune.restart()
        #expect(Loopback.eventually { (try? rollout(tribune)["state"]?.text) == "rolled_back" }, "\(tribune.log)")
        #expect(proxy.answers("/") == ["blue"])
        #expect(proxy.answers("/db") == ["blue"])
        #expect(Self.contains(journal, "\"id\":\"shop-1-1\""))
        #expect(!Self.contains(journal, "shop-1-2"), "one rollback, not two")
        #expect(tribune.process.stop(graceMilliseconds: 20_000) == .code(0))
    }

    /// Whether the file holds the text; it is not text as a whole.
    private static func contains(_ path: String, _ text: String) -> Bool {
        guard let bytes = try? FileText.bytes(path) else { return false }
        return String(decoding: bytes, as: UTF8.self).contains(text)
    }
}
