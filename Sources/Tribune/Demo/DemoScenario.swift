internal import Glibc
internal import JSON
internal import MetricModel
internal import PrometheusAPI
internal import Runtime
internal import Synchronization
internal import WebServer

/// The demo: a bad release behind a real HAProxy, and the rollback by Tribune.
struct DemoScenario {
    /// The time before green is made to misbehave.
    private static let calmMilliseconds: Int64 = 8000
    /// Timeout for the report.
    private static let patienceMilliseconds: Int64 = 120_000

    let directory: String
    let logger: Logger
    let listenAddress: String
    let misbehaviour: DemoService.Misbehaviour
    /// Whether it runs without PostgreSQL and Prometheus.
    let isSmall: Bool

    /// Runs the demo. Returns whether the rollback completed and validated, was recorded and reached the pager.
    /// `afterwards` is called while everything still runs.
    func play(_ afterwards: (TribuneService) -> Void) throws(CommandFailure) -> Bool {
        let ports = DemoPorts()
        var settings = ServiceSettings(configFile: "\(directory)/tribune.yml", storagePath: "\(directory)/data")
        settings.listenAddress = listenAddress
        let (host, wanted) = try settings.listenHostAndPort()
        let port = wanted == 0 ? ports.tribune : wanted
        settings.listenAddress = "\(host):\(port)"

        say("Starting HAProxy, two versions of a service, a node_exporter, a webhook receiver and a pager on loopback")
        let database = isSmall ? nil : try DemoDatabase()
        defer { database?.stop() }
        let fleet = try DemoFleet(directory: directory, ports: ports, tribunePort: port, database: database?.address)
        defer { fleet.stop() }
        let inbox = DemoInbox()
        let receiver = try inbox.serve(port: ports.webhook)
        defer { receiver.stop() }
        let pager = DemoPager()
        let pagerServer = try pager.serve(port: ports.pager)
        defer { pagerServer.stop() }
        let load = LoadGenerator(url: "http://127.0.0.1:\(ports.traffic)/")
        defer { load.stop() }
        do throws(WorkerThread.StartError) {
            try load.start(threads: 8, perSecond: 400)
        } catch {
            throw CommandFailure(error.description)
        }

        say("Starting Tribune: \(directory)/tribune.yml")
        let service = try TribuneService(settings, logger: logger, onReload: { _ in .done(waits: []) }, onQuit: {})
        defer { service.stop() }
        let server = "http://127.0.0.1:\(service.port)"
        tell("page      \(server)/")
        tell("traffic   http://127.0.0.1:\(ports.traffic)/ (HAProxy; about 400 requests a second are under way)")
        if let database {
            tell("history   psql '\(database.address)'")
            tell("watched   http://127.0.0.1:\(ports.prometheus)/ (Prometheus, which scrapes Tribune)")
        }
        let api = APIClient(server)

        say("Rollout: green gets 10 % of the traffic")
        _ = try api.post("rollouts/demo/start", [("reason", "demo")])
        sleep(milliseconds: Self.calmMilliseconds)
        let before = load.count
        tell("answers   \(text(of: before))")
        tell("weights   \(try weights(api))")

        say("Green begins to misbehave: \(misbehaviour.rawValue)")
        try fleet.misbehave(misbehaviour)
        let report = try awaitReport(api)
        sleep(milliseconds: 2000)
        let after = load.count
        tell("weights   \(try weights(api))")
        tell("answers   \(text(of: after))")
        tell("broken    \(after.broken) requests without an answer, \(after.refused) with an error")
        for line in inbox.lines { tell("webhook   \(line)") }
        for line in pager.inbox.summaries { tell("pager     \(line)") }
        print(report)
        let isValid = report["valid"]?.bool == true
        let evidence = DemoEvidence(
            incident: report["id"]?.text ?? "", pager: pager, database: database,
            prometheus: database == nil ? nil : "http://127.0.0.1:\(ports.prometheus)")
        let isProven = try evidence.verify(say: say, tell: tell)
        say(isValid ? "The rollback completed and was validated." : "The rollback did not complete.")
        tellWhatNext(server, green: ports.green)
        afterwards(service)
        return isValid && isProven && after.broken == 0
    }

