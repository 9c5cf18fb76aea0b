import MetricModel
import Notification
import Testing
import YAML

@Suite struct NotificationConfigurationTests {
    private static let example = """
        global:
          resolve_timeout: 3m
          smtp_smarthost: localhost:25
        route:
          receiver: team
          group_by: [alertname, service]
          routes:
          - matchers: [severity="critical"]
            receiver: pager
            group_wait: 0s
            continue: true
          - match_re: {service: "auth|ac"}
            routes:
            - matchers: ['team =~ "a.*"']
              group_by: ['...']
        receivers:
        - name: team
          webhook_configs:
          - url: http://127.0.0.1:9/hook
            http_config: {authorization: {credentials: s3cret}}
        - name: pager
          pagerduty_configs:
          - routing_key: k
            severity: critical
        inhibit_rules:
        - source_matchers: [severity="critical"]
          target_matchers: [severity="warning"]
          equal: [service]
        """

    private func load(_ text: String) throws -> NotificationConfiguration {
        try NotificationConfiguration(try #require(try YAML.parse(text, file: "am.yml").first), file: "am.yml")
    }

    /// As in Alertmanager, which finds no file of that name; the file may be created later.
    @Test func aMissingTemplateFileIsAWarning() throws {
        let configuration = try load(
            "templates: [/no/such/x.tmpl, '/no/such/*.tmpl']\nroute: {receiver: a}\nreceivers: [{name: a}]\n")
        #expect(configuration.warnings == [#"am.yml:1:13: templates[0]: no file is called "/no/such/x.tmpl""#])
        #expect(configuration.templateFiles.isEmpty)
    }

    /// As one that is absent: that of the route above.
    @Test func anEmptyReceiverIsInherited() throws {
        let configuration = try load(
            "route: {receiver: a, routes: [{receiver: '', matchers: [x=y]}]}\nreceivers: [{name: a}, {name: b}]\n")
        #expect(configuration.route.routes.map(\.receiver) == ["a"])
    }

    @Test func routesInheritAndFindTheDeepestMatch() throws {
        let configuration = try load(Self.example)
        let found = configuration.route.matching(["severity": "critical", "service": "auth", "team": "alpha"])
        #expect(found.map(\.receiver) == ["pager", "team"])
        #expect(found.map(\.groupWait) == [.zero, .seconds(30)])
        #expect(found[1].grouping == .all)
        #expect(found[1].key == #"{}/{service=~"^(?:auth|ac)$"}/{team=~"a.*"}"#)
        #expect(configuration.route.matching(["severity": "info"]).map(\.receiver) == ["team"])
        #expect(configuration.resolveTimeout == .minutes(3))
    }

    @Test func secretsDoNotAppearInDescriptions() throws {
        let configuration = try load(Self.example)
        #expect(!String(describing: configuration.receivers).contains("s3cret"))
    }

    @Test(arguments: [
        ("route: {receiver: x}\nreceivers: []", "am.yml:1:19: route.receiver: undefined receiver \"x\" used in route"),
        ("receivers: []", "am.yml:1:1: no routes provided"),
        (
            "receivers: [{name: a, slack_configs: [{channel: x}]}]\nroute: {receiver: a}",
            "am.yml:1:39: receivers[0].slack_configs[0]: no Slack API URL nor App token set either inline or in a file"
        ),
        (
            "receivers: [{name: a}]\nroute: {receiver: a, group_wait: 5}",
            "am.yml:2:34: route.group_wait: not a valid duration string: \"5\""
        ),
        (
            "receivers: [{name: a}]\nroute: {receiver: a, routes: [{matchers: ['a=~\"(\"']}]}",
            "am.yml:2:43: route.routes[0].matchers[0]: error parsing regexp: missing closing ): `^(?:()$`"
        ),
        (
            "receivers: [{name: a}]\nroute: {receiver: a, matchers: [a=b]}",
            "am.yml:2:8: route: root route must not have any matchers"
        ),
        (
            "receivers: [{name: a, webhook_configs: [{url: 'ftp://x'}]}]\nroute: {receiver: a}",
            "am.yml:1:47: receivers[0].webhook_configs[0].url: unsupported scheme \"ftp\" for URL"
        ),
        ("receivers: [{name: a}]\nroute: {receiver: a}\nfoo: 1", "am.yml:3:1: foo: unknown field \"foo\""),
        (
            "receivers: [{name: a}, {name: a}]\nroute: {receiver: a}",
            "am.yml:1:24: receivers: notification config name \"a\" is not unique"
        ),
    ])
    func faultsNamePlaceAndField(text: String, message: String) {
        let error = #expect(throws: YAMLError.self) { try load(text) }
        #expect(error?.description == message)
    }

    @Test(arguments: [
        ("a=b", "a=\"b\""), (" a = \"x\\\"y\" ", #"a="x\"y""#), ("a!~b.*", "a!~\"b.*\""), ("a!=", "a!=\"\""),
        ("\"my label\"=x", "\"my label\"=\"x\""),
    ])
    func matchersAreRead(text: String, canonical: String) throws {
        #expect(try LabelMatcher(parsing: text).matcher.description == canonical)
    }

    @Test(arguments: ["", "a", "=b", "a=\"b", "a=b\"c", "a=\"b\"c\"", "a!b"])
    func otherMatchersAreRefused(text: String) {
        #expect(throws: LabelMatcherError.self) { try LabelMatcher(parsing: text) }
    }

    @Test func anAlertOnBothSidesDoesNotInhibitItself() throws {
        let rule = try #require(try load(Self.example).inhibitRules.first)
        #expect(
            rule.inhibits(["severity": "warning", "service": "a"], firing: [["severity": "critical", "service": "a"]]))
        #expect(
            !rule.inhibits(
                ["severity": "warning", "service": "a"], firing: [["severity": "critical", "service": "b"]]))
        #expect(
            !rule.inhibits(
                ["severity": "critical", "service": "a"], firing: [["severity": "critical", "service": "a"]]))
    }
}
