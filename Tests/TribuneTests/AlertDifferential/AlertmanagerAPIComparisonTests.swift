import CurlHTTP
import Glibc
import JSON
import TestSupport
import Testing

/// Requests to `/api/v2` of Debian's Alertmanager and of Tribune: the same status, and the same text where
/// Alertmanager's own code wrote it and not Go's parsers.
@Suite(
    .enabled(if: access(ComparedNotifier.alertmanager, X_OK) == 0, "prometheus-alertmanager is not installed"),
    .serialized)
struct AlertmanagerAPIComparisonTests {
    private struct Request {
        var method = "GET"
        var path: String
        var type = "application/json"
        var body = ""
        /// How much of the text must be equal; 0 for nothing.
        var prefix = Int.max
        /// The status of 0.34, where it is not that of 0.25.
        var newer: Int?
    }

    private static let unknown = "/api/v2/silence/4d1bde97-0000-4000-8000-000000000000"

    private static func silence(
        _ matchers: String, from start: String = "2026-01-01T00:00:00Z", to end: String = "2999-01-01T00:00:00Z",
        id: String = ""
    ) -> String {
        #"{"id":"\#(id)","matchers":[\#(matchers)],"startsAt":"\#(start)","endsAt":"\#(end)","#
            + #""createdBy":"a","comment":"c"}"#
    }

    private static func postSilence(_ body: String, prefix: Int = .max, type: String = "application/json") -> Request {
        Request(method: "POST", path: "/api/v2/silences", type: type, body: body, prefix: prefix)
    }

    private static func postAlerts(_ body: String, prefix: Int = .max, type: String = "application/json") -> Request {
        Request(method: "POST", path: "/api/v2/alerts", type: type, body: body, prefix: prefix)
    }

    private static let sound = #"{"name":"a","value":"b","isRegex":false}"#

    private static let requests: [Request] = [
        Request(path: "/api/v2/silence/abc"),
        Request(path: unknown),
        Request(method: "DELETE", path: unknown, prefix: 0, newer: 404),
        Request(path: "/api/v2/alerts?filter=a", prefix: 20),
        Request(path: "/api/v2/silences?filter=%7B", prefix: 20),
        Request(path: "/api/v2/alerts?active=maybe"),
        Request(path: "/api/v2/alerts?receiver=(", prefix: 30),
        Request(path: "/api/v2/alerts?silenced=1&inhibited=off&unprocessed=false"),
        Request(path: "/api/v2/alerts/groups?filter=a%3Db&receiver=x.*&silenced=false"),
        Request(path: "/api/v2/receivers"),
        Request(path: "/api/v2/alerts"),
        Request(path: "/api/v2/silences?creator=nobody"),
        postSilence(""),
        postSilence("{", prefix: 50),
        postSilence("{}"),
        postSilence(#"{"comment":"c","createdBy":"a","endsAt":"2999-01-01T00:00:00Z"}"#),
        postSilence(silence("")),
        postSilence(silence(#"{"name":"a","value":"","isRegex":false}"#), prefix: 0),
        postSilence(silence(#"{"name":"a","value":"(","isRegex":true}"#), prefix: 0),
        postSilence(silence(#"{"name":"a","value":"b"}"#)),
        postSilence(silence(sound, to: "2020-01-01T00:00:00Z")),
        postSilence(silence(sound, from: "2019-01-01T00:00:00Z", to: "2020-01-01T00:00:00Z")),
        postSilence(silence(sound, from: "x"), prefix: 50),
        postSilence(silence(sound, id: "4d1bde97-0000-4000-8000-000000000000")),
        postSilence(silence(sound), type: "text/plain"),
        postAlerts(""),
        postAlerts("[]"),
        postAlerts("{}", prefix: 50),
        postAlerts("[{}]"),
        postAlerts(#"[{"labels":{}}]"#),
        postAlerts(#"[{"labels":{}},{"labels":{}}]"#),
        postAlerts(#"[{"labels":{"a":1}}]"#, prefix: 50),
        postAlerts(#"[{"labels":{"a":"b"},"startsAt":"x"}]"#, prefix: 50),
        postAlerts(
            #"[{"labels":{"a":"b"},"startsAt":"2026-01-02T00:00:00Z","endsAt":"2026-01-01T00:00:00Z"}]"#),
        postAlerts(#"[{"labels":{"a":"b"},"generatorURL":"%zz"}]"#),
        postAlerts(#"[{"labels":{"a":"b"},"generatorURL":"relative"}]"#),
        postAlerts(#"[{"labels":{"a":"b"},"generatorURL":"/path?q=%zz"}]"#),
        postAlerts(#"[{"labels":{"c":"d"},"generatorURL":"http://p/graph?a=b c"}]"#),
        postAlerts(#"[{"labels":{"e":"f","empty":""},"annotations":{"x":"y"}}]"#),
        postAlerts("[]", type: "text/plain"),
    ]

    @Test("statuses and texts are Alertmanager's")
    func answersAreTheSame() throws {
        let configuration = "route: {receiver: none}\nreceivers: [{name: none}]\n"
        let alertmanager = try ComparedNotifier(.alertmanager, configuration: configuration)
        let tribune = try ComparedNotifier(.tribune, configuration: configuration)
        for request in Self.requests {
            let theirs = try alertmanager.answer(request.method, request.path, type: request.type, request.body)
            let mine = try tribune.answer(request.method, request.path, type: request.type, request.body)
            let comment = "\(request.method) \(request.path) \(request.body)"
            #expect(mine.status == request.newer ?? theirs.status, "\(comment): \(mine.text) \(theirs.text)")
            #expect(
                Self.prefix(mine.text, request.prefix) == Self.prefix(theirs.text, request.prefix), "\(comment)")
        }
        // What both hold now, apart from times and from members that came after 0.25.
        let lists = try [alertmanager, tribune].map { notifier in
            let body = try notifier.answer("GET", "/api/v2/alerts", "").text
            return (try JSON(parsing: body).elements ?? []).map { alert in
                ["annotations", "fingerprint", "receivers", "generatorURL", "labels"].map { name in
                    alert[name]?.canonical ?? "absent"
                }.joined(separator: " ")
            }
        }
        #expect(lists[0] == lists[1])
        #expect(lists[0].count == 3)
    }

    private static func prefix(_ text: String, _ count: Int) -> String {
        let text = text.split(whereSeparator: \.isNewline).joined(separator: "\n")
        return count == .max ? text : String(text.prefix(count))
    }
}
