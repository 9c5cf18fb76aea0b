internal import MetricModel
internal import RuleEngine
internal import YAML

/// `tribune export-rules`: rollback rules for servers that run only Prometheus.
enum ExportRulesCommand {
    static let command = Command(
        "export-rules", "Print rollback rules as plain Prometheus alerts.", operands: "FILE...", count: 1...10_000,
        options: [
            .value("evaluation.interval", "DURATION", "The interval of groups without one.", default: "1m")
        ],
        details: """
            The alert fires at the evaluation at which the rule would trip. A comment above the alert names what Prometheus cannot
            express, such as evaluation at each scrape or a policy for missing data.

            Example: tribune export-rules rules/rollback.yml > alerts.yml && promtool check rules alerts.yml
            """
    ) { (invocation) throws(CommandFailure) in
        let interval = try invocation.duration("evaluation.interval")
        var groups: [RuleGroup] = []
        var faults: [String] = []
        for path in invocation.operands {
            do throws(RuleFileError) {
                groups += try RuleFile.load(path).groups
            } catch {
                faults += error.faults.map(\.description)
            }
        }
        guard faults.isEmpty else { throw CommandFailure(faults.joined(separator: "\n")) }
        // The text already ends with a line break.
        Console.print(String(RuleExport.prometheusRules(for: groups, interval: interval).dropLast()))
        return 0
    }
}
