import Foundation
import JSON
import MetricModel
import RuleModel
import Runtime
import TestSupport
import Testing

@testable import RuleEngine

@Suite struct RuleUnitTestTests {
    private struct Fixture: CustomTestStringConvertible {
        var directory: String
        var file: String
        var arguments: [String]
        var succeeds: Bool

        var testDescription: String { "\(directory)/\(file) \(arguments.joined(separator: " "))" }

        static let all: [Fixture] = {
            guard let root = Conformance.directory.map({ $0 + "/promtool_unittest/" }),
                let text = FileText.read(root + "cases.json"),
                let cases = try? JSON(parsing: text)["cases"]?.elements
            else { return [] }
            return cases.map { entry in
                Fixture(
                    directory: root + (entry["dir"]?.text ?? ""), file: entry["file"]?.text ?? "",
                    arguments: entry["args"]?.elements?.compactMap(\.text) ?? [],
                    succeeds: entry["expected_exit"]?.integer == 0)
            }
        }()
    }

    @Test(.enabled(if: Conformance.isAvailable), arguments: Fixture.all)
    private func agreesWithPromtool(fixture: Fixture) {
        var options = RuleUnitTest.Options()
        options.ignoresUnknownFields = fixture.arguments.contains("--ignore-unknown-fields")
        if let index = fixture.arguments.firstIndex(of: "--run") { options.run = [fixture.arguments[index + 1]] }
        let report = RuleUnitTest.run(path: "\(fixture.directory)/\(fixture.file)", options: options)
        #expect(report.isSuccess == fixture.succeeds, "\(report)")
    }

    @Test(.enabled(if: Conformance.isAvailable)) func everyFixtureIsRun() {
        #expect(Fixture.all.count == 20)
    }

    // MARK: Reports

    /// Runs `tests` against `rules`, both as files.
    private func report(_ tests: String, rules: String = "groups: []") throws -> RuleUnitTestReport {
        let directory = NSTemporaryDirectory() + "rule-tests-\(UUID())"
        try #require(Paths.makeDirectory(directory))
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try #require(FileText.write(rules, to: directory + "/rules.yml"))
        try #require(FileText.write("rule_files: [rules.yml]\n" + tests, to: directory + "/test.yml"))
        return RuleUnitTest.run(path: directory + "/test.yml")
    }

    private static let rules = """
        groups:
        - name: g
          rules:
          - alert: Down
            expr: up == 0
            for: 2m
            labels: {severity: page}
            annotations: {summary: "{{ $labels.job }} is down", value: "{{ $value }}"}
        """

    @Test func differencesOfAlertsAreShownLineByLine() throws {
        let report = try report(
            """
            tests:
            - name: two jobs
              input_series:
              - {series: 'up{job="a"}', values: 0x5}
              - {series: 'up{job="b"}', values: 0x5}
              alert_rule_test:
              - eval_time: 2m30s
                alertname: Down
                exp_alerts:
                - exp_labels: {job: a, severity: page}
                  exp_annotations: {summary: a is up, value: 0}
                - exp_labels: {job: c, severity: page}
            """, rules: Self.rules)
        #expect(report.groupCount == 1)
        #expect(
            report.failures == [
                .init(
                    group: "name: two jobs",
                    text: """
                        alertname: Down, time: 2m30s
                              {alertname="Down", job="a", severity="page"}
                            -     summary: "a is up"
                                  value: "0"
                            +     summary: "a is down"
                            - {alertname="Down", job="c", severity="page"}
                            + {alertname="Down", job="b", severity="page"}
                            +     summary: "b is down"
                            +     value: "0"
                        """)
            ])
    }

    @Test func differencesOfExpressionsAreShown() throws {
        let report = try report(
            """
            tests:
            - input_series: [{series: 'x{a="1"}', values: 1+1x5}, {series: 'x{a="2"}', values: 7x5}]
              promql_expr_test:
              - {expr: x, eval_time: 2m, exp_samples: [{labels: 'x{a="1"}', value: 4}, {labels: 'x{a="2"}', value: 7}]}
            """)
        #expect(
            report.failures == [
                .init(
                    group: "group 0",
                    text: """
                        expr: "x", time: 2m
                            - x{a="1"} 4
                            + x{a="1"} 3
                        """)
            ])
    }

    @Test func alertsAreCheckedAtTheEvaluationBeforeTheirTime() throws {
        let test = """
            tests:
            - input_series: [{series: 'up{job="a"}', values: 0x9}]
              alert_rule_test:
              - {eval_time: 1m59s, alertname: Down, exp_alerts: []}
              - eval_time: 2m
                alertname: Down
                exp_alerts:
                - {exp_labels: {job: a, severity: page}, exp_annotations: {summary: a is down, value: 0}}
            """
        let report = try report(test, rules: Self.rules)
        #expect(report.failures == [])
    }

    @Test func rulesDoNotSeeTheFuture() throws {
        let report = try report(
            """
            tests:
            - input_series: [{series: x, values: 1+1x5}]
              promql_expr_test:
              - {expr: ahead, eval_time: 1m, exp_samples: [{labels: ahead, value: 2}]}
            """, rules: "groups: [{name: g, rules: [{record: ahead, expr: x offset -1m}]}]")
        #expect(report.failures == [])
    }

    @Test func expressionsSeeNothingBehindTheLastEvaluation() throws {
        let report = try report(
            """
            evaluation_interval: 1m
            tests:
            - interval: 20s
              input_series: [{series: steps, values: 0+1x30}]
              promql_expr_test:
              - {expr: steps, eval_time: 100s, exp_samples: [{labels: steps, value: 3}]}
              - {expr: steps offset -10m, eval_time: 20s, exp_samples: []}
              - {expr: steps offset -40s, eval_time: 20s, exp_samples: [{labels: steps, value: 3}]}
            """)
        #expect(report.isSuccess, "\(report)")
    }

    @Test func faultsOfTheFileAreAllTold() throws {
        let report = try report(
            """
            tests:
            - input_series: [{series: 'x{', values: 1}]
              promql_expr_test: [{expr: 'x +', eval_time: 1x}]
              unknown: 1
            """)
        #expect(report.failures.count == 4)
        #expect(report.failures.map(\.group) == ["", "", "", ""])
    }

    @Test func aMissingRuleFileIsTold() {
        #expect(!RuleUnitTest.run(path: "/nowhere/test.yml").isSuccess)
    }
}
