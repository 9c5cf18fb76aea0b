import JSON
import MetricModel
import RuleEngine
import RuleModel
import Testing
import WebFixture

@testable import PrometheusAPI

@Suite struct RulesAPITests {
    private static let alert = ActiveAlertSnapshot(
        labels: ["alertname": "Slow", "severity": "page"], annotations: ["summary": "slow"], state: .firing,
        activeAt: Timestamp(milliseconds: 1_600_000_000_123), keepFiringSince: nil, value: 1)

    private static func rule(_ name: String, _ kind: RuleSnapshot.Kind, labels: Labels = .empty) -> RuleSnapshot {
        RuleSnapshot(
            name: name, query: "up == 0", labels: labels, kind: kind, health: .ok, lastError: "",
            evaluationSeconds: 0.25, lastEvaluation: Timestamp(milliseconds: 1_600_000_000_000))
    }

    private static func group(_ name: String, file: String, _ rules: [RuleSnapshot]) -> RuleGroupSnapshot {
        RuleGroupSnapshot(
            name: name, file: file, interval: .seconds(60), limit: 0, rules: rules, evaluationSeconds: 0.5,
            lastEvaluation: nil)
    }

    private static let groups = [
        group("z", file: "b.yml", [rule("job:up", .recording, labels: ["team": "x"])]),
        group(
            "y", file: "b.yml",
            [
                rule(
                    "Slow",
                    .alerting(
                        hold: .minutes(5), keepFiring: .zero, annotations: ["summary": "{{ $value }}"], alerts: [alert]),
                    labels: ["severity": "page"]),
                rule("job:up", .recording),
            ]),
        group(
            "a", file: "c.yml",
            [
                rule(
                    "Low",
                    .rollback(
                        trip: "< 0.95", severity: "critical", mode: "enforce", streak: 2,
                        annotations: ["summary": "{{ $value }}"], alerts: []))
            ]
        ),
    ]

    private func fixture() throws -> WebFixture {
        try WebFixture(sources: { $0.ruleGroups = { Self.groups } })
    }

    /// The names of the groups and rules in a response: `y(Slow,job:up)`.
    private func outline(_ data: JSON) -> String {
        (data["groups"]?.elements ?? []).map { group in
            let rules = (group["rules"]?.elements ?? []).compactMap { $0["name"]?.text }
            return "\(group["name"]?.text ?? "")(\(rules.joined(separator: ",")))"
        }.joined(separator: " ")
    }

    @Test func groupsAreSortedByFileThenName() throws {
        let fixture = try fixture()
        #expect(outline(try fixture.data("/api/v1/rules")) == "y(Slow,job:up) z(job:up) a(Low)")
    }

    @Test(arguments: [
        ("type=alert", "y(Slow) a(Low)"), ("type=record", "y(job:up) z(job:up)"), ("rule_name[]=Slow", "y(Slow)"),
        ("rule_group[]=z&rule_group[]=a", "z(job:up) a(Low)"), ("file[]=c.yml", "a(Low)"),
        ("match[]={team=%22x%22}", "z(job:up)"),
        ("match[]={severity=~%22p.*%22}&match[]={team=%22x%22}", "y(Slow) z(job:up)"),
        ("type=ALERT&rule_name[]=job:up", ""),
    ])
    func filtersLeaveWhatIsAskedFor(parameters: String, expected: String) throws {
        let fixture = try fixture()
        #expect(outline(try fixture.data("/api/v1/rules?\(parameters)")) == expected)
    }

    @Test func pagesFollowTheirTokens() throws {
        let fixture = try fixture()
        let first = try fixture.data("/api/v1/rules?group_limit=2")
        #expect(outline(first) == "y(Slow,job:up) z(job:up)")
        // The output of `printf 'c.yml;a' | sha256sum`.
        let next = "f2bb90e13826f5a2b731a889a8232550110c386ec8f2397163c8f07729873be7"
        #expect(first["groupNextToken"]?.text == next)
        let second = try fixture.data("/api/v1/rules?group_limit=2&group_next_token=\(next)")
        #expect(outline(second) == "a(Low)")
        #expect(second["groupNextToken"] == nil)
    }

    @Test(arguments: [
        ("type=x", #"invalid parameter "type": not supported value "x""#),
        (
            "group_next_token=a",
            #"invalid parameter "group_next_token": group_limit needs to be present in order to paginate over the groups"#
        ),
        ("group_limit=0", #"invalid parameter "group_limit": group_limit needs to be greater than 0"#),
        (
            "group_limit=1&group_next_token=a",
            #"invalid parameter "group_next_token": invalid group_next_token 'a'. were rule groups changed?"#
        ),
    ])
    func wrongParametersAreNamed(parameters: String, message: String) throws {
        let fixture = try fixture()
        #expect(try fixture.error("/api/v1/rules?\(parameters)") == "400 bad_data: \(message)")
    }

    @Test func alertingRuleHasPrometheusShape() throws {
        let fixture = try fixture()
        let groups = try fixture.data("/api/v1/rules?rule_name[]=Slow")["groups"]?.elements ?? []
        #expect(
            groups.first?.encoded
                == #"{"name":"y","file":"b.yml","rules":[{"state":"firing","name":"Slow","query":"up == 0","#
                + #""duration":300,"keepFiringFor":0,"labels":{"severity":"page"},"annotations":{"summary":"{{ $value }}"},"#
                + #""alerts":[{"labels":{"alertname":"Slow","severity":"page"},"annotations":{"summary":"slow"},"#
                + #""state":"firing","activeAt":"2020-09-13T12:26:40.123Z","value":"1e+00"}],"health":"ok","#
                + #""evaluationTime":0.25,"lastEvaluation":"2020-09-13T12:26:40Z","type":"alerting"}],"#
                + #""interval":60,"limit":0,"evaluationTime":0.5,"lastEvaluation":"0001-01-01T00:00:00Z"}"#)
    }

    @Test func alertsAreNullWhenExcluded() throws {
        let fixture = try fixture()
        let groups = try fixture.data("/api/v1/rules?rule_name[]=Slow&exclude_alerts=true")["groups"]
        #expect(groups?.elements?.first?["rules"]?.elements?.first?["alerts"] == .null)
    }

    @Test func recordingRuleHasPrometheusShape() throws {
        let fixture = try fixture()
        let groups = try fixture.data("/api/v1/rules?rule_group[]=z")["groups"]?.elements
        #expect(
            groups?.first?["rules"]?.encoded
                == #"[{"name":"job:up","query":"up == 0","labels":{"team":"x"},"health":"ok","evaluationTime":0.25,"#
                + #""lastEvaluation":"2020-09-13T12:26:40Z","type":"recording"}]"#)
    }

    @Test func rollbackRuleLooksLikeAnAlertThatIsPending() throws {
        let fixture = try fixture()
        let rule = try fixture.data("/api/v1/rules?rule_name[]=Low")["groups"]?.elements?.first?["rules"]?.elements?
            .first
        #expect(rule?["type"] == "alerting")
        #expect(rule?["state"] == "pending")
        #expect(
            rule?["rollback"]?.encoded
                == #"{"trip":"< 0.95","severity":"critical","mode":"enforce","streak":2,"tripped":false}"#)
    }

    @Test func alertsAreThoseOfEveryRule() throws {
        let fixture = try fixture()
        let alerts = try fixture.data("/api/v1/alerts")["alerts"]?.elements
        #expect(alerts?.count == 1)
        #expect(alerts?.first?["value"] == "1e+00")
    }
}
