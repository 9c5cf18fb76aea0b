import JSON
import MetricModel
import PromQL
import RuleModel
import Runtime
import TestSupport
import Testing

@testable import RuleEngine

/// The rules of the corpus, evaluated.
@Suite struct RuleCorpusTests {
    private final class Discarding: RuleSink {
        func store(_ samples: [RuleSample], at time: Timestamp) {}
        func send(_ alerts: [Alert]) {}
        func measured(_ measurement: RollbackMeasurement) {}
        func tripped(_ rule: String) -> [ActiveAlertSnapshot] { [] }
    }

    /// The files that promtool accepts, but for one with a rule that fails by design.
    private static let paths: [String] = {
        guard let root = Conformance.directory.map({ $0 + "/rules/" }), let text = FileText.read(root + "index.json"),
            let files = try? JSON(parsing: text)["files"]?.members
        else { return [] }
        return files.filter { $0.value["promtool_2_42"]?.text == "ok" && !$0.name.contains("indeterminates") }
            .map { root + $0.name }
    }()

    @Test(.enabled(if: Conformance.isAvailable), arguments: paths)
    func everyRuleIsEvaluatedWithoutAnError(path: String) throws {
        let file = try RuleFile(parsing: try FileText.bytes(path), path: path)
        let source = MemorySource()
        for (index, job) in ["prometheus", "node", "kubelet"].enumerated() {
            let labels: Labels = ["__name__": "up", "job": job, "instance": "host:\(index)"]
            source.append(.init(time: Timestamp(milliseconds: 990_000), value: Double(index % 2)), to: labels)
        }
        for group in file.groups {
            let evaluation = GroupEvaluation(
                group, engine: QueryEngine(), settings: RuleSettings(), restoring: false)
            evaluation.evaluate(at: Timestamp(milliseconds: 1_000_000), from: source, into: Discarding())
            for (rule, state) in zip(group.rules, evaluation.states) where state.health != .ok {
                Issue.record("\(group.name), \(rule.name): \(state.lastError)")
            }
        }
    }
}
