import Glibc
import MetricModel
import PromQL
import RuleModel
import Runtime
import TestSupport
import Testing

@testable import RuleEngine

@Suite struct RuleExportTests {
    private func exported(_ rule: String, group: String = "") throws -> String {
        let groups = try RuleFixture.groups(
            """
            groups:
            - name: g
              interval: 20s
            \(group)  rules:
              - rollback: R
                action: {plan: p}
            \(rule.split(separator: "\n").map { "    \($0)" }.joined(separator: "\n"))
            """)
        return RuleExport.prometheusRules(for: groups)
    }

    private func alert(_ text: String) throws -> AlertingRule {
        guard case .alerting(let rule) = try #require(RuleFixture.group(text).rules.first) else { throw WrongKind() }
        return rule
    }

    private struct WrongKind: Error {}

    @Test func theAlertFiresAtTheEvaluationThatTrips() throws {
        let rule = try alert(try exported("expr: a or b\ntrip: '> 2'\nconsecutive: 4"))
        #expect(rule.expression.description == "(a or b) > 2")
        #expect(rule.hold == .minutes(1))
    }

    @Test func amountsAreAddedUpOverTheCommonLabels() throws {
        let text = try exported(
            """
            expr: avg by (service, zone) (a)
            trip: '< 1'
            min_samples: {expr: 'sum by (path, service) (b)', value: 100}
            guard: 'min by (service) (c)'
            """)
        #expect(
            try alert(text).expression.description
                == "(avg by (service, zone) (a)) < 1 and on (service) (sum by (service) (sum by (path, service) (b)) >= 100)"
                + " and on (service) (abs(min by (service) (c)) > 0)")
        #expect(!text.contains("# Not"))
    }

    @Test func whatIsNotExactIsLeftOutAndToldInAComment() throws {
        let text = try exported(
            """
            expr: a
            trip: '!= 1'
            immediate: true
            clear: {trip: '== 1', for: 5m}
            missing: {policy: freeze}
            min_samples: {expr: b, value: 100}
            """)
        #expect(try alert(text).expression.description == "(a) != 1")
        for loss in ["each scrape", "missing: freeze", "clear: == 1 for 5m", "NaN", "min_samples b"] {
            #expect(text.contains("  # Not expressible: ") && text.contains(loss))
        }
    }

    @Test(
        arguments: [
            "topk by (service) (1, a)", "sum by (service) (a) / on (service) sum by (service) (b)",
            "sum by (service) (a) or sum by (zone) (b)", "label_replace(sum by (service) (a), 'x', '', '', '')", "a",
            "rate(a[1m])", "sum without (pod) (a)",
        ])
    func labelsThatAreNotKnownForSureMakeNoCondition(expression: String) throws {
        let text = try exported("expr: \"\(expression)\"\ntrip: '> 1'\nguard: sum by (service) (c)")
        #expect(text.contains("# Not expressible: guard sum by (service) (c): the labels of both sides are not known."))
        #expect(!text.contains(" > 0"))
    }

    @Test func scalarsBecomeVectors() throws {
        let text = try exported("expr: scalar(a)\ntrip: '> 1'\nguard: scalar(b)")
        #expect(
            try alert(text).expression.description == "(vector(scalar(a))) > 1 and on () (abs(vector(scalar(b))) > 0)"
        )
    }

    @Test func groupsOfTheSameNameInSeveralFilesStayApart() throws {
        let text = "groups: [{name: g, rules: [{rollback: R, expr: a, trip: '> 1', action: {plan: p}}]}]"
        let groups = try ["a.yml", "b.yml"].flatMap { try RuleFile(parsing: Array(text.utf8), path: $0).groups }
        #expect(try RuleFixture.groups(RuleExport.prometheusRules(for: groups)).map(\.name) == ["g", "g (b.yml)"])
    }

    @Test func withoutRollbackRulesThereAreNoGroups() throws {
        #expect(RuleExport.prometheusRules(for: []) == "groups: []\n")
    }

    @Test(.enabled(if: access("/usr/bin/promtool", X_OK) == 0, "promtool is not installed"))
    func promtoolAcceptsEveryKind() throws {
        let directory = TemporaryDirectory()
        for rule in [
            "expr: a # why\ntrip: '!= 1'\nclear: {trip: '== 1', for: 5m}\nconsecutive: 3\nmin_samples: {expr: b, value: 1}",
            "expr: sum(a)\ntrip: '> 1'\nmin_samples: {expr: '5', value: 1}\nguard: sum(c)\nannotations: {a: 'x {{ $value }}'}",
        ] {
            let path = directory.write(try exported(rule), to: "rules.yml")
            let process = try ChildProcess(
                ["/usr/bin/promtool", "check", "rules", path], output: .file(directory.file("log")))
            #expect(process.wait() == .code(0), "\(FileText.read(directory.file("log")) ?? "")")
        }
    }
}
