internal import Exposition
internal import Notification
internal import Rollback
internal import RuleEngine
internal import RuleModel
internal import Runtime
internal import Scraper
internal import WebConfiguration
internal import YAML

/// `tribune check …`: reports errors in files before a server uses them.
enum CheckCommands {
    static let config = Command(
        "check config", "Check a configuration and the files that it names.", operands: "FILE", count: 1...1,
        details: """
            Accepts a tribune.yml, a stock prometheus.yml or a stock alertmanager.yml. All errors are
            reported, not only the first.
            """
    ) { (invocation) throws(CommandFailure) in
        let path = invocation.operands[0]
        switch ConfigurationKind(of: path) {
        case .service: return checkService(path)
        case .alertmanager: return checkAlertmanager(path)
        case .rules:
            throw CommandFailure("\(path) is a rule file; check it with: tribune check rules \(path)", code: .usage)
        case .plan:
            throw CommandFailure(
                "\(path) is a rollout plan; check the tribune.yml that names it under plans", code: .usage)
        }
    }

    /// An Alertmanager configuration only.
    private static func checkAlertmanager(_ path: String) -> Int32 {
        do throws(YAMLError) {
            let configuration = try NotificationConfiguration.load(path)
            Console.print(
                "SUCCESS: \(path) is a valid Alertmanager configuration: \(configuration.receivers.count) receivers")
            return 0
        } catch {
            for fault in error.all { Console.print("FAILED: \(fault)") }
            return CommandFailure.Code.failed.rawValue
        }
    }

    /// The configuration of a service, with every file it names.
    private static func checkService(_ path: String) -> Int32 {
        do throws(ConfigurationError) {
            let configuration = try LoadedConfiguration.load(path, requiresRuleFiles: true)
            for warning in configuration.prometheus.warnings { Console.error("warning: \(warning)") }
            for warning in configuration.notification.warnings { Console.error("warning: \(warning)") }
            let warnings = configuration.reach.warnings + configuration.evidenceWarnings + configuration.targetWarnings
            for warning in warnings { Console.error("warning: \(warning)") }
            let rules = configuration.groups.reduce(0) { $0 + $1.rules.count }
            Console.print(
                "SUCCESS: \(path) is valid: \(configuration.prometheus.pools.count) scrape jobs, \(rules) rules, "
                    + "\(configuration.notification.receivers.count) receivers, \(configuration.plans.count) plans")
            for line in configuration.reach.lines + configuration.evidenceLines { Console.print("  \(line)") }
            return 0
        } catch {
            for fault in error.errors { Console.print("FAILED: \(fault)") }
            return CommandFailure.Code.failed.rawValue
        }
    }

    static let webConfig = Command(
        "check web-config", "Check a file for --web.config.file.", operands: "FILE...", count: 1...1000,
        details: "Reads the certificates that the file names, too."
    ) { (invocation) throws(CommandFailure) in
        var code: Int32 = 0
        for path in invocation.operands {
            do throws(WebConfigurationError) {
                _ = try WebConfiguration.load(path)
                Console.print("\(path) SUCCESS")
            } catch {
                Console.print("\(path) FAILED: \(error)")
                code = CommandFailure.Code.failed.rawValue
            }
        }
        return code
    }

    static let metrics = Command(
        "check metrics", "Check metrics from standard input.",
        details: """
            Reads the Prometheus text format. Exit code 1 if a scrape would fail, 3 if it would succeed but the metrics do not follow
            the conventions.

            Example: curl -s http://127.0.0.1:9190/metrics | tribune check metrics
            """
    ) { (_) throws(CommandFailure) in
        let body = ExpositionBody(try Console.standardInputBytes())
        let problems = body.check()
        for problem in problems { Console.error(problem.description) }
        if problems.contains(where: { $0.severity == .refused }) { return CommandFailure.Code.failed.rawValue }
        return problems.isEmpty ? 0 : lintExitCode
    }

    /// The exit code of promtool for metrics that only break conventions.
    private static let lintExitCode: Int32 = 3

    static let rules = Command(
        "check rules", "Check rule files.", operands: "FILE...", count: 1...10_000,
        options: [
            .flag("lint-fatal", "Exit with code 3 if there are lint remarks about rollback rules."),
            .value("plan", "FILE", "A plan that rollback rules act on. May be repeated, and be a pattern."),
        ],
        details: """
            Accepts Prometheus rule files and rollback rules. All errors are reported, not only the first.

            Lint remarks name what a rollback rule leaves undefined: a policy for missing data, min_samples for a ratio, clear for a
            threshold, cooldown.

            With --plan, what the rules and the plans name must exist, and the services that each rule judges and takes back are printed.
            """
    ) { (invocation) throws(CommandFailure) in
        var (faulty, remarks) = (0, 0)
        var files: [RuleFile] = []
        for path in invocation.operands {
            Console.print("Checking \(path)")
            do throws(RuleFileError) {
                let file = try RuleFile.load(path)
                files.append(file)
                Console.print("  SUCCESS: \(file.groups.reduce(0) { $0 + $1.rules.count }) rules found")
                for line in lint(file) {
                    remarks += 1
                    Console.print("  \(line)")
                }
                Console.print("")
            } catch {
                faulty += 1
                Console.print("  FAILED:")
                for fault in error.faults { Console.print("  \(fault)") }
                Console.print("")
            }
        }
        // The names in unreadable rules are unknown.
        if faulty == 0, !invocation.values("plan").isEmpty {
            faulty = check(files, against: invocation.values("plan"))
        }
        if faulty > 0 { return CommandFailure.Code.failed.rawValue }
        return remarks > 0 && invocation.flag("lint-fatal") ? CommandFailure.Code.lint.rawValue : 0
    }

    /// Checks the names in `rules` and in the plans of `patterns`; returns the number of errors.
    private static func check(_ rules: [RuleFile], against patterns: [String]) -> Int {
        var plans: [NameCheck.PlanFile] = []
        var faults: [YAMLError] = []
        for pattern in patterns {
            let paths = Paths.matching(pattern)
            if paths.isEmpty {
                faults.append(
                    YAMLError(file: pattern, line: 0, column: 0, field: "", message: "no such plan file"))
            }
            for path in paths {
                do throws(ConfigurationError) {
                    plans.append(.init(path: path, plan: try LoadedConfiguration.loadPlan(path)))
                } catch {
                    faults += error.errors
                }
            }
        }
        let names = faults.isEmpty ? NameCheck(rules, plans, receivers: nil) : nil
        faults += names?.faults ?? []
        for fault in faults { Console.print("FAILED: \(fault)") }
        guard faults.isEmpty, let report = names?.report else { return faults.count }
        for warning in report.warnings { Console.error("warning: \(warning)") }
        for line in report.lines { Console.print(line) }
        return 0
    }

    /// Lint remarks on rollback rules, a line each.
    private static func lint(_ file: RuleFile) -> [String] {
        file.groups.flatMap { group in
            group.rules.flatMap { rule -> [String] in
                guard case .rollback(let query) = rule else { return [] }
                return query.definition.lint.map { "LINT: \(group.name): \(query.definition.name): \($0)" }
            }
        }
    }
}
