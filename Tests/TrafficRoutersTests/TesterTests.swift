import CurlHTTP
import JSON
import MetricModel
import RouterFixtures
import Runtime
import Synchronization
import TestSupport
import Testing
import YAML

@testable import Rollback
@testable import TrafficRouters

/// Requests of testers and of others.
enum Testers {
    /// The answers of `url` to thirty requests.
    static func answers(_ url: String, isTester: Bool) throws -> Set<String> {
        let client = HTTPClient()
        var request = HTTPRequest(url: url)
        if isTester { request.headers = [("X-Tester", "yes")] }
        return Set(
            try (0..<30).map { _ in String(decoding: try client.send(request).body, as: UTF8.self) })
    }

    /// Opens the way of testers to the candidate, gives it a share, and takes both away.
    static func walk(_ router: some TrafficRouter, _ url: String) throws {
        try router.shift(to: .allStable, for: HAProxyFixture.operation)
        #expect(try router.read().split == .allStable)
        #expect(try answers(url, isTester: true) == ["blue"])

        try router.shift(to: .testersOnly, for: HAProxyFixture.operation)
        #expect(try router.read().split == .testersOnly)
        #expect(try !router.read().isCandidateIsolated)
        #expect(try answers(url, isTester: true) == ["green"])
        #expect(try answers(url, isTester: false) == ["blue"])

        let half = try #require(TrafficSplit(candidate: 50))
        try router.shift(to: half, for: HAProxyFixture.operation)
        #expect(try router.read().split == half)
        #expect(try answers(url, isTester: true) == ["green"])
        #expect(try answers(url, isTester: false) == ["blue", "green"])

        try router.shift(to: .allStable, for: HAProxyFixture.operation)
        try router.isolate(for: HAProxyFixture.operation)
        #expect(try router.read().split == .allStable)
        #expect(try answers(url, isTester: true) == ["blue"])
        #expect(try answers(url, isTester: false) == ["blue"])
    }
}

/// Testers reach the candidate before it has a share, over real routers, and no longer when it is taken back.
@Suite(.serialized)
struct TesterTests {
    @Test("HAProxy", .enabled(if: HAProxyFixture.program != nil, "haproxy is not installed"))
    func haproxy() throws {
        let proxy = try HAProxyFixture()
        try Testers.walk(proxy.router(hasTesters: true), "\(proxy.url)/")
    }

    @Test("nginx", .enabled(if: FileText.read("/usr/sbin/nginx") != nil, "nginx is not installed"))
    func nginx() throws {
        let proxy = try NginxRouterTests.Proxy(hasTesters: true)
        try Testers.walk(proxy.router, proxy.url)
    }

