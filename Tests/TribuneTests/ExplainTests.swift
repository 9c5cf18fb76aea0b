import CurlHTTP
import JSON
import Runtime
import TestSupport
import Testing

/// `tribune explain` against a running service.
struct ExplainTests {
    private static let files = [
        "tribune.yml": "prometheus_config: prometheus.yml\nalertmanager_config: alertmanager.yml\n",
        "prometheus.yml": "global: {evaluation_interval: 200ms}\nrule_files: [rules.yml]\n",
        "rules.yml": """
        groups:
        - name: g
          rules:
          - {alert: Sent, expr: 'label_replace(vector(7), "instance", "a:1", "", "")', labels: {severity: page}}
          - {alert: Waiting, expr: vector(1), for: 1h}
          - {alert: Never, expr: vector(1) > 2}
          - {alert: Refused, expr: vector(1)}
          - {alert: Muted, expr: vector(1)}
          - {alert: Silenced, expr: vector(1)}
          - {alert: Inhibited, expr: vector(1)}
        """,
        "alertmanager.yml": """
        route:
          receiver: hook
          group_by: [alertname]
          group_wait: 2s
          group_interval: 1s
          routes:
          - {matchers: [alertname=Refused], receiver: refuses}
          - {matchers: [alertname=Muted], receiver: hook, mute_time_intervals: [always]}
        time_intervals: [{name: always, time_intervals: [{times: [{start_time: '00:00', end_time: '24:00'}]}]}]
        inhibit_rules: [{source_matchers: [alertname=Sent], target_matchers: [alertname=Inhibited]}]
        receivers:
        - {name: hook, webhook_configs: [{url: HOOK/thanks}]}
        - {name: refuses, webhook_configs: [{url: HOOK/refuses}]}
        """,
    ]

    @Test("explains for each alert its suppressions, or the responses of receivers")
    func everyReasonIsNamed() throws {
        let hook = LoopbackServer { request in
            request.target == "/thanks"
                ? .ok("thank you", status: "202 Accepted") : .ok("no such channel", status: "400 Bad Request")
        }
        defer { hook.stop() }
        let tribune = try RunningTribune(Self.files.mapValues { $0.replacing("HOOK", with: hook.url) })
        var request = HTTPRequest(url: "http://127.0.0.1:\(tribune.port)/api/v2/silences")
        request.method = "POST"
        request.headers = [("Content-Type", "application/json")]
        request.body = Array(
            """
            {"matchers":[{"name":"alertname","value":"Silenced","isRegex":false}],"startsAt":"2020-01-01T00:00:00Z",
             "endsAt":"2999-01-01T00:00:00Z","createdBy":"ada","comment":"planned work"}
            """.utf8)
        #expect(try HTTPClient().send(request).status == 200)

        func explain(_ arguments: String...) throws -> TribuneProgram.Result {
            try TribuneProgram.run(["explain", "--server=http://127.0.0.1:\(tribune.port)"] + arguments)
        }
        func eventually(_ name: String, _ parts: String...) throws {
            var text = ""
            let isSo = try Loopback.eventually(within: 30) {
                text = try explain(name).output
                return parts.allSatisfy(text.contains)
            }
            #expect(isSo, "\(name): \(text)")
        }
        try eventually(
            "Sent", "A receiver accepted a message, first webhook/0 at ", "state     firing since ", ", value 7",
            "webhook/0 delivered at attempt 1: status 202: thank you", #"alert     {alertname="Sent", instance="a:1""#,
            "route     {} to hook", #"group {}:{alertname="Sent"}, wait 2s, interval 1s, repeat 4h"#, "group g, for 0s")
        try eventually(
            "Refused", "No receiver accepted a message; the last failure: unexpected status code 400: no such channel",
            #"route     {}/{alertname="Refused"} to refuses"#)
        try eventually("Waiting", "The alert was pending: it fires at ", "state     pending since ")
        try eventually("Never", "The condition had no result", "results at that time: 0")
        try eventually("Muted", "Every route was muted, by always.", "muted by always")
        try eventually("Silenced", "Silenced by ada until 2999-01-01T00:00:00Z: planned work")
        try eventually("Inhibited", #"Inhibited by {alertname="Sent""#)

        let past = try explain("Sent", "--at=2020-05-01T00:00:00Z")
        #expect(past.output.contains("had not been evaluated"), "\(past.output)\(past.errors)")
        let json = try JSON(parsing: try explain("Sent", "instance=a:1", "--json").output)
        #expect(json["alerts"]?.elements?.first?["routes"]?.elements?.first?["firing_sent_to"] == ["webhook/0"])
        #expect(try explain("Sent", "instance=b:1").output.contains("The condition had no result"))
        let unknown = try explain("Unknown")
        #expect(unknown.exit == .code(1) && unknown.errors.contains(#"no rule and no alert is named "Unknown""#))
        #expect(try explain("Sent", "a{b").errors.contains("bad_data"))
    }
}
