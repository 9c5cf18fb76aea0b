internal import Glibc
internal import Runtime

/// The processes of the kit besides Tribune. Stopped by their ids, the last started first.
final class KitFleet: Sendable {
    private let processes: [(name: String, process: ChildProcess)]

    /// Starts all of them, and waits until they answer. If one does not, the others are stopped.
    init(directory: String, ports: KitPorts) throws(CommandFailure) {
        var started: [(name: String, process: ChildProcess)] = []
        do throws(CommandFailure) {
            for (name, arguments, environment) in Self.programs(directory, ports) {
                started.append(try DemoFleet.start(name, arguments, directory, environment: environment))
            }
            for (name, url) in Self.probes(ports) { try DemoFleet.awaitAnswer(of: name, url, directory) }
        } catch {
            for (_, process) in started.reversed() { process.stop() }
            throw error
        }
        processes = started
    }

    /// Stops every process.
    func stop() {
        for (_, process) in processes.reversed() { process.signal(SIGTERM) }
        for (_, process) in processes.reversed() { process.stop() }
    }

    private static func programs(
        _ directory: String, _ ports: KitPorts
    ) -> [(name: String, arguments: [String], environment: [String: String])] {
        let versions = ports.services.flatMap { service in
            [("blue", service.blue), ("green", service.green)].map { version, port in
                (
                    "\(service.name)-\(version)",
                    [
                        "/proc/self/exe", "demo-service", "--platform", "--service=\(service.name)",
                        "--version=\(version)", "--port=\(port)", "--lifetime=604800",
                    ], [String: String]()
                )
            }
        }
        let database = "postgresql://tribune@127.0.0.1:\(ports.postgres)/postgres?sslmode=disable"
        return versions + [
            (
                "redis",
                [
                    "redis-server", "--bind", "127.0.0.1", "--port", "\(ports.redis)", "--save", "", "--appendonly",
                    "no",
                ], [:]
            ),
            (
                "postgres-exporter",
                ["prometheus-postgres-exporter", "--web.listen-address=127.0.0.1:\(ports.postgresExporter)"],
                ["DATA_SOURCE_NAME": database]
            ),
            (
                "redis-exporter",
                [
                    "prometheus-redis-exporter", "-web.listen-address=127.0.0.1:\(ports.redisExporter)",
                    "-redis.addr=redis://127.0.0.1:\(ports.redis)",
                ], [:]
            ),
            (
                "node_exporter",
                [
                    "prometheus-node-exporter", "--web.listen-address=127.0.0.1:\(ports.nodeExporter)",
                    "--log.level=error",
                ], [:]
            ),
            (
                "mail", ["/usr/bin/python3", "-u", "-m", "aiosmtpd", "-n", "-l", "127.0.0.1:\(ports.mail)"], [:]
            ),
            ("haproxy", ["haproxy", "-db", "-f", "\(directory)/haproxy.cfg"], [:]),
        ]
    }

    private static func probes(_ ports: KitPorts) -> [(name: String, url: String)] {
        ports.services.flatMap { service in
            [
                ("\(service.name)-blue", "http://127.0.0.1:\(service.blue)/health"),
                ("\(service.name)-green", "http://127.0.0.1:\(service.green)/health"),
            ]
        } + [
            ("postgres-exporter", "http://127.0.0.1:\(ports.postgresExporter)/metrics"),
            ("redis-exporter", "http://127.0.0.1:\(ports.redisExporter)/metrics"),
            ("node_exporter", "http://127.0.0.1:\(ports.nodeExporter)/metrics"),
            ("haproxy", "http://127.0.0.1:\(ports.haproxyMetrics)/metrics"),
        ] + ports.services.map { ("haproxy", "http://127.0.0.1:\($0.shared)/health") }
    }
}
