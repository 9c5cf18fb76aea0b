import Foundation
import JSON
import MetricModel
import RuleModel
import TestSupport
import Testing
import YAML

@testable import RuleEngine

@Suite struct RuleFileTests {
    private func load(_ text: String) throws -> RuleFile {
        try RuleFile(parsing: Array(text.utf8), path: "r.yml")
    }

    /// The faults of a file that must be refused, as texts.
    private func faults(_ text: String) -> [String] {
        do throws(RuleFileError) {
            _ = try RuleFile(parsing: Array(text.utf8), path: "r.yml")
            return []
        } catch {
            return error.faults.map(\.description)
        }
    }

    @Test func readsEveryFieldOfPrometheusRules() throws {
        let file = try load(
            """
            groups:
            - name: g
              interval: 30s
              limit: 5
              query_offset: 1m
              labels: {team: a, tier: x}
              rules:
              - record: job:up:sum
                expr: sum by (job) (up)
                labels: {tier: y, drop: ""}
              - alert: Down
                expr: up == 0
                for: 5m
                keep_firing_for: 10m
                labels: {severity: "{{ $value }}"}
                annotations: {summary: "{{ $labels.job }} down", count: 3}
            """)
        let group = file.groups[0]
        #expect(group.interval == .seconds(30))
        #expect(group.limit == 5)
        #expect(group.queryOffset == .minutes(1))
        #expect(group.trigger == nil)
        #expect(group.key == "r.yml;g")
        guard case .recording(let recording) = group.rules[0], case .alerting(let alerting) = group.rules[1] else {
            Issue.record("wrong kinds of rules")
            return
        }
        #expect(recording.name == "job:up:sum")
        #expect(recording.labels == [Label("drop", ""), Label("team", "a"), Label("tier", "y")])
        #expect(alerting.hold == .minutes(5))
        #expect(alerting.keepFiring == .minutes(10))
        #expect(alerting.labelSources == ["severity": "{{ $value }}", "team": "a", "tier": "x"])
        #expect(alerting.annotationSources == ["summary": "{{ $labels.job }} down", "count": "3"])
    }

    @Test func readsOurOwnTrigger() throws {
        #expect(try load("groups: [{name: g, trigger: scrape, rules: []}]").groups[0].trigger == .scrape)
        #expect(
            faults("groups: [{name: g, trigger: often}]") == [
                "r.yml:1:29: groups[0].trigger: expected one of interval, scrape, got \"often\""
            ])
    }

    @Test func collectsAllFaultsWithTheirPlaces() {
        let found = faults(
            """
            groups:
            - name: g
              interval: 5x
              concurrency: 2
              rules:
              - alert: A
                expr: up{ > 0
                annotations: {summary: "{{ nope }}"}
              - alert: B
                record: c
                expr: up
              - expr: up
              - record: d
                expr: up
                for: 5m
                annotations: {x: y}
              - record: e{}
                expr: ""
                labels: {__name__: z}
            - name: g
              rules: []
            """)
        #expect(
            found == [
                #"r.yml:3:13: groups[0].interval: unknown unit "x" in duration "5x""#,
                "r.yml:7:11: groups[0].rules[0].expr: could not parse expression: 1:5: parse error: "
                    + "unexpected character inside braces: '>'",
                #"r.yml:8:28: groups[0].rules[0].annotations.summary: annotation "summary": template: "#
                    + #"__alert_A:1: function "nope" not defined"#,
                "r.yml:9:5: groups[0].rules[1]: only one of 'record', 'alert' and 'rollback' must be set",
                "r.yml:12:5: groups[0].rules[2]: one of 'record' or 'alert' must be set",
                "r.yml:15:10: groups[0].rules[3].for: invalid field 'for' in recording rule",
                "r.yml:16:18: groups[0].rules[3].annotations: invalid field 'annotations' in recording rule",
                "r.yml:18:11: groups[0].rules[4].expr: field 'expr' must be set in rule",
                "r.yml:17:13: groups[0].rules[4].record: "
                    + "braces present in the recording rule name; should it be in expr?: e{}",
                "r.yml:19:14: groups[0].rules[4].labels.__name__: invalid label name: __name__",
                #"r.yml:4:3: groups[0].concurrency: unknown field "concurrency""#,
                #"r.yml:20:9: groups[1].name: groupname: "g" is repeated in the same file"#,
            ])
    }

    @Test func passesOverUnknownFieldsWhenAsked() throws {
        let bytes = Array("groups: [{name: g, namespace: n, rules: [{record: a, expr: '1', owner: me}]}]".utf8)
        #expect(throws: RuleFileError.self) { try RuleFile(parsing: bytes, path: "r.yml") }
        let file = try RuleFile(parsing: bytes, path: "r.yml", options: .init(ignoresUnknownFields: true))
        #expect(file.groups[0].rules.count == 1)
    }

    @Test func readsEveryDocumentOfAFile() throws {
        #expect(
            try load("\n---\ngroups: [{name: a}]\n---\ngroups: [{name: b}]\n---\n").groups.map(\.name) == ["a", "b"])
    }

    @Test func emptyFilesHaveNoGroups() throws {
        #expect(try load("").groups.isEmpty)
        #expect(try load("groups:\n").groups.isEmpty)
    }

    // MARK: The corpus

    @Test(.enabled(if: Conformance.isAvailable))
    func agreesWithPromtoolOnTheCorpus() throws {
        let directory = try #require(Conformance.directory) + "/rules/"
        let index = try JSON(parsing: Array(Data(contentsOf: URL(fileURLWithPath: directory + "index.json"))))
        guard case .object(let files)? = index["files"] else {
            Issue.record("index.json has another shape")
            return
        }
        var refused = 0
        for entry in files {
            let bytes = try Array(Data(contentsOf: URL(fileURLWithPath: directory + entry.name)))
            let loads = entry.value["promtool_2_42"]?.text == "ok"
            do throws(RuleFileError) {
                let file = try RuleFile(parsing: bytes, path: entry.name)
                #expect(loads, "\(entry.name) must be refused: \(entry.value["promtool_2_42"]?.text ?? "")")
                let rules = file.groups.flatMap(\.rules)
                #expect(
                    Int64(rules.count) == (entry.value["alerts"]?.integer ?? 0)
                        + (entry.value["records"]?.integer ?? 0),
                    "\(entry.name)")
            } catch {
                refused += 1
                #expect(!loads, "\(entry.name) must load: \(error)")
            }
        }
        #expect(files.count == 92)
        #expect(refused == 15)
    }
}
