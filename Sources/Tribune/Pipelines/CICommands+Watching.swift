internal import CurlHTTP
internal import DeploymentGates
internal import JSON
internal import MetricModel
internal import Runtime

/// The steps that watch something until it is decided or time is up.
extension CICommands {
    // MARK: improvements

    static let improvement = Command.Option.value(
        "improvement-id", "ID", "The improvement, from POST /api/v1/improvements.", mayBeEmpty: true)

    static func improvementID(_ invocation: Invocation) throws(CommandFailure) -> String {
        let id = invocation.value("improvement-id") ?? ""
        // `jq -r` prints null where a response has no such field, as after an error.
        guard id.hasPrefix("improvement-") else {
            throw CommandFailure("there is no improvement: the request for it failed (--improvement-id is \"\(id)\")")
        }
        return id
    }

    static let monitorImprovement = Command(
        "ci monitor-improvement", "Wait for the end of an improvement.",
        options: PipelineSession.common + [
            improvement, .value("timeout", "SECONDS", "The most time.", default: "1800"), interval,
        ], details: "Exit codes: 0 succeeded, 1 failed or undeliverable, 3 not ended in time."
    ) { (invocation) throws(CommandFailure) in
        let session = try PipelineSession(invocation)
        let id = try improvementID(invocation)
        let limit = try PipelineSession.seconds(invocation, "timeout")
        let pause = try PipelineSession.seconds(invocation, "interval")
        var last = ""
        while true {
            let data = try session.client.get("improvements/\(id)")["data"] ?? .null
            let status = data["status"]?.text ?? "unknown"
            if status != last { Console.print("\(id): \(status) \(data["detail"]?.text ?? "")") }
            last = status
            if status == "succeeded" { return 0 }
            if status == "failed" || status == "undeliverable" { return CommandFailure.Code.failed.rawValue }
            guard session.pause(pause, until: limit) else {
                Console.error("\(id) is \(status) after \(Int(limit)) s")
                return GateCommands.inconclusive
            }
        }
    }

    static let validateImprovement = Command(
        "ci validate-improvement", "Compare what services serve after an improvement with the metrics before.",
        options: PipelineSession.common + [
            improvement, .value("baseline-metrics", "JSON", "The metrics before, or @FILE."), environment, timeout,
            interval,
        ],
        details: """
            Measures from the end of the improvement on, until the comparison is decided. Exit codes: 0 not worse, 1 worse or the
            improvement did not succeed, 3 undecided in time.
            """
    ) { (invocation) throws(CommandFailure) in
        let session = try PipelineSession(invocation)
        let id = try improvementID(invocation)
        let before = try PipelineSession.metrics(invocation, "baseline-metrics")
        let limit = try PipelineSession.seconds(invocation, "timeout")
        let pause = try PipelineSession.seconds(invocation, "interval")
        let record = try session.client.get("improvements/\(id)")["data"] ?? .null
        guard record["status"] == "succeeded" else {
            throw CommandFailure("\(id) is \(record["status"]?.text ?? "unknown")")
        }
        let request = record["request"]
        let named = request?["environment"]?.text ?? request?["deployment_context"]?["environment"]?.text
        let place = named ?? invocation.value("environment") ?? ""
        let services = (before["services"]?.members ?? []).map(\.name)
        guard !services.isEmpty, let ended = record["changed_at"]?.text.flatMap({ RFC3339.milliseconds(parsing: $0) })
        else { throw CommandFailure("--baseline-metrics has no services of tribune ci baseline", code: .usage) }
        while true {
            let window = max(1, (SystemClock.wallMilliseconds() - ended) / 1000)
            let after = try session.metrics(of: services, in: place, window: "\(min(window, 6 * 86400))s")
            let comparison = try compare(before, after)
            if comparison.verdict != .inconclusive || !session.pause(pause, until: limit) {
                Console.print(comparison.text)
                return switch comparison.verdict {
                case .pass: 0
                case .fail: CommandFailure.Code.failed.rawValue
                case .inconclusive: GateCommands.inconclusive
                }
            }
        }
    }

    // MARK: smoke test

