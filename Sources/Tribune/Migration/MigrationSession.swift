internal import Glibc
internal import JSON
internal import Runtime

/// The means of the commands `tribune migrate …`: the running Tribune, the plan, the window of measurements.
struct MigrationSession {
    static let options: [Command.Option] = [
        .value("server", "URL", "The running Tribune.", default: "http://127.0.0.1:8007"),
        .value("token-file", "FILE", "File with the bearer token, for a server on another machine."),
        .value("plan", "NAME", "The plan of the services.", default: "acgs"),
        .value("window", "DURATION", "How far back measurements look.", default: "5m"),
        .value("throughput", "NUMBER", "The least requests per second of the platform; 0 for any.", default: "1000"),
        .flag("record", "Write the results to the ledger, as evidence for `tribune certify`."),
    ]

    /// The plan's services in the order of promotion, as the server shows them.
    struct Plan {
        struct Service: Equatable {
            var name: String
            var candidate: Int64
            /// The candidate's percentage as read back; `nil` if it was not read.
            var observed: Int64?
            var progress: String
            var stage: Int64?
            var stages: Int64
            var preflight: [String]
            var frozen: String?
            var lack: String?

            /// Whether it has all traffic in its last stage, or was promoted.
            var isComplete: Bool {
                progress == "promoted" || progress == "baking" && stage == stages && candidate == 100 && observed == 100
            }
        }

        var state: String
        var services: [Service]
        var obstacle: String?
        var report: JSON
        var cooldown: String?

        func service(_ name: String) -> Service? { services.first { $0.name == name } }

        /// The services that come before `name`.
        func before(_ name: String) -> [Service] { Array(services.prefix { $0.name != name }) }
    }

    let client: APIClient
    let planName: String
    let window: String
    /// `nil` for any.
    let throughput: Double?
    private let isRecording: Bool

    init(_ invocation: Invocation) throws(CommandFailure) {
        var client = APIClient(invocation.value("server") ?? "")
        if let path = invocation.value("token-file") { client.token = try Console.secret(in: path) }
        self.client = client
        planName = invocation.value("plan") ?? ""
        window = invocation.value("window") ?? ""
        guard let wanted = invocation.value("throughput").flatMap({ Double($0) }), wanted >= 0 else {
            throw invocation.misuse(of: "throughput", "a number")
        }
        throughput = wanted == 0 ? nil : wanted
        isRecording = invocation.flag("record")
    }

    /// The only element of an instant query; `nil` if there is none.
    func value(of expression: String) throws(CommandFailure) -> Double? {
        let data = try client.post("query", [("query", expression)])["data"]
        return data?["result"]?.elements?.first?["value"]?.elements?.last?.text.flatMap { Double($0) }
    }

    /// The state of the plan.
    func plan() throws(CommandFailure) -> Plan {
        let data = try client.get("rollouts/\(planName)")["data"] ?? .null
        let details = data["details"] ?? .null
        let services = (details["services"]?.elements ?? []).map { service in
            Plan.Service(
                name: service["name"]?.text ?? "", candidate: service["candidate"]?.integer ?? 0,
                observed: service["observed"]?["candidate"]?.integer, progress: service["progress"]?.text ?? "",
                stage: service["stage"]?.integer, stages: service["stages"]?.integer ?? 0,
                preflight: (service["preflight"]?.elements ?? []).compactMap(\.text), frozen: service["frozen"]?.text,
                lack: service["lack"]?.text)
        }
        return Plan(
            state: data["state"]?.text ?? "", services: services, obstacle: details["obstacle"]?.text,
            report: details["rollback"] ?? .null, cooldown: details["cooldown_until"]?.text)
    }

    /// Gives an order. An order without effect is a failure.
    func order(_ verb: String, reason: String, service: String? = nil) throws(CommandFailure) {
        let answer = try client.post(
            "rollouts/\(planName)/\(verb)", [("reason", reason)] + (service.map { [("service", $0)] } ?? []))
        if let ignored = answer["data"]?["ignored"]?.text {
            throw CommandFailure("\(planName): \(verb) had no effect: \(ignored)")
        }
    }

    /// Prints the checks of a validator, and writes them to the ledger if that is wanted.
    func report(_ validator: String, _ service: String, _ checks: [MigrationCheck]) throws(CommandFailure) {
        for check in checks { Console.print("  \(check.line)") }
        guard isRecording else { return }
        let code = MigrationCheck.exitCode(checks)
        let outcome = code == 0 ? "passed" : code == GateCommands.inconclusive ? "unknown" : "failed"
        _ = try client.post(
            "evidence",
            [
                ("check", "migrate.\(validator).\(service)"), ("service", service), ("plan", planName),
                ("outcome", outcome),
                ("value", "\(checks.filter { $0.outcome == .passed }.count) of \(checks.count) passed"),
                ("target", "all"), ("detail", checks.map(\.line).joined(separator: "; ")),
            ])
    }
}
