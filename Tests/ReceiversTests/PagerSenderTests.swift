import CurlHTTP
import JSON
import MetricModel
import Receivers
import Testing
import YAML

/// Pagers, webhooks, queues and trackers against stand-ins that check the requirements in the vendors' documentation.
@Suite struct PagerSenderTests {
    @Test func theWebhooksBodyIsAlertmanagersByteForByte() throws {
        let integration = try SenderFixture.integration(
            "webhook_configs: [{url: 'http://h/{{ .GroupLabels.alertname }}', max_alerts: 1}]")
        let receiver = StandIn()
        try SenderFixture.send(integration, through: receiver)
        let call = try #require(receiver.calls.first)
        #expect(call.url == "http://h/Slow")
        #expect(
            call.body
                == #"{"receiver":"team","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"Slow","#
                + #""instance":"a:1","severity":"critical"},"annotations":{"summary":"a:1 is \u003cslow\u003e \u0026 sad"},"#
                + #""startsAt":"2023-11-14T22:13:20Z","endsAt":"0001-01-01T00:00:00Z","#
                + #""generatorURL":"http://t/graph?a=1\u0026b=2","fingerprint":"\#(SenderFixture.alerts[0].labels.fingerprint)"}],"#
                + #""groupLabels":{"alertname":"Slow"},"commonLabels":{"alertname":"Slow","instance":"a:1","severity":"critical"},"#
                + #""commonAnnotations":{"summary":"a:1 is \u003cslow\u003e \u0026 sad"},"externalURL":"http://tribune:9190","#
                + #""version":"4","groupKey":"{}:{alertname=\"Slow\"}","truncatedAlerts":1}"# + "\n")
    }