    static let smokeTest = Command(
        "ci smoke-test", "Wait until every service of an environment is up, healthy and under the right constitution.",
        options: PipelineSession.common + [
            environment, .value("timeout", "SECONDS", "The most time.", default: "300"), interval,
            .value("services", "LIST", "Names, separated by commas; those of .tribune-ci.yml unless given."),
        ],
        details: """
            A service passes if Tribune scrapes all its targets, none reports another constitution, and its base URL, if
            .tribune-ci.yml has one, answers /health with 200. Exit code 1 with what is missing if time is up.
            """
    ) { (invocation) throws(CommandFailure) in
        let session = try PipelineSession(invocation)
        let limit = try PipelineSession.seconds(invocation, "timeout")
        let pause = try PipelineSession.seconds(invocation, "interval")
        let place = session.file.environment(invocation.value("environment") ?? "")
        let names = services(invocation, session)
        while true {
            let problems = try SmokeTest(session: session, environment: place).problems(of: names)
            if problems.isEmpty {
                Console.print("\(names.count) services passed")
                return 0
            }
            guard session.pause(pause, until: limit) else {
                for problem in problems { Console.print(problem) }
                return CommandFailure.Code.failed.rawValue
            }
        }
    }

    // MARK: deployment

    static let monitorDeployment = Command(
        "ci monitor-deployment", "Watch a deployment, and restore its checkpoint if it violates a rule.",
        options: PipelineSession.common + [
            .value("duration", "SECONDS", "How long to watch.", default: "600"),
            .value("checkpoint-id", "ID", "The checkpoint, from POST /api/v1/safety/checkpoint.", mayBeEmpty: true),
            .value(
                "auto-rollback-on-violation", "BOOLEAN", "Restore the checkpoint after a violation.", default: "true"),
            .value("services", "LIST", "Names, separated by commas; those of the checkpoint unless given."),
            .value("interval", "SECONDS", "Time between two looks.", default: "10"),
        ],
        details: """
            A violation is a firing alert of severity high or critical, a rollback, another constitution hash, or a candidate that is
            worse by the sequential gate (docs/operations/gates.md). Exit codes: 0 watched to the end without a violation, 1 violation, 3 some
            service had no data at all.
            """
    ) { (invocation) throws(CommandFailure) in
        let session = try PipelineSession(invocation)
        let duration = try PipelineSession.seconds(invocation, "duration")
        let pause = try PipelineSession.seconds(invocation, "interval")
        guard let word = invocation.value("auto-rollback-on-violation"), let isRestoring = Bool(word) else {
            throw invocation.misuse(of: "auto-rollback-on-violation", "true or false")
        }
        let id = invocation.value("checkpoint-id") ?? ""
        guard id.hasPrefix("checkpoint-") else {
            throw CommandFailure("there is no checkpoint: the request for it failed (--checkpoint-id is \"\(id)\")")
        }
        let checkpoint = try session.client.get("safety/checkpoint/\(id)")["data"] ?? .null
        var watch = DeploymentWatch(
            session: session,
            services: invocation.value("services") == nil
                ? DeploymentWatch.services(of: checkpoint) : services(invocation, session),
            duration: duration)
        repeat {
            let violations = try watch.look()
            guard violations.isEmpty else {
                for violation in violations { Console.print("violation: \(violation)") }
                if isRestoring { try watch.restore(id, because: violations) }
                return CommandFailure.Code.failed.rawValue
            }
        } while session.pause(pause, until: duration)
        Console.print(watch.summary)
        return watch.unseen.isEmpty ? 0 : GateCommands.inconclusive
    }
}

/// The checks of `tribune ci smoke-test`.
struct SmokeTest {
    let session: PipelineSession
    let environment: PipelineFile.Environment

    /// The reasons why services do not pass.
    func problems(of services: [String]) throws(CommandFailure) -> [String] {
        let labels = environment.match.sorted { $0.key < $1.key }.map { "\($0.key)=\"\($0.value)\"" }
            .joined(separator: ",")
        let up = try session.values(of: "min by (service) (up{\(labels)})")
        let matches = try session.values(of: "min by (service) (constitutional_hash_match{\(labels)})")
        var problems: [String] = []
        for service in services {
            switch up[service] {
            case nil: problems.append("\(service): Tribune scrapes no target of it")
            case 1: break
            default: problems.append("\(service): a target cannot be scraped")
            }
            if let match = matches[service], match < 1 { problems.append("\(service): another constitution hash") }
            if let url = environment.targets[service], let problem = health(url) {
                problems.append("\(service): \(problem)")
            }
        }
        return problems
    }

