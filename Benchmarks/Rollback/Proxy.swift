import Glibc
import Runtime
import Synchronization
import TestSupport
import WebServer

/// A real proxy between senders and two versions of a service.
protocol LoadedProxy: AnyObject {
    /// The port on which it listens.
    var port: Int { get }
    /// Requests that green is working on.
    var busy: Proxy.Busy { get }
    /// The fields of `service` in a plan for this proxy.
    func route(_ service: String) -> String
}

/// A real HAProxy in front of two small servers, blue and green, with a backend of both for each of `services`.
///
/// `/slow` responds after 300 ms, everything else immediately.
final class Proxy: LoadedProxy {
    let directory = TemporaryDirectory()
    let port = Loopback.freePort()
    /// Requests that green is working on.
    let busy: Busy
    private let servers: [HTTPServer]
    private var process: ChildProcess
    private let services: [String]

    var socket: String { directory.file("admin.sock") }

    init(services: [String]) throws {
        self.services = services
        let busy = Busy()
        self.busy = busy
        let (blue, green) = (try Self.server(nil), try Self.server(busy))
        servers = [blue, green]
        let uses = services.map { "    use_backend \($0) if { path_beg /\($0) }" }
        let backends = services.map { name in
            """
            backend \(name)
                server blue 127.0.0.1:\(blue.port) check inter 100ms weight 50
                server green 127.0.0.1:\(green.port) check inter 100ms weight 50
            """
        }
        directory.write(
            """
            global
                stats socket \(directory.file("admin.sock")) mode 600 level admin
                maxconn 4000
            defaults
                mode http
                timeout connect 2s
                timeout client 20s
                timeout server 20s
            frontend front
                bind 127.0.0.1:\(port)

            """ + (uses + ["    default_backend \(services[0])"] + backends).joined(separator: "\n") + "\n",
            to: "haproxy.cfg")
        process = try Self.launch(directory)
        try waitUntilUp()
    }

    private static func launch(_ directory: TemporaryDirectory) throws -> ChildProcess {
        try ChildProcess(
            ["/usr/sbin/haproxy", "-db", "-f", directory.file("haproxy.cfg")], output: .file(directory.file("log")))
    }

    private func waitUntilUp() throws {
        guard Loopback.eventually({ self.areUp(services) }) else {
            throw BenchmarkFailure("HAProxy did not come up: \(FileText.read(directory.file("log")) ?? "")")
        }
    }

    /// Ends HAProxy.
    func end() { process.stop(graceMilliseconds: 200) }

    /// Starts it again after ``end()``.
    func start() throws {
        process = try Self.launch(directory)
        try waitUntilUp()
    }

    deinit {
        process.stop(graceMilliseconds: 200)
        for server in servers { server.stop() }
    }

    /// Requests that are being worked on.
    final class Busy: Sendable {
        private let counter = Atomic<Int>(0)
        var count: Int { counter.load(ordering: .relaxed) }
        func enter() { counter.wrappingAdd(1, ordering: .relaxed) }
        func leave() { counter.wrappingSubtract(1, ordering: .relaxed) }
    }

    static func server(_ busy: Busy?) throws -> HTTPServer {
        var configuration = HTTPServerConfiguration()
        configuration.workers = 64
        return try HTTPServer(configuration) { request in
            guard request.path.hasSuffix("slow") else { return .text("ok\n") }
            busy?.enter()
            usleep(300_000)
            busy?.leave()
            return .text("ok\n")
        }
    }

    private func areUp(_ services: [String]) -> Bool {
        // One line per server. The server's state is its sixth word; 2 is running.
        let lines = command("show servers state").split(separator: "\n").map { $0.split(separator: " ") }
        let up = lines.filter { $0.count > 6 && services.contains(String($0[1])) && $0[5] == "2" }
        return up.count == 2 * services.count
    }

    /// Sends commands, separated by `;`, to the runtime socket and returns the response.
    func command(_ text: String) -> String {
        let file = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(socket.utf8).prefix(107)) }
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(file, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        let line = Array((text + "\n").utf8)
        guard isConnected, write(file, line, line.count) == line.count else { return "" }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(file, &buffer, buffer.count)
            guard count > 0 else { return String(decoding: answer, as: UTF8.self) }
            answer += buffer[..<count]
        }
    }

    /// The route of `service` through this proxy, as written in a plan.
    func route(_ service: String) -> String {
        "routes: [\(router(service))]"
    }

    /// The route itself.
    func router(_ service: String) -> String {
        "{haproxy: {address: \(socket), stable: [\(service)/blue], candidate: [\(service)/green]}, isolate: drain}"
    }
}

/// Why a benchmark could not be run.
struct BenchmarkFailure: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) {
        self.description = description
    }
}
