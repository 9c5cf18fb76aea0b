internal import JSON
internal import MetricModel
internal import PrometheusAPI
internal import Runtime
internal import WebServer

/// The running ACGS platform with its Tribune. Owns every process, server and thread of it; ``stop()`` ends all.
final class Kit {
    private let directory: String
    private let ports: KitPorts
    private let secrets: KitSecrets
    /// Closures that stop the parts, in the order of the start.
    private var stops: [() -> Void] = []

    /// Starts everything. If a part does not start, the others are stopped.
    init(
        directory: String, rules: String, ports: KitPorts, pace: KitPace, rate: Double, logger: Logger
    ) throws(CommandFailure) {
        self.directory = directory
        self.ports = ports
        secrets = try KitSecrets()
        do throws(CommandFailure) {
            try start(rules: rules, pace: pace, rate: rate, logger: logger)
        } catch {
            stop()
            throw error
        }
    }

    private func start(rules: String, pace: KitPace, rate: Double, logger: Logger) throws(CommandFailure) {
        let database = try DemoDatabase(port: ports.postgres)
        stops.append { database.stop() }
        try KitFiles(
            directory: directory, rules: rules, ports: ports, pace: pace, database: database.address, secrets: secrets
        ).write()
        let fleet = try KitFleet(directory: directory, ports: ports)
        stops.append { fleet.stop() }
        let load = KitLoad(ports, rate: rate)
        let control = KitControl(ports: ports, load: load, gatesToken: secrets.gatesToken)
        let controlServer = try control.serve()
        stops.append {
            control.stop()
            controlServer.stop()
        }
        let pagerServer = try DemoPager().serve(port: ports.pager)
        stops.append { pagerServer.stop() }
        do throws(WorkerThread.StartError) {
            try load.start()
        } catch {
            throw CommandFailure(error.description)
        }
        stops.append { load.stop() }
        var settings = ServiceSettings(configFile: "\(directory)/tribune.yml", storagePath: "\(directory)/data")
        settings.listenAddress = "127.0.0.1:\(ports.tribune)"
        let service = try TribuneService(settings, logger: logger, onReload: { _ in .done(waits: []) }, onQuit: {})
        stops.append { service.stop() }
        try DemoFleet.awaitAnswer(of: "tribune", "http://127.0.0.1:\(ports.tribune)/-/ready", directory)
        var members = ports.json.members ?? []
        members += [JSON.Member("directory", .string(directory)), JSON.Member("database", .string(database.address))]
        guard FileText.write(JSON.object(members + secrets.json).encoded + "\n", to: "\(directory)/kit.json") else {
            throw CommandFailure("\(directory)/kit.json: \(SystemError.current)")
        }
    }

    /// Ends everything, the last started first.
    func stop() {
        while let stop = stops.popLast() { stop() }
    }

    /// Where things are, for people.
    var summary: [(name: String, value: String)] {
        let shared = ports.services.map { "\($0.name) \($0.shared)" }.joined(separator: ", ")
        return [
            ("page", "http://127.0.0.1:\(ports.tribune)/"), ("services", shared),
            (
                "switches",
                "curl -X POST 'http://127.0.0.1:\(ports.control)/switch?service=auth&version=green&mode=errors'"
            ),
            ("received", "http://127.0.0.1:\(ports.control)/received, \(directory)/mail.log"),
            ("files", "\(directory)/kit.json"),
        ]
    }
}