    private func tellWhatNext(_ server: String, green: Int) {
        say("What next")
        tell("try again      curl -X POST 'http://127.0.0.1:\(green)/misbehave?mode=none'")
        tell("               tribune rollout start demo --server=\(server)")
        tell("               curl -X POST 'http://127.0.0.1:\(green)/misbehave?mode=errors'")
        tell("ask            tribune query instant \(server) 'sum by (env) (rate(http_requests_total[10s]))'")
        tell("read on        docs/tutorial.md: the same with a service of your own, in five minutes")
    }

    private func awaitReport(_ api: APIClient) throws(CommandFailure) -> JSON {
        let deadline = SystemClock.monotonicNanoseconds() + Self.patienceMilliseconds * 1_000_000
        while SystemClock.monotonicNanoseconds() < deadline {
            let rollback = try plan(api)["details"]?["rollback"] ?? .null
            if rollback["valid"]?.bool != nil { return rollback }
            sleep(milliseconds: 50)
        }
        throw CommandFailure("no report of a rollback within \(Self.patienceMilliseconds / 1000) s")
    }

    private func plan(_ api: APIClient) throws(CommandFailure) -> JSON {
        let data = try api.get("rollouts")["data"] ?? .null
        return (data["rollouts"] ?? data).elements?.first { $0["plan"]?.text == "demo" } ?? .null
    }

    private func weights(_ api: APIClient) throws(CommandFailure) -> String {
        let service = try plan(api)["details"]?["services"]?.elements?.first ?? .null
        return "blue \(service["stable"]?.integer ?? -1) %, green \(service["candidate"]?.integer ?? -1) % "
            + "(\(service["progress"]?.text ?? ""))"
    }

    private func text(of count: LoadGenerator.Count) -> String {
        count.answers.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    }

    /// Prints the report: the cause, then the steps with milliseconds since the violating scrape.
    private func print(_ report: JSON) {
        say("Report \(report["id"]?.text ?? "")")
        for trip in (report["causes"]?.elements ?? []).compactMap({ $0["trip"] }) {
            let values = (trip["samples"]?.elements ?? []).compactMap { $0["value"]?.text }.joined(separator: ", ")
            tell("rule      \(trip["name"]?.text ?? "") (\(trip["severity"]?.text ?? ""))")
            tell("measured  \(trip["expr"]?.text ?? "") = \(values)")
            tell("trips at  \(trip["comparison"]?.text ?? "") \(trip["threshold"]?.text ?? "")")
            tell("rule hash \(trip["rule_hash"]?.text ?? "")")
        }
        tell("        ms  step")
        for entry in report["timeline"]?.elements ?? [] {
            let offset = entry["ms"]?.number.map { Self.tenths($0) } ?? ""
            let padding = String(repeating: " ", count: max(0, 10 - offset.count))
            let service = entry["service"]?.text.map { " \($0)" } ?? ""
            tell("\(padding)\(offset)  \(entry["step"]?.text ?? "")\(service)  \(entry["detail"]?.text ?? "")")
        }
    }

    /// The value with one decimal.
    private static func tenths(_ value: Double) -> String {
        let tenths = Int64(clamping: value * 10)
        return "\(tenths / 10).\(abs(tenths % 10))"
    }

    private func say(_ text: String) {
        Console.print(Console.isTerminal ? "\u{1b}[1m== \(text)\u{1b}[0m" : "== \(text)")
    }

    private func tell(_ text: String) { Console.print("   \(text)") }

    private func sleep(milliseconds: Int64) {
        usleep(UInt32(milliseconds * 1000))
    }
}
