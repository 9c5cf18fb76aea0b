internal import PromQL
internal import Rollback
internal import RuleEngine
internal import RuleModel
internal import Runtime

/// `tribune test …`: runs tests of queries and rules.
enum TestCommands {
    static let promql = Command(
        "test promql", "Run PromQL test scripts.", operands: "FILE...", count: 1...10_000,
        details: "The scripts are those of Prometheus's own engine tests: load, eval instant, eval range."
    ) { (invocation) throws(CommandFailure) in
        var passed = 0
        var total = 0
        var isSuccess = true
        for path in invocation.operands {
            let report = PromQLScript(try text(of: path), name: path).run()
            passed += report.passed
            total += report.total
            isSuccess = isSuccess && report.isSuccess
            Console.print("\(path): \(report.passed)/\(report.total)")
            for failure in report.failures { Console.print("  \(failure)") }
        }
        if invocation.operands.count > 1 { Console.print("total: \(passed)/\(total)") }
        return isSuccess ? 0 : CommandFailure.Code.failed.rawValue
    }

    static let rules = Command(
        "test rules", "Run unit tests of rules.", operands: "FILE...", count: 1...10_000,
        options: [
            .value("run", "REGEX", "Run only test groups whose names match. Can be repeated."),
            .flag("ignore-unknown-fields", "Ignore unknown fields."), .enabledFeatures,
        ],
        details: """
            The files are those of 'promtool test rules'. The rules run in the same code as in the service.

            Rollback rules are tested by 'rollback_rule_test', beside 'alert_rule_test': at eval_time exactly the elements of exp_trips
            must be tripped, since the time exp_tripped_at if it is given.

              rollback_rule_test:
              - eval_time: 2m
                rollback: ComplianceLow
                exp_trips:
                - exp_labels: {service: ac}
                  exp_tripped_at: 90s
            """
    ) { (invocation) throws(CommandFailure) in
        let features = try invocation.features()
        let options = RuleUnitTest.Options(
            run: invocation.values("run"), ignoresUnknownFields: invocation.flag("ignore-unknown-fields"),
            features: features.parser, judge: { RollbackRules() })
        var isSuccess = true
        for path in invocation.operands {
            let report = RuleUnitTest.run(path: path, options: options)
            Console.print(report.description)
            isSuccess = isSuccess && report.isSuccess
        }
        return isSuccess ? 0 : CommandFailure.Code.failed.rawValue
    }

    /// The rollback rules of one test group.
    private final class RollbackRules: RollbackJudge {
        private var rules: [String: RollbackRule] = [:]

        func measured(_ measurement: RollbackMeasurement) {
            _ = rules[measurement.rule, default: RollbackRule(measurement.definition)].measured(measurement)
        }

        func trips(of rule: String) -> [ActiveTrip] {
            rules.values.filter { $0.definition.name == rule }.flatMap { rule in
                rule.tracks.compactMap { labels, track in
                    guard case .tripped(let at, _) = track.state else { return nil }
                    return ActiveTrip(labels: labels, trippedAt: at)
                }
            }
        }
    }

    private static func text(of path: String) throws(CommandFailure) -> String {
        do throws(FileText.ReadError) {
            return String(decoding: try FileText.bytes(path), as: UTF8.self)
        } catch {
            throw CommandFailure(error.description)
        }
    }
}
