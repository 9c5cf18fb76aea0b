internal import Glibc
internal import JSON

/// A service of the ACGS platform in the kit.
struct KitService: Equatable, Sendable {
    /// The value of the label `service`.
    let name: String
    /// The port of the platform's documents, on which the kit's HAProxy listens.
    let port: Int

    /// The seven services of the plan, and the two that coordinate agents.
    static let all = [
        ("auth", 8000), ("ac", 8001), ("integrity", 8002), ("fv", 8003), ("gs", 8004), ("pgc", 8005), ("ec", 8006),
        ("coordinator", 8008), ("blackboard", 8010),
    ].map { KitService(name: $0.0, port: $0.1) }

    /// The names of the seven services that the plan migrates, in its order.
    static let migrated = all.prefix(7).map(\.name)
}

/// The ports of the kit, all on 127.0.0.1.
struct KitPorts: Equatable, Sendable {
    /// The ports of one service.
    struct Service: Equatable, Sendable {
        let name: String
        /// HAProxy, which divides the traffic.
        let shared: Int
        let blue: Int
        let green: Int
    }

    let services: [Service]
    let tribune: Int
    let control: Int
    let pager: Int
    let mail: Int
    let postgres: Int
    let redis: Int
    let postgresExporter: Int
    let redisExporter: Int
    let nodeExporter: Int
    let haproxyMetrics: Int

    /// The ports of the platform's documents. Blue listens 10000 above the shared port, green 20000 above.
    ///
    /// - Parameter auth: that of auth, for which the documents have 8000 and 8016.
    static func platform(auth: Int, tribune: Int) -> KitPorts {
        KitPorts(
            services: KitService.all.map { service in
                let port = service.name == "auth" ? auth : service.port
                return Service(name: service.name, shared: port, blue: port + 10_000, green: port + 20_000)
            }, tribune: tribune, control: 8090, pager: 8091, mail: 8025, postgres: 5440, redis: 6390,
            postgresExporter: 9187, redisExporter: 9121, nodeExporter: 9100, haproxyMetrics: 8404)
    }

    /// Ports that are free now.
    static func free() -> KitPorts {
        // All sockets stay open until every port is known, so that all ports differ.
        var sockets: [Int32] = []
        defer { for socket in sockets { close(socket) } }
        func next() -> Int {
            let (socket, port) = LoopbackPort.bindAny()
            sockets.append(socket)
            return port
        }
        return KitPorts(
            services: KitService.all.map { Service(name: $0.name, shared: next(), blue: next(), green: next()) },
            tribune: next(), control: next(), pager: next(), mail: next(), postgres: next(), redis: next(),
            postgresExporter: next(), redisExporter: next(), nodeExporter: next(), haproxyMetrics: next())
    }

    /// The port of one version of a service; `nil` if there is none.
    func port(of service: String, _ version: String) -> Int? {
        let found = services.first { $0.name == service }
        return version == "blue" ? found?.blue : version == "green" ? found?.green : nil
    }

    /// All of them, for scripts.
    var json: JSON {
        [
            "control": .string("http://127.0.0.1:\(control)"), "server": .string("http://127.0.0.1:\(tribune)"),
            "services": .object(
                services.map { service in
                    JSON.Member(
                        service.name,
                        [
                            "shared": .string("http://127.0.0.1:\(service.shared)"),
                            "blue": .string("http://127.0.0.1:\(service.blue)"),
                            "green": .string("http://127.0.0.1:\(service.green)"),
                        ])
                }),
        ]
    }
}
