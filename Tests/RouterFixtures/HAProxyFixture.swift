import CurlHTTP
import MetricModel
import Rollback
import Runtime
import TestSupport
import TrafficRouters

/// A real HAProxy in front of two small servers, blue and green, that answer with their names.
///
/// `auth` and `ac` are backends with both; `mapped` divides between `blues` and `greens` by a map.
public final class HAProxyFixture {
    /// The installed program; `nil` if there is none.
    public static let program = ["/usr/sbin/haproxy", "/usr/bin/haproxy"].first {
        FileText.read($0) != nil || access($0)
    }

    /// The directory of its files.
    public let directory = TemporaryDirectory()
    /// The server of the stable version.
    public let blue: LoopbackServer
    /// The server of the candidate.
    public let green: LoopbackServer
    /// The port of the frontend.
    public let port = Loopback.freePort()
    /// The port of the runtime API.
    public let adminPort = Loopback.freePort()
    private var process: ChildProcess

    /// The path of the runtime API.
    public var socket: String { directory.file("admin.sock") }
    /// The URL of the frontend.
    public var url: String { "http://127.0.0.1:\(port)" }

    private static func access(_ path: String) -> Bool {
        (try? ChildProcess([path, "-v"]).wait()) == .code(0)
    }

    /// Starts HAProxy and waits until its servers are healthy.
    public init(answer: @escaping @Sendable (String) -> LoopbackServer.Reply = { .ok($0) }) throws {
        let (blue, green) = (LoopbackServer { _ in answer("blue") }, LoopbackServer { _ in answer("green") })
        (self.blue, self.green) = (blue, green)
        let servers = """
                server blue 127.0.0.1:\(blue.port) check inter 50ms weight 50
                server green 127.0.0.1:\(green.port) check inter 50ms weight 50
            """
        directory.write("mapped 50\n", to: "split.map")
        directory.write("", to: "testers.map")
        directory.write(
            """
            global
                stats socket \(directory.file("admin.sock")) mode 600 level admin
                stats socket ipv4@127.0.0.1:\(adminPort) level admin
            defaults
                mode http
                timeout connect 1s
                timeout client 10s
                timeout server 10s
            frontend front
                bind 127.0.0.1:\(port)
                use_backend ac if { path_beg /ac }
                http-request set-var(txn.share) str(mapped),map(\(directory.file("split.map")))
                use_backend greens if { path_beg /mapped } { rand(100),sub(txn.share) lt 0 }
                use_backend blues if { path_beg /mapped }
                default_backend auth
            backend auth
                use-server green if { str(auth),map(\(directory.file("testers.map")),off) -m str on } { req.hdr(X-Tester) -m found }
            \(servers)
            backend ac
            \(servers)
            backend blues
                server blue 127.0.0.1:\(blue.port) check inter 50ms
            backend greens
                server green 127.0.0.1:\(green.port) check inter 50ms
            """ + "\n", to: "haproxy.cfg")
        process = try Self.launch(directory)
        try waitUntilReady()
    }

    deinit {
        process.stop(graceMilliseconds: 200)
        blue.stop()
        green.stop()
    }

    private static func launch(_ directory: TemporaryDirectory) throws -> ChildProcess {
        try ChildProcess(
            [program ?? "haproxy", "-db", "-f", directory.file("haproxy.cfg")], output: .file(directory.file("log")))
    }

    private func waitUntilReady() throws {
        if !isReady() { throw FixtureFailure("HAProxy did not come up: \(FileText.read(directory.file("log")) ?? "")") }
    }

    /// Whether every server has passed a health check.
    private func isReady() -> Bool {
        Loopback.eventually {
            guard let seen = try? router().read() else { return false }
            return seen.stable == .healthy && seen.candidate == .healthy
        }
    }

    /// Ends HAProxy: neither its traffic nor its runtime API answers.
    public func end() { process.stop(graceMilliseconds: 200) }

    /// Ends HAProxy and starts it again, which restores the weights of its file.
    public func restart() throws {
        end()
        process = try Self.launch(directory)
        try waitUntilReady()
    }

    package func router(
        backend: String = "auth", address: String? = nil, division: HAProxyRoute.Division = .weights,
        isolation: TrafficRoute.Isolation = .drain, stable: String = "blue", candidate: String = "green",
        hasTesters: Bool = false
    ) -> HAProxyRouter {
        var route = HAProxyRoute(
            address: address ?? socket, stable: [HAProxyServer(backend: backend, server: stable)],
            candidate: [HAProxyServer(backend: backend, server: candidate)], division: division,
            shutdownSessions: false)
        if hasTesters { route.testers = .init(file: directory.file("testers.map"), key: backend) }
        return HAProxyRouter(route: route, isolation: isolation, timeout: .seconds(2))
    }

    /// A plan of `auth` and `ac`, which depends on it.
    public func plan(_ top: String = "") -> String {
        func service(_ name: String, _ more: String) -> String {
            """
            - name: \(name)
              \(more)
              routes:
              - haproxy: {address: \(socket), stable: [\(name)/blue], candidate: [\(name)/green]}

            """
        }
        return """
            plan: acgs
            stages: [50, 100]
            bake: 1h
            settle: 0s
            max_concurrent: 2
            reconcile: 200ms
            validation: {rounds: 2, interval: 10ms, timeout: 10s}
            \(top)
            services:

            """ + service("auth", "priority: 1") + service("ac", "priority: 0")
    }

    package static let operation = RouterOperation(
        id: 1, epoch: 1, generation: 1, service: "auth", kind: .inspect, key: "acgs/1/auth/1")

    /// The versions that responded to `count` requests for `path`.
    public func answers(_ count: Int, path: String = "/", client: HTTPClient = HTTPClient()) throws -> [String: Int] {
        var answers: [String: Int] = [:]
        for _ in 0..<count {
            let response = try client.send(HTTPRequest(url: url + path))
            answers[String(decoding: response.body, as: UTF8.self), default: 0] += 1
        }
        return answers
    }
}
