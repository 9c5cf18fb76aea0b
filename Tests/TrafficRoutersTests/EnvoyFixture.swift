import CurlHTTP
import Foundation
import MetricModel
import RouterFixtures
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import Rollback
@testable import TrafficRouters

/// A real Envoy with two workers in front of two small servers, blue and green, that answer with their names.
///
/// One port is divided by the discovery file `routes.json`, the other by runtime keys under `auth`. The cluster
/// `unchecked` has no health checks.
final class EnvoyFixture {
    /// Where `./test` puts the binary; `TRIBUNE_ENVOY` overrides it.
    static let program: String? = {
        let tools = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../.build/tools").path
        let candidates = [
            ProcessInfo.processInfo.environment["TRIBUNE_ENVOY"], "\(tools)/envoy/envoy/_bin/envoy",
            "/usr/bin/envoy",
        ]
        return candidates.compactMap { $0 }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }()

    /// Whether blue passes its health checks.
    final class Health: Sendable {
        let isGood = Atomic<Bool>(true)
    }

    let directory = TemporaryDirectory()
    let health = Health()
    let blue: LoopbackServer
    let green = LoopbackServer { _ in .ok("green") }
    let port = Loopback.freePort()
    let runtimePort = Loopback.freePort()
    let adminPort = Loopback.freePort()
    private var process: ChildProcess?

    var url: String { "http://127.0.0.1:\(port)/" }
    var runtimeURL: String { "http://127.0.0.1:\(runtimePort)/" }

    init() throws {
        let health = health
        blue = LoopbackServer { request in
            let isDown = request.target == "/health" && !health.isGood.load(ordering: .relaxed)
            return .ok("blue", status: isDown ? "503 Service Unavailable" : "200 OK")
        }
        publish(Self.document(version: "1", blue: 50, green: 50))
        directory.write(configuration, to: "envoy.json")
        try start()
    }

    deinit {
        process?.stop(graceMilliseconds: 200)
        blue.stop()
        green.stop()
    }

    /// Starts Envoy, which forgets the runtime keys, and waits until both versions have passed a health check.
    func start() throws {
        process?.stop(graceMilliseconds: 200)
        process = try ChildProcess(
            [
                Self.program ?? "envoy", "-c", directory.file("envoy.json"), "--concurrency", "2",
                "--disable-hot-restart", "--log-level", "warning",
            ], output: .file(directory.file("log")), errors: .file(directory.file("log")))
        let isUp = Loopback.eventually {
            guard let seen = try? router().read() else { return false }
            return seen.stable == .healthy && seen.candidate == .healthy
        }
        try #require(isUp, "Envoy did not come up: \(FileText.read(directory.file("log")) ?? "")")
    }

    func router(
        _ division: EnvoyRoute.Division? = nil, stable: String = "blue", candidate: String = "green",
        testers: String? = nil
    ) -> EnvoyRouter {
        let file = EnvoyRoute.Division.discoveryFile(path: directory.file("routes.json"), configuration: "auth")
        return EnvoyRouter(
            route: EnvoyRoute(
                admin: "http://127.0.0.1:\(adminPort)", stable: stable, candidate: candidate, testers: testers,
                division: division ?? file), timeout: .seconds(5), client: HTTPClient())
    }

    /// Matches requests of testers.
    static let testersOnly = #"{"prefix": "/", "headers": [{"name": "x-tester", "string_match": {"exact": "yes"}}]}"#

    /// A discovery file as an operator may have written it: the route `/testers` is not Tribune's.
    ///
    /// - Parameter hasTesters: whether it has a route named `testers`, which is.
    static func document(
        version: String, blue: Int, green: Int, domains: String = #""*""#, hasTesters: Bool = false
    ) -> String {
        let testers = """
            {"name": "testers", "match": \(testersOnly), "route": {"weighted_clusters": {"clusters": [
              {"name": "blue", "weight": 100}, {"name": "green", "weight": 0}]}}},
            """
        return """
            {"version_info": "\(version)", "resources": [{
              "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration", "name": "auth",
              "virtual_hosts": [{"name": "all", "domains": [\(domains)], "routes": [
                {"match": {"prefix": "/testers"}, "route": {"cluster": "green"}}, \(hasTesters ? testers : "")
                {"match": {"prefix": "/"}, "route": {"timeout": "3s", "weighted_clusters": {"clusters": [
                  {"name": "blue", "weight": \(blue)}, {"name": "green", "weight": \(green)}]}}}]}]}]}
            """
    }