    private func health(_ url: String) -> String? {
        var request = HTTPRequest(url: url.hasSuffix("/") ? "\(url)health" : "\(url)/health")
        request.timeoutMilliseconds = 5000
        do throws(HTTPFailure) {
            let response = try HTTPClient().send(request)
            return response.status == 200 ? nil : "\(request.url) answered \(response.status)"
        } catch {
            return "\(request.url): \(error.message)"
        }
    }
}

/// The watch of `tribune ci monitor-deployment`.
struct DeploymentWatch {
    let session: PipelineSession
    let services: [String]
    let duration: Double
    /// When the watch of a service began, by Tribune's clock.
    private var began: [String: JSON] = [:]
    /// Alerts that fired before the watch are not the deployment's.
    private var knownAlerts: Set<String>?
    private var verdicts: [String: String] = [:]
    /// Services without any data so far.
    private(set) var unseen: Set<String>

    init(session: PipelineSession, services: [String], duration: Double) {
        self.session = session
        self.services = services
        self.duration = duration
        unseen = Set(services)
    }

    /// The services that a checkpoint is about.
    static func services(of checkpoint: JSON) -> [String] {
        let named = (checkpoint["services"]?.elements ?? []).compactMap(\.text)
        if !named.isEmpty { return named }
        return (checkpoint["plans"]?.elements ?? []).flatMap { $0["services"]?.elements ?? [] }
            .compactMap { $0["service"]?.text }
    }

    /// The violations.
    mutating func look() throws(CommandFailure) -> [String] {
        var violations = try alerts()
        for (service, match) in try session.values(of: "min by (service) (constitutional_hash_match)")
        where match < 1 && services.contains(service) {
            violations.append("\(service): another constitution hash")
        }
        for service in services {
            var watch: [JSON.Member] = [.init("duration", .string("\(max(1, Int(duration)))s"))]
            if let time = began[service] { watch.append(.init("started", time)) }
            let analysis = try session.post(
                "analyze-deployment", ["service": .string(service), "watch": .object(watch)])
            began[service] = analysis["watch"]?["started"]
            let verdict = analysis["verdict"]?.text ?? ""
            verdicts[service] = verdict
            let metrics = analysis["metrics"]?.elements ?? []
            if metrics.contains(where: { $0["p_value"]?.number != nil }) { unseen.remove(service) }
            if verdict == "fail" { violations.append("\(service): \(analysis["reason"]?.text ?? "")") }
        }
        return violations
    }

    private mutating func alerts() throws(CommandFailure) -> [String] {
        let data = try session.client.get("alerts")["data"]
        var firing: [String: String] = [:]
        for alert in data?["alerts"]?.elements ?? [] where alert["state"] == "firing" {
            let labels = alert["labels"]
            guard ["high", "critical"].contains(labels?["severity"]?.text ?? "") else { continue }
            firing[labels?.canonical ?? ""] =
                "alert \(labels?["alertname"]?.text ?? "") \(labels?["service"]?.text ?? "")"
        }
        let known = knownAlerts ?? Set(firing.keys)
        knownAlerts = known
        return firing.filter { !known.contains($0.key) }.map(\.value).sorted()
    }

    /// Orders the restore. Fails if a plan refuses it.
    func restore(_ id: String, because violations: [String]) throws(CommandFailure) {
        let reason = String("violation: \(violations.joined(separator: "; "))".prefix(900))
        let data = try session.post("safety/checkpoint/\(id)/restore", ["reason": .string(reason)])
        for plan in data["restore"]?["plans"]?.elements ?? [] {
            Console.print(
                "restore of \(plan["plan"]?.text ?? ""): \(plan["outcome"]?.text ?? "") \(plan["detail"]?.text ?? "")")
        }
    }

    /// The result without a violation.
    var summary: String {
        let decided = services.map { "\($0): \(unseen.contains($0) ? "no data" : verdicts[$0] ?? "")" }
        return "no violation in \(Int(duration)) s; " + decided.joined(separator: ", ")
    }
}
