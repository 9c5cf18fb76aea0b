internal import Exposition
internal import Notification
internal import Rollback
internal import RuleEngine
internal import RuleModel
internal import Scraper
internal import WebConfiguration
internal import YAML

/// `tribune check …`: says what is wrong with files before a server has to.
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

    /// An Alertmanager configuration alone.
    private static func checkAlertmanager(_ path: String) -> Int32 {
        do throws(YAMLError) {
            let configuration = try NotificationConfiguration.load(path)
            Console.print(
                "SUCCESS: \(path) is a valid Alertmanager configuration: \(configuration.receivers.count) receivers")
            return 0
        } catch {
            Console.print("FAILED: \(error)")
            return CommandFailure.Code.failed.rawValue
        }
    }

    /// The configuration of a service, with every file it names.
    private static func checkService(_ path: String) -> Int32 {
        do throws(ConfigurationError) {
            let configuration = try LoadedConfiguration.load(path)
            for warning in configuration.prometheus.warnings { Console.error("warning: \(warning)") }
            for warning in configuration.notification.warnings { Console.error("warning: \(warning)") }
            let rules = configuration.groups.reduce(0) { $0 + $1.rules.count }
            Console.print(
                "SUCCESS: \(path) is valid: \(configuration.prometheus.pools.count) scrape jobs, \(rules) rules, "
                    + "\(configuration.notification.receivers.count) receivers, \(configuration.plans.count) plans")
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
        options: [.flag("lint-fatal", "Exit with code 3 if there are lint remarks about rollback rules.")],
        details: """
            Accepts Prometheus rule files and rollback rules. All errors are reported, not only the first.

            Lint remarks name what a rollback rule leaves undefined: a policy for missing data, min_samples for a ratio, clear for a
            threshold, cooldown.
            """
    ) { (invocation) throws(CommandFailure) in
        var (faulty, remarks) = (0, 0)
        for path in invocation.operands {
            Console.print("Checking \(path)")
            do throws(RuleFileError) {
                let file = try RuleFile.load(path)
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
        if faulty > 0 { return CommandFailure.Code.failed.rawValue }
        return remarks > 0 && invocation.flag("lint-fatal") ? CommandFailure.Code.lint.rawValue : 0
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
