import CurlHTTP
import MetricModel
import RouterFixtures
import Runtime
import TestSupport
import Testing

@testable import Rollback
@testable import TrafficRouters

/// Against a real nginx. Skipped, saying so, where none is installed.
@Suite(.enabled(if: FileText.read("/usr/sbin/nginx") != nil, "nginx is not installed"))
struct NginxRouterTests {
    /// nginx with two workers in front of blue and green.
    final class Proxy {
        let directory = TemporaryDirectory()
        let blue = LoopbackServer { _ in .ok("blue") }
        let green = LoopbackServer { _ in .ok("green") }
        let port = Loopback.freePort()
        let process: ChildProcess

        private let hasTesters: Bool

        init(hasTesters: Bool = false) throws {
            self.hasTesters = hasTesters
            let configuration = directory.write(
                """
                worker_processes 2;
                daemon off;
                pid \(directory.file("nginx.pid"));
                error_log \(directory.file("error.log"));
                events {}
                http {
                    access_log off;
                    include \(directory.file("upstream.conf"));
                    map $http_x_tester $pool { default auth; yes \(hasTesters ? "auth_testers" : "auth"); }
                    server {
                        listen 127.0.0.1:\(port);
                        location / { proxy_pass http://$pool; }
                        location = /tribune { return 200 $tribune_auth; }
                    }
                }
                """, to: "nginx.conf")
            let route = Self.route(directory, port, blue.port, green.port, hasTesters)
            let router = NginxRouter(route: route, timeout: .seconds(5), client: HTTPClient())
            directory.write(router.text(for: TrafficSplit(candidate: 50)!), to: "upstream.conf")
            process = try ChildProcess(["/usr/sbin/nginx", "-c", configuration], output: .file(directory.file("log")))
            let port = port
            try #require(
                Loopback.eventually { Loopback.accepts(port: port) }, "\(FileText.read(directory.file("log")) ?? "")")
        }

        deinit {
            process.stop()
            blue.stop()
            green.stop()
        }

        private static func route(
            _ directory: TemporaryDirectory, _ port: Int, _ blue: Int, _ green: Int, _ hasTesters: Bool
        ) -> NginxRoute {
            let nginx = ["/usr/sbin/nginx", "-c", directory.file("nginx.conf")]
            return NginxRoute(
                file: directory.file("upstream.conf"), upstream: "auth",
                testers: hasTesters ? "auth_testers" : nil, stable: ["127.0.0.1:\(blue)"],
                candidate: ["127.0.0.1:\(green)"], test: nginx + ["-t"], reload: nginx + ["-s", "reload"],
                probe: "http://127.0.0.1:\(port)/tribune")
        }

        var router: NginxRouter {
            NginxRouter(
                route: Self.route(directory, port, blue.port, green.port, hasTesters), timeout: .seconds(5),
                client: HTTPClient())
        }

        var url: String { "http://127.0.0.1:\(port)/" }

        func answers() throws -> Set<String> { try Testers.answers(url, isTester: false) }
    }

    @Test("weights are applied through file, test, reload and probe, and are effective")
    func weights() throws {
        let proxy = try Proxy()
        #expect(try proxy.router.read().split == TrafficSplit(candidate: 50))
        #expect(try proxy.answers() == ["blue", "green"])
        try proxy.router.shift(to: .allStable, for: HAProxyFixture.operation)
        #expect(try proxy.router.read().split == .allStable)
        #expect(try proxy.answers() == ["blue"])
        try proxy.router.shift(to: .allCandidate, for: HAProxyFixture.operation)
        #expect(try proxy.answers() == ["green"])
    }

    @Test("a configuration that nginx refuses is restored")
    func refused() throws {
        let proxy = try Proxy()
        var router = proxy.router
        var route = router.route
        route.candidate = ["127.0.0.1:99999"]
        router = NginxRouter(route: route, timeout: .seconds(5), client: HTTPClient())
        let before = FileText.read(route.file)
        #expect(throws: RouterError.self) { try router.shift(to: .allStable, for: HAProxyFixture.operation) }
        #expect(FileText.read(route.file) == before)
        #expect(try proxy.answers() == ["blue", "green"])
    }

    @Test("a file that the workers do not run has no weights")
    func notReloaded() throws {
        let proxy = try Proxy()
        proxy.directory.write(proxy.router.text(for: .allStable), to: "upstream.conf")
        #expect(try proxy.router.read().split == nil)
    }
}
