internal import CurlHTTP
internal import Glibc
internal import Runtime

/// The processes of the demo besides Tribune: HAProxy, two versions of a service, and a node_exporter, all on free
/// loopback ports, with the configuration files for them and for Tribune in one directory.
final class DemoFleet: Sendable {
    /// The directory of the files.
    let directory: String
    /// The ports in use.
    let ports: DemoPorts
    private let processes: [(name: String, process: ChildProcess)]

    /// Writes the files and starts the processes. If one of them does not start, the others are stopped.
    ///
    /// - Parameters:
    ///   - tribunePort: the port of Tribune.
    ///   - database: the database of the history; `nil` for SQLite, and then no Prometheus is started.
    init(directory: String, ports: DemoPorts, tribunePort: Int, database: String?) throws(CommandFailure) {
        self.directory = directory
        self.ports = ports
        try DemoFiles(directory: directory, ports: ports, tribunePort: tribunePort, database: database).write()
        var started: [(name: String, process: ChildProcess)] = []
        do throws(CommandFailure) {
            for version in ["blue", "green"] {
                let port = version == "blue" ? ports.blue : ports.green
                started.append(
                    try Self.start(
                        version,
                        [
                            "/proc/self/exe", "demo-service", "--version=\(version)", "--port=\(port)",
                            "--lifetime=86400",
                        ],
                        directory))
            }
            started.append(
                try Self.start(
                    "node_exporter",
                    [
                        "prometheus-node-exporter", "--web.listen-address=127.0.0.1:\(ports.nodeExporter)",
                        "--log.level=error",
                    ], directory))
            started.append(
                try Self.start("haproxy", ["haproxy", "-db", "-f", "\(directory)/haproxy.cfg"], directory))
            if database != nil {
                started.append(
                    try Self.start(
                        "prometheus",
                        [
                            "prometheus", "--config.file=\(directory)/watching.yml", "--log.level=error",
                            "--storage.tsdb.path=\(directory)/prometheus",
                            "--web.listen-address=127.0.0.1:\(ports.prometheus)",
                        ], directory))
                try Self.awaitAnswer(
                    of: "prometheus", "http://127.0.0.1:\(ports.prometheus)/-/ready", directory)
            }
            for (name, url) in [
                ("blue", "http://127.0.0.1:\(ports.blue)/healthz"),
                ("green", "http://127.0.0.1:\(ports.green)/healthz"),
                ("node_exporter", "http://127.0.0.1:\(ports.nodeExporter)/metrics"),
                ("haproxy", "http://127.0.0.1:\(ports.haproxyMetrics)/metrics"),
                ("haproxy", "http://127.0.0.1:\(ports.traffic)/"),
            ] { try Self.awaitAnswer(of: name, url, directory) }
        } catch {
            for (_, process) in started.reversed() { process.stop() }
            throw error
        }
        processes = started
    }

    /// Makes the green version misbehave, or stop misbehaving.
    func misbehave(_ mode: DemoService.Misbehaviour) throws(CommandFailure) {
        try Self.misbehave(mode, port: ports.green)
    }

    /// Makes the service on `port` misbehave, or stop misbehaving.
    static func misbehave(_ mode: DemoService.Misbehaviour, port: Int) throws(CommandFailure) {
        var request = HTTPRequest(url: "http://127.0.0.1:\(port)/misbehave?mode=\(mode.rawValue)")
        request.method = "POST"
        do throws(HTTPFailure) {
            let response = try HTTPClient().send(request)
            guard response.status == 200 else { throw HTTPFailure(.other, "status \(response.status)") }
        } catch {
            throw CommandFailure("cannot control the service on port \(port): \(error.message)")
        }
    }

    /// Stops every process, the last started first.
    func stop() {
        for (_, process) in processes.reversed() { process.stop() }
    }

    /// Starts a program whose output goes to a log in `directory`.
    static func start(
        _ name: String, _ arguments: [String], _ directory: String, environment: [String: String] = [:]
    ) throws(CommandFailure) -> (name: String, process: ChildProcess) {
        do throws(ChildProcess.StartError) {
            return (
                name,
                try ChildProcess(arguments, environment: environment, output: .file("\(directory)/\(name).log"))
            )
        } catch {
            throw CommandFailure("\(error.description) (needed by the demo; ./run installs it)")
        }
    }

    /// Waits until `url` answers 200, at most 30 s.
    static func awaitAnswer(of name: String, _ url: String, _ directory: String) throws(CommandFailure) {
        let client = HTTPClient()
        var last = ""
        for _ in 0..<600 {
            var request = HTTPRequest(url: url)
            request.timeoutMilliseconds = 1000
            do throws(HTTPFailure) {
                let response = try client.send(request)
                if response.status == 200 { return }
                last = "status \(response.status)"
            } catch {
                last = error.message
            }
            usleep(50_000)
        }
        let log = FileText.read("\(directory)/\(name).log") ?? ""
        throw CommandFailure("\(name) did not start: \(last)\n\(log.suffix(2000))")
    }
}

/// Ports of 127.0.0.1 that were free when the value was created.
struct DemoPorts: Sendable {
    let traffic: Int
    let haproxyMetrics: Int
    let blue: Int
    let green: Int
    let nodeExporter: Int
    let webhook: Int
    let pager: Int
    let prometheus: Int
    /// For Tribune, if none was given.
    let tribune: Int

    init() {
        // All sockets stay open until every port is known, so that all ports differ.
        var sockets: [Int32] = []
        defer { for socket in sockets { close(socket) } }
        func next() -> Int {
            let (socket, port) = LoopbackPort.bindAny()
            sockets.append(socket)
            return port
        }
        traffic = next()
        haproxyMetrics = next()
        blue = next()
        green = next()
        nodeExporter = next()
        webhook = next()
        pager = next()
        prometheus = next()
        tribune = next()
    }
}

/// Ports of loopback.
enum LoopbackPort {
    /// A socket bound to a port that the system chose.
    static func bindAny() -> (socket: Int32, port: Int) {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                unsafe bind(socket, generic, length) == 0 && getsockname(socket, generic, &length) == 0
            }
        }
        return (socket, bound ? Int(UInt16(bigEndian: address.sin_port)) : 0)
    }
}
