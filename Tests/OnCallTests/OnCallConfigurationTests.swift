import JSON
import MetricModel
import TestSupport
import Testing
import YAML

@testable import OnCall

@Suite struct OnCallConfigurationTests {
    private let directory = TemporaryDirectory()

    private static let head = """
        people: [{name: a, contacts: [{receiver: r}]}]
        policies: [{name: p, steps: [{notify: [{person: a}]}]}, {name: q, steps: [{notify: [{person: a}]}]}]

        """

    private func read(_ text: String) throws -> OnCallConfiguration {
        directory.write("0123456789abcdef\n", to: "one.key")
        directory.write("fedcba9876543210\n", to: "two.key")
        directory.write("short\n", to: "short.key")
        directory.write("0123456789abcdef/\n", to: "odd.key")
        return try OnCallConfiguration.load(directory.write(Self.head + text, to: "oncall.yml"))
    }

    @Test func `sources, keys, links and heartbeats are read`() throws {
        let configuration = try read(
            """
            receivers: [{name: pages, policy: p, by_severity: {CRITICAL: q}}]
            integrations:
            - {name: pd, kind: pagerduty, key_file: one.key, policy: q}
            heartbeats: [{name: backup, key_file: two.key, every: 1d, grace: 1h, policy: p, severity: high}]
            links: {valid_for: 2h, key_file: links.key}
            """)
        #expect(configuration.receivers == ["pages": PolicyChoice(policy: "p", bySeverity: ["critical": "q"])])
        #expect(configuration.receivers["pages"]?.policy(of: "Critical") == "q")
        #expect(configuration.receivers["pages"]?.policy(of: "low") == "p")
        #expect(
            configuration.integrations == [
                InboundIntegration(
                    name: "pd", kind: .pagerduty, key: .init("0123456789abcdef"), choice: PolicyChoice(policy: "q"))
            ])
        #expect(
            configuration.roster.heartbeats["backup"]
                == Roster.Heartbeat(
                    name: "backup", key: .init("fedcba9876543210"), timeout: .hours(25), severity: "high", policy: "p"))
        #expect(configuration.linkLifetime == .hours(2))
        #expect(configuration.linkKeyFile == directory.file("links.key"))
        #expect(!"\(configuration)".contains("0123456789"))
    }

    @Test(arguments: [
        ("receivers: [{name: r, policy: x}]", "receivers[0].policy: there is no policy \"x\""),
        ("receivers: [{name: r, policy: p}, {name: r, policy: p}]", "receivers[1].name: the name \"r\" is not unique"),
        ("receivers: [{name: r, policy: p, by_severity: {high: x}}]", "by_severity.high: there is no policy \"x\""),
        ("integrations: [{name: i, kind: fax, key_file: one.key, policy: p}]", "integrations[0].kind: expected one of"),
        (
            "integrations: [{name: i, kind: grafana, key_file: no.key, policy: p}]",
            "integrations[0].key_file: cannot read"
        ),
        ("integrations: [{name: i, kind: grafana, key_file: short.key, policy: p}]", "at least 16 letters"),
        ("integrations: [{name: i, kind: grafana, key_file: odd.key, policy: p}]", "at least 16 letters"),
        ("integrations: [{name: i, kind: json, key_file: one.key, policy: p}]", "kind json needs a mapping"),
        (
            "integrations: [{name: i, kind: grafana, key_file: one.key, policy: p, mapping: {key: /a, title: /b}}]",
            "only kind json has a mapping"
        ),
        (
            "integrations: [{name: i, kind: json, key_file: one.key, policy: p, mapping: {key: a, title: /b}}]",
            "integrations[0].mapping.key: expected a JSON pointer"
        ),
        (
            "integrations: [{name: i, kind: json, key_file: one.key, policy: p, "
                + "mapping: {key: /a, title: /b, resolved: /c}}]", "resolved_values: at least one value is required"
        ),
        (
            "integrations: [{name: i, kind: grafana, key_file: one.key, policy: p}, "
                + "{name: j, kind: grafana, key_file: one.key, policy: p}]",
            "integrations[1].key_file: another integration"
        ),
        ("heartbeats: [{name: h, key_file: one.key, policy: p}]", "heartbeats[0].every: expected a duration"),
        (
            "heartbeats: [{name: h, key_file: one.key, every: 1h, policy: x}]",
            "heartbeats[0].policy: there is no policy"
        ),
        ("digests: [{name: d, receiver: r, day: monday}]", "digests[0].at: a digest on one day of the week needs"),
        ("digests: [{name: d, receiver: r, at: \"24:30\"}]", "digests[0].at: expected a time of day"),
        (
            "digests: [{name: d, receiver: r, at: \"09:00\", day: someday}]",
            "digests[0].day: expected a day such as monday"
        ),
        ("links: {valid_for: 1s}", "links.valid_for: must be 1m to 31d"),
        ("receiver: []", "receiver: unknown field"),
    ]) func `faults name the field`(text: String, message: String) {
        do {
            _ = try read(text)
            Issue.record("accepted: \(text)")
        } catch {
            #expect("\(error)".contains(message), "\(error)")
        }
    }

    @Test(
        arguments: [
            ("/a/b", "1"), ("/a/c/1", "y"), ("/m~1n", "slash"), ("/m~0n", "tilde"), ("/a", nil), ("/a/x", nil),
            ("/a/c/7", nil), ("/a/c/x", nil), ("/t", "true"), ("/n", nil), ("/f", "1.5"), ("/", "empty"),
        ] as [(String, String?)]) func `pointers find what RFC 6901 says`(pointer: String, found: String?) throws
    {
        let json = try JSON(
            parsing: """
                {"a":{"b":1,"c":["x","y"]},"m/n":"slash","m~n":"tilde","t":true,"n":null,"f":1.5,"":"empty"}
                """)
        let mapping = JSONMapping(
            key: try #require(JSONMapping.Pointer(pointer)), title: try #require(JSONMapping.Pointer("/t")))
        let integration = InboundIntegration(
            name: "i", kind: .json, key: .init("k"), choice: PolicyChoice(policy: "p"), mapping: mapping)
        let signal = try? integration.signal(in: Array(json.encoded.utf8), fallback: "")
        if let found {
            let problem = Problem(
                key: "integration i/\(found)", title: "true", source: "integration i", policy: "p")
            #expect(signal == .trigger(problem))
        } else {
            #expect(signal == nil)
        }
        #expect(JSONMapping.Pointer("a") == nil)
    }
}