    @Test func theWebhooksBodyMayBeOnesOwn() throws {
        let integration = try SenderFixture.integration(
            "webhook_configs: [{url: 'http://h/', payload: {n: 1, text: '{{ .Status }}', all: '{{ .CommonLabels | toJson }}'}}]"
        )
        let receiver = StandIn()
        try SenderFixture.send(integration, through: receiver)
        #expect(
            receiver.calls.first?.json == [
                "all": ["alertname": "Slow", "severity": "critical"], "n": 1, "text": "firing",
            ])
    }

    /// Events API v2: required fields, a known severity, no link without an address.
    private let pagerDuty: StandIn.Answer = { call in
        let json = call.json
        let payload = json["payload"]
        let severities = ["critical", "error", "warning", "info"]
        let isRight =
            call.url == "https://events.pagerduty.com/v2/enqueue" && json["routing_key"]?.text?.count == 32
            && ["trigger", "resolve"].contains(json["event_action"]?.text)
            && severities.contains(payload?["severity"]?.text ?? "") && payload?["source"]?.text?.isEmpty == false
            && payload?["summary"]?.text?.isEmpty == false
            && (json["links"]?.elements ?? []).allSatisfy { $0["href"]?.text?.isEmpty == false }
        return isRight
            ? (202, "application/json", #"{"status":"success"}"#)
            : (400, "application/json", #"{"status":"invalid event"}"#)
    }

    @Test func pagerDutyExpandsEveryField() throws {
        let integration = try SenderFixture.integration(
            """
            pagerduty_configs: [{routing_key: 0123456789abcdef0123456789abcdef,
              severity: '{{ if eq .CommonLabels.severity "critical" }}critical{{ else }}warning{{ end }}',
              description: '{{ .CommonLabels.alertname }}!', class: '{{ .Status }}', component: c, group: g,
              source: '{{ .GroupLabels.alertname }}', client: me, client_url: 'http://c/{{ .Receiver }}',
              details: {num: '{{ .Alerts.Firing | len }}', nested: {a: '{{ .Status }}'}},
              images: [{src: 'http://i/{{ .Status }}', alt: a}, {alt: none}], links: [{href: '', text: no}, {href: 'http://l', text: t}]}]
            """)
        let stand = StandIn(pagerDuty)
        try SenderFixture.send(integration, through: stand)
        try SenderFixture.send(integration, through: stand, SenderFixture.message(resolved: true))
        let json = try #require(stand.calls.first?.json)
        #expect(json["payload"]?["severity"]?.text == "critical" && json["payload"]?["class"]?.text == "firing")
        #expect(json["payload"]?["summary"]?.text == "Slow!" && json["payload"]?["source"]?.text == "Slow")
        #expect(json["client_url"]?.text == "http://c/team")
        let details = json["payload"]?["custom_details"]
        #expect(details?["num"]?.text == "1" && details?["num_firing"]?.text == "1")
        #expect(details?["nested"]?["a"]?.text == "firing")
        #expect(json["images"] == [["src": "http://i/firing", "alt": "a", "href": ""]])
        #expect(json["links"] == [["href": "http://l", "text": "t"]])
        #expect(stand.calls.map { $0.json["event_action"]?.text } == ["trigger", "resolve"])
        #expect(stand.calls[0].json["dedup_key"] == stand.calls[1].json["dedup_key"])
    }

    @Test func pagerDutysSeverityIsErrorUnlessSaid() throws {
        let integration = try SenderFixture.integration(
            "pagerduty_configs: [{routing_key: 0123456789abcdef0123456789abcdef}]")
        let stand = StandIn(pagerDuty)
        try SenderFixture.send(integration, through: stand)
        let json = try #require(stand.calls.first?.json)
        #expect(json["payload"]?["severity"]?.text == "error" && json["payload"]?["source"]?.text == "Alertmanager")
    }

    @Test func pagerDutysFirstVersionIsSpokenWithAServiceKey() throws {
        let integration = try SenderFixture.integration("pagerduty_configs: [{service_key: k}]")
        let stand = StandIn { _ in (403, "text/plain", "rate limit") }
        let error = #expect(throws: DeliveryFailure.self) { try SenderFixture.send(integration, through: stand) }
        #expect(error?.isRetryable == true)
        let call = try #require(stand.calls.first)
        #expect(call.url == "https://events.pagerduty.com/generic/2010-04-15/create_event.json")
        #expect(call.json["service_key"]?.text == "k" && call.json["event_type"]?.text == "trigger")
        #expect(call.json["incident_key"]?.text?.count == 64 && call.json["details"]?["num_firing"]?.text == "1")
    }

    @Test func opsgenieCreatesUpdatesAndCloses() throws {
        let integration = try SenderFixture.integration(
            """
            opsgenie_configs: [{api_key: k, update_alerts: true, tags: 'a, b', priority: P1,
              responders: [{name: 'x,y', type: teams}, {username: '{{ .CommonLabels.nobody }}', type: '{{ .CommonLabels.nobody }}'}]}]
            """)
        let opsgenie = StandIn { call in
            call.headers["authorization"] == "GenieKey k"
                ? (202, "application/json", "{}") : (422, "application/json", "{}")
        }
        try SenderFixture.send(integration, through: opsgenie)
        try SenderFixture.send(integration, through: opsgenie, SenderFixture.message(resolved: true))
        let alias = try #require(opsgenie.calls[0].json["alias"]?.text)
        #expect(
            opsgenie.calls.map { "\($0.method) \($0.url.dropFirst("https://api.opsgenie.com/v2/alerts".count))" } == [
                "POST ", "PUT /\(alias)/message?identifierType=alias", "PUT /\(alias)/description?identifierType=alias",
                "POST /\(alias)/close?identifierType=alias",
            ])
        let json = opsgenie.calls[0].json
        #expect(json["responders"] == [["name": "x", "type": "team"], ["name": "y", "type": "team"]])
        #expect(json["tags"] == ["a", "b"] && json["priority"]?.text == "P1")
        #expect(json["details"] == ["alertname": "Slow", "severity": "critical"])
    }

    @Test func victorOpsGetsRecoveries() throws {
        let integration = try SenderFixture.integration(
            "victorops_configs: [{api_key: k, routing_key: '{{ .Receiver }}', message_type: odd, custom_fields: {x: '{{ .Status }}'}}]"
        )
        let victorOps = StandIn()
        try SenderFixture.send(integration, through: victorOps)
        try SenderFixture.send(integration, through: victorOps, SenderFixture.message(resolved: true))
        #expect(
            victorOps.calls[0].url == "https://alert.victorops.com/integrations/generic/20131114/alert/k/team")
        #expect(victorOps.calls.map { $0.json["message_type"]?.text } == ["CRITICAL", "RECOVERY"])
        #expect(victorOps.calls.map { $0.json["x"]?.text } == ["firing", "resolved"])
        #expect(victorOps.calls[0].json["entity_display_name"]?.text == "[FIRING:1] Slow (critical)")
    }

    @Test func pushoverGetsParametersInTheURL() throws {
        let integration = try SenderFixture.integration(
            "pushover_configs: [{user_key: u, token: t, ttl: 1h, message: '{{ .CommonAnnotations.nothing }}'}]")
        let pushover = StandIn()
        try SenderFixture.send(integration, through: pushover)
        let url = try #require(pushover.calls.first?.url)
        #expect(url.hasPrefix("https://api.pushover.net/1/messages.json?device=&expire=3600&message=%28no+details%29&"))
        #expect(
            url.contains("&priority=2&retry=60&")
                && url.contains("&title=%5BFIRING%3A1%5D+Slow+%28critical%29&token=t&ttl=3600&"))
    }

    @Test func snsPublishesSigned() throws {
        let integration = try SenderFixture.integration(
            """
            sns_configs: [{topic_arn: 'arn:aws:sns:eu-west-1:1:x.fifo', attributes: {severity: '{{ .CommonLabels.severity }}'},
              sigv4: {region: eu-west-1, access_key: AKID, secret_key: s}}]
            """)
        let sns = StandIn { call in
            let isRight =
                call.method == "POST" && call.url == "https://sns.eu-west-1.amazonaws.com/"
                && call.headers["authorization"]?.hasPrefix("AWS4-HMAC-SHA256 Credential=AKID/") == true
                && call.headers["authorization"]?.contains(
                    "/eu-west-1/sns/aws4_request, SignedHeaders=content-type;host;x-amz-date, ") == true
            return isRight ? (200, "text/xml", "<PublishResponse/>") : (403, "text/xml", "SignatureDoesNotMatch")
        }
        try SenderFixture.send(integration, through: sns)
        let body = try #require(sns.calls.first?.body)
        #expect(
            body.hasPrefix(
                "Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A1%3Ax.fifo&MessageDeduplicationId="
            ))
        #expect(body.contains("MessageAttributes.entry.1.Name=severity") && body.contains("Subject=%5BFIRING%3A1%5D"))
    }

    /// Jira's REST API, version 2, with one issue that may exist.
    private func jira(existing: String?) -> StandIn {
        StandIn { call in
            let json = call.json
            switch (call.method, call.url) {
            case ("POST", "https://jira.example/rest/api/2/search"):
                let found = existing.map {
                    #"{"key":"OPS-1","fields":{"status":{"name":"x","statusCategory":{"key":"\#($0)"}}}}"#
                }
                return (200, "application/json", #"{"issues":[\#(found ?? "")]}"#)
            case ("POST", "https://jira.example/rest/api/2/issue"),
                ("PUT", "https://jira.example/rest/api/2/issue/OPS-1"):
                let fields = json["fields"]
                let isRight = fields?["project"]?["key"]?.text == "OPS" && fields?["issuetype"]?["name"]?.text == "Bug"
                return isRight ? (201, "application/json", "{}") : (400, "application/json", "{}")
            case ("GET", "https://jira.example/rest/api/2/issue/OPS-1/transitions"):
                return (
                    200, "application/json", #"{"transitions":[{"id":"5","name":"Done"},{"id":"6","name":"Reopen"}]}"#
                )
            case ("POST", "https://jira.example/rest/api/2/issue/OPS-1/transitions"): return (204, "", "")
            default: return (404, "text/plain", call.url)
            }
        }
    }

    @Test func jiraCreatesUpdatesAndMovesAnIssue() throws {
        let integration = try SenderFixture.integration(
            """
            jira_configs: [{api_url: 'https://jira.example/rest/api/2', project: OPS, issue_type: Bug,
              labels: ['{{ .CommonLabels.alertname }}'], resolve_transition: Done, reopen_transition: Reopen,
              reopen_duration: 1h, summary: {template: '{{ .Status }}', enable_update: false},
              fields: {customfield_1: {value: '{{ .CommonLabels.severity }}'}}}]
            """)
        let new = jira(existing: nil)
        try SenderFixture.send(integration, through: new)
        let fields = try #require(new.calls.last?.json["fields"])
        #expect(fields["summary"]?.text == "firing" && fields["priority"]?["name"]?.text == "High")
        #expect(fields["customfield_1"]?["value"]?.text == "critical")
        #expect(fields["labels"]?.elements?.last?.text == "Slow")
        let query = try #require(new.calls.first?.json["jql"]?.text)
        #expect(
            query.hasPrefix(
                "(resolutiondate is EMPTY OR resolutiondate >= -60m) and project=\"OPS\" and labels=\"ALERT{"))
        let open = jira(existing: "indeterminate")
        try SenderFixture.send(integration, through: open, SenderFixture.message(resolved: true))
        #expect(open.calls.map(\.method) == ["POST", "PUT", "GET", "POST"])
        #expect(open.calls[1].json["fields"]?["summary"] == nil)
        #expect(open.calls.last?.json["transition"]?["id"]?.text == "5")
        let gone = jira(existing: nil)
        try SenderFixture.send(integration, through: gone, SenderFixture.message(resolved: true))
        #expect(gone.calls.count == 1)
    }

    @Test func incidentIOGetsTheTokenOfTheSource() throws {
        let integration = try SenderFixture.integration(
            "incidentio_configs: [{url: 'https://i.example/x', alert_source_token: t}]")
        let incident = StandIn { _ in (202, "application/json", "{}") }
        try SenderFixture.send(integration, through: incident)
        let call = try #require(incident.calls.first)
        #expect(call.headers["authorization"] == "Bearer t" && call.json["version"]?.text == "1")
    }

    @Test(arguments: [
        ("slack_configs: [{channel: x}]", "no Slack API URL nor App token set either inline or in a file"),
        ("email_configs: [{to: a@b}]", "no global SMTP smarthost set"),
        (
            "sns_configs: [{sigv4: {region: x}}]",
            "must provide either a Target ARN, Topic ARN, or Phone Number for SNS config"
        ),
        ("webex_configs: [{room_id: r}]", "missing webex_configs.http_config.authorization"),
        ("telegram_configs: [{bot_token: t}]", "missing chat_id or chat_id_file on telegram_config"),
        ("discord_configs: [{}]", "one of webhook_url or webhook_url_file must be configured"),
        (
            "pushover_configs: [{user_key: u, token: t, html: true, monospace: true}]",
            "at most one of monospace & html must be configured"
        ),
        ("opsgenie_configs: [{api_key: k, teams: x}]", "unknown field \"teams\""),
        (
            "victorops_configs: [{api_key: k, routing_key: r, custom_fields: {entity_id: x}}]",
            "victorOps config contains custom field entity_id which cannot be used as it conflicts with the fixed/static fields"
        ),
        ("webhook_configs: [{url: 'http://x', url_file: y}]", "at most one of url & url_file must be configured"),
    ])
    func faultsAreAlertmanagers(text: String, message: String) {
        let error = #expect(throws: YAMLError.self) { try SenderFixture.integration(text) }
        #expect(error?.message == message)
    }
}