    /// Gives Envoy another discovery file, as an operator would.
    func publish(_ document: String) {
        directory.write(document, to: "routes.next")
        rename(directory.file("routes.next"), directory.file("routes.json"))
    }

    private var configuration: String {
        func cluster(_ name: String, _ port: Int, checked: Bool = true) -> String {
            let check = """
                "health_checks": [{"timeout": "1s", "interval": "0.05s", "no_traffic_interval": "0.05s", "unhealthy_threshold": 1, "healthy_threshold": 1,
                  "http_health_check": {"path": "/health"}}],
                """
            return """
                {"name": "\(name)", "connect_timeout": "1s", \(checked ? check : "")
                 "common_lb_config": {"update_merge_window": "0s", "healthy_panic_threshold": {"value": 0}},
                 "load_assignment": {"cluster_name": "\(name)", "endpoints": [{"lb_endpoints": [{"endpoint": {
                   "address": {"socket_address": {"address": "127.0.0.1", "port_value": \(port)}}}}]}]}}
                """
        }
        func listener(_ name: String, _ port: Int, _ routes: String) -> String {
            """
            {"name": "\(name)", "address": {"socket_address": {"address": "127.0.0.1", "port_value": \(port)}},
             "filter_chains": [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": {
               "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
               "stat_prefix": "\(name)", \(routes),
               "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {
                 "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]}}]}]}
            """
        }
        let discovered = """
            "rds": {"route_config_name": "auth", "config_source": {"path_config_source": {
              "path": "\(directory.file("routes.json"))"}}}
            """
        let inline = """
            "route_config": {"name": "inline", "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
              {"match": \(Self.testersOnly), "route": {"weighted_clusters": {"runtime_key_prefix": "auth.testers",
                "clusters": [{"name": "blue", "weight": 100}, {"name": "green", "weight": 0}]}}},
              {"match": {"prefix": "/"}, "route": {"weighted_clusters": {"runtime_key_prefix": "auth", "clusters": [
                {"name": "blue", "weight": 50}, {"name": "green", "weight": 50}]}}}]}]}
            """
        return """
            {"node": {"id": "test", "cluster": "test"},
             "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": \(adminPort)}}},
             "layered_runtime": {"layers": [{"name": "admin", "admin_layer": {}}]},
             "static_resources": {
               "listeners": [\(listener("file", port, discovered)), \(listener("runtime", runtimePort, inline))],
               "clusters": [\(cluster("blue", blue.port)), \(cluster("green", green.port)),
                            \(cluster("unchecked", green.port, checked: false))]}}
            """
    }
}

/// Requests from several threads, one after the other on each, for as long as it runs.
final class SteadyTraffic: Sendable {
    /// One request.
    struct Answer {
        /// In nanoseconds of the monotonic clock.
        var sent: Int64
        /// The server's response; `nil` if the request failed.
        var text: String?
    }

    private let answers = Mutex<[Answer]>([])
    private let isOver = Atomic<Bool>(false)
    private let threads = Mutex<[WorkerThread]>([])

    init(_ url: String, threads count: Int = 4) throws {
        for _ in 0..<count {
            let thread = try WorkerThread("traffic") { [self] in
                let client = HTTPClient()
                while !isOver.load(ordering: .relaxed) {
                    let sent = SystemClock.monotonicNanoseconds()
                    let response = try? client.send(HTTPRequest(url: url))
                    let text = response.flatMap { $0.status == 200 ? String(decoding: $0.body, as: UTF8.self) : nil }
                    answers.withLock { $0.append(Answer(sent: sent, text: text)) }
                    usleep(3000)
                }
            }
            threads.withLock { $0.append(thread) }
        }
    }

    /// How many requests have been answered.
    var count: Int { answers.withLock(\.count) }

    /// Ends it and returns what came.
    func stop() -> [Answer] {
        isOver.store(true, ordering: .relaxed)
        for thread in threads.withLock({ $0 }) { thread.join() }
        return answers.withLock { $0 }
    }
}
