internal import DeploymentGates
internal import Glibc
internal import JSON
internal import Runtime

/// `tribune ci …`: the steps of a delivery pipeline. Each takes the options of the script that it replaces.
enum CICommands {
    static let all = [
        baseline, constitutionalCheck, performanceTest, monitorImprovement, validateImprovement, smokeTest,
        monitorDeployment,
    ]

    static let environment = Command.Option.value(
        "environment", "NAME", "The environment, as in .tribune-ci.yml.", default: "production")
    static let interval = Command.Option.value("interval", "SECONDS", "Time between two looks.", default: "5")
    static let timeout = Command.Option.value("timeout", "SECONDS", "The most time.", default: "600")

    // MARK: baseline

    private static let baseline = Command(
        "ci baseline", "Store what services serve now, to compare with it after a deployment.",
        options: PipelineSession.common + [
            .value("output", "FILE", "The file for the metrics, JSON in one line.", default: "baseline_metrics.json"),
            .value("services", "LIST", "Names, separated by commas; those of .tribune-ci.yml unless given."),
            .value("window", "DURATION", "How far back; that of .tribune-ci.yml unless given."), environment,
        ], details: "Exit code 1 if no service has any data."
    ) { (invocation) throws(CommandFailure) in
        let session = try PipelineSession(invocation)
        let metrics = try session.metrics(
            of: services(invocation, session), in: invocation.value("environment") ?? "",
            window: invocation.value("window") ?? session.file.window)
        let known = report(metrics)
        try write(metrics, invocation)
        guard known > 0 else { throw CommandFailure("no service has any data") }
        return 0
    }

    static func services(_ invocation: Invocation, _ session: PipelineSession) -> [String] {
        let given = invocation.value("services")?.split(separator: ",").map {
            String($0.filter { !$0.isWhitespace })
        }
        return given ?? session.file.services
    }

    static func write(_ json: JSON, _ invocation: Invocation) throws(CommandFailure) {
        guard let path = invocation.value("output") else { return }
        guard FileText.write(PipelineSession.line(json) + "\n", to: path, isPrivate: false) else {
            throw CommandFailure("\(path): \(SystemError.current)")
        }
    }

    /// Prints what is known of each service. Returns how many have data.
    static func report(_ metrics: JSON) -> Int {
        var known = 0
        for service in metrics["services"]?.members ?? [] {
            let numbers = (service.value.members ?? []).compactMap { member in
                member.value.number.map { "\(member.name) \(JSON.number($0).encoded)" }
            }
            let missing = (service.value["metrics"]?.members ?? []).compactMap { member in
                member.value["missing"]?.text.map { "\(member.name): \($0)" }
            }
            if !numbers.isEmpty { known += 1 }
            Console.print("\(service.name): \((numbers + missing).joined(separator: ", "))")
        }
        return known
    }

    // MARK: constitutional check

    private static let constitutionalCheck = Command(
        "ci constitutional-check", "Fail if a change alters the constitution's hash, drops a check or weakens a rule.",
        options: PipelineSession.common + [
            .value("service", "NAME", "Leave out files of other services."),
            .value(
                "changes-since", "REVISION", "The revision before the change; the one before HEAD unless given.",
                mayBeEmpty: true),
            .value("hash", "HASH", "The constitution's hash; that of .tribune-ci.yml unless given."),
            .value("repository", "DIR", "The Git repository.", default: "."),
            .flag("offline", "Do not ask the running service."),
        ],
        details: """
            Compares the working tree with the revision. The running service is asked whether it reports the same hash. Exit code 1
            if anything was found; the output has a line FILE:LINE for each finding.
            """
    ) { (invocation) throws(CommandFailure) in
        let file = try PipelineFile.load(invocation.value("config"))
        let changes = try RepositoryChanges(
            directory: invocation.value("repository") ?? ".", since: invocation.value("changes-since") ?? "",
            service: invocation.value("service"), services: file.services
        ).read()
        let check = ConstitutionalCheck(hash: invocation.value("hash")?.lowercased() ?? file.hash)
        let findings = check.findings(in: changes)
        for finding in findings {
            let place = finding.path + (finding.line.map { ":\($0)" } ?? "")
            Console.print("\(place): \(finding.kind.rawValue): \(finding.message)")
        }
        var problems = findings.count
        if !invocation.flag("offline") {
            let session = try PipelineSession(invocation)
            let matches = try session.values(of: "min by (service) (constitutional_hash_match)")
            for (service, value) in matches.sorted(by: { $0.key < $1.key })
            where value < 1 && service == invocation.value("service") ?? service {
                Console.print("\(service): hash: the running service reports another constitution")
                problems += 1
            }
        }
        Console.print("\(changes.count) changed files, \(problems) findings")
        return problems == 0 ? 0 : CommandFailure.Code.failed.rawValue
    }

    // MARK: performance test

    private static let performanceTest = Command(
        "ci performance-test", "Measure an environment after a deployment and compare it with the metrics before.",
        options: PipelineSession.common + [
            environment,
            .value("baseline-metrics", "JSON", "The metrics before, or @FILE."),
            .value(
                "output", "FILE", "The file for the metrics, JSON in one line.", default: "post_deployment_metrics.json"
            ),
            .value("duration", "SECONDS", "How long to measure; that of .tribune-ci.yml, or 300, unless given."),
        ],
        details: """
            Waits for the duration, reads what the services have served in it, and compares. Exit code 1 if a service is worse.
            An undecided comparison is printed and is no failure: the analysis that follows decides.
            """
    ) { (invocation) throws(CommandFailure) in
        let session = try PipelineSession(invocation)
        let before = try PipelineSession.metrics(invocation, "baseline-metrics")
        let seconds =
            invocation.value("duration") == nil
            ? session.file.measure : try PipelineSession.seconds(invocation, "duration")
        let services = (before["services"]?.members ?? []).map(\.name)
        while session.pause(1, until: seconds) {}
        let after = try session.metrics(
            of: services.isEmpty ? session.file.services : services, in: invocation.value("environment") ?? "",
            window: "\(max(1, Int(seconds)))s")
        let known = report(after)
        try write(after, invocation)
        guard known > 0 else { throw CommandFailure("no service has any data") }
        let comparison = try compare(before, after)
        Console.print(comparison.text)
        return comparison.verdict == .fail ? CommandFailure.Code.failed.rawValue : 0
    }

    static func compare(_ before: JSON, _ after: JSON) throws(CommandFailure) -> ServiceMetricsComparison {
        do throws(JSONFieldError) {
            return try ServiceMetricsComparison(before: before, after: after)
        } catch {
            throw CommandFailure(error.description)
        }
    }
}