    @Test("Envoy", .enabled(if: EnvoyFixture.program != nil, "envoy is not installed"))
    func envoy() throws {
        let proxy = try EnvoyFixture()
        try Testers.walk(proxy.router(.runtime(prefix: "auth"), testers: "auth.testers"), proxy.runtimeURL)
        #expect(throws: RouterError.self, "Envoy takes keys that no route uses") {
            try proxy.router(.runtime(prefix: "auth"), testers: "nobody").read()
        }
        #expect(
            throws: RouterError("no route named testers of Envoy divides traffic between blue and green")
        ) { try proxy.router(testers: "testers").read() }
        proxy.publish(EnvoyFixture.document(version: "2", blue: 100, green: 0, hasTesters: true))
        let router = proxy.router(testers: "testers")
        try #require(Loopback.eventually { (try? router.read().split) == .allStable })
        try Testers.walk(router, proxy.url)
    }

    private static let ingress = "nginx.ingress.kubernetes.io"

    @Test(
        "objects of Kubernetes",
        arguments: [
            (
                "/apis/gateway.networking.k8s.io/v1/namespaces/prod/httproutes/auth",
                "kind: httproute, stable: a, candidate: b, testers: {header: X-Tester}",
                """
                {"spec": {"rules": [
                  {"matches": [{"headers": [{"name": "x-tester", "value": "yes"}]}],
                   "backendRefs": [{"name": "a", "weight": 1}, {"name": "b", "weight": 0}]},
                  {"matches": [{"headers": [{"name": "x-tester", "value": "yes"}]}, {"path": {"value": "/"}}],
                   "backendRefs": [{"name": "a", "weight": 1}, {"name": "b", "weight": 0}]}]}}
                """, ["spec", "rules", "0", "backendRefs", "1", "weight"]
            ),
            (
                "/apis/networking.istio.io/v1beta1/namespaces/prod/virtualservices/auth",
                "kind: virtualservice, stable: h/v1, candidate: h/v2, testers: {header: X-Tester}",
                """
                {"spec": {"http": [
                  {"match": [{"headers": {"x-tester": {"exact": "yes"}}}],
                   "route": [{"destination": {"host": "h", "subset": "v1"}, "weight": 100},
                             {"destination": {"host": "h", "subset": "v2"}}]},
                  {"route": [{"destination": {"host": "h", "subset": "v1"}, "weight": 100},
                             {"destination": {"host": "h", "subset": "v2"}}]}]}}
                """, ["spec", "http", "0", "route", "1", "weight"]
            ),
            (
                "/apis/networking.k8s.io/v1/namespaces/prod/ingresses/auth",
                "kind: ingress, testers: {header: X-Tester}",
                #"{"metadata": {"annotations": {"\#(ingress)/canary": "true"}}}"#,
                ["metadata", "annotations", "\(ingress)/canary-by-header"]
            ),
            (
                "/apis/networking.k8s.io/v1/namespaces/prod/ingresses/auth",
                "kind: ingress, testers: {cookie: tester}",
                #"{"metadata": {"annotations": {"\#(ingress)/canary": "true"}}}"#,
                ["metadata", "annotations", "\(ingress)/canary-by-cookie"]
            ),
        ])
    func kubernetes(_ path: String, _ fields: String, _ object: String, _ place: [String]) throws {
        let server = try FakeAPIServer(path, JSON(parsing: object))
        defer { server.stop() }
        let directory = TemporaryDirectory()
        let text =
            "{server: '\(server.url)/', token_file: \(directory.write("secret", to: "token")), namespace: prod, "
            + "name: auth, \(fields)}"
        let route = try KubernetesRoute(
            YAML.parse(text, file: "p.yml")[0], path: "kubernetes", file: "p.yml", clusterServer: nil)
        let router = KubernetesRouter(route: route, timeout: .seconds(5), client: HTTPClient())
        func mark() -> JSON? {
            place.reduce(server.state.withLock { $0.object }) { value, name in
                Int(name).flatMap { index in value?.elements?[index] } ?? value?[name]
            }
        }
        #expect(try router.read().split == .allStable)
        let half = try #require(TrafficSplit(candidate: 50))
        for split in [.testersOnly, half, .allCandidate, .testersOnly, .allStable] {
            try router.shift(to: split, for: HAProxyFixture.operation)
            #expect(try router.read().split == split)
            #expect(try router.read().isCandidateIsolated == (split == .allStable))
            let isOpen = mark().map { $0 == 100 || $0.text != nil } ?? false
            #expect(isOpen == (split > .allStable), "\(split): \(String(describing: mark()))")
        }
    }

    @Test("an HTTPRoute without rules for testers is an error, not a way that is open")
    func noRules() throws {
        let path = "/apis/gateway.networking.k8s.io/v1/namespaces/prod/httproutes/auth"
        let server = try FakeAPIServer(
            path, ["spec": ["rules": [["backendRefs": [["name": "a"], ["name": "b", "weight": 0]]]]]])
        defer { server.stop() }
        server.state.withLock { $0.requiresToken = false }
        let text =
            "{server: '\(server.url)', namespace: prod, name: auth, kind: httproute, stable: a, candidate: b, testers: {header: t}}"
        let route = try KubernetesRoute(
            YAML.parse(text, file: "p.yml")[0], path: "kubernetes", file: "p.yml", clusterServer: nil)
        #expect(throws: RouterError("no rule of auth with both versions is for testers only")) {
            try KubernetesRouter(route: route, timeout: .seconds(5), client: HTTPClient()).read()
        }
    }

    @Test("programs and web services say and hear whether testers pass")
    func messages() throws {
        let operation = HAProxyFixture.operation
        let open = RouterMessage.request("shift", .testersOnly, admitsTesters: true, operation)
        #expect(open["testers"] == true && open["candidate"] == 0)
        #expect(RouterMessage.request("shift", .allStable, admitsTesters: true, operation)["testers"] == false)
        #expect(RouterMessage.request("shift", .allStable, admitsTesters: false, operation)["testers"] == nil)
        func read(_ text: String) throws -> TrafficSplit? { try RouterMessage.inspection(Array(text.utf8)).split }
        #expect(try read(#"{"stable": 100, "candidate": 0, "testers": true}"#) == .testersOnly)
        #expect(try read(#"{"stable": 100, "candidate": 0, "testers": false}"#) == .allStable)
        #expect(try read(#"{"stable": 90, "candidate": 10, "testers": true}"#) == TrafficSplit(candidate: 10))
    }
}
