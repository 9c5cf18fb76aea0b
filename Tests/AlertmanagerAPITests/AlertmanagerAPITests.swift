import CurlHTTP
import Instrumentation
import JSON
import MetricModel
import Notification
import RuleEngine
import RuleModel
import Runtime
import Synchronization
import TestSupport
import Testing
import WebCore
import WebFixture
import WebServer

@testable import AlertmanagerAPI

@Suite struct AlertmanagerAPITests {
    /// The engines behind the API: a queue that accepts alerts immediately, and silences in a file.
    private final class Engine: Sendable {
        let directory = TemporaryDirectory()
        let queue: Mutex<NotificationQueue>
        let silences: SilenceRunner
        let actors = Mutex<[String]>([])
        let hasRoom = Atomic<Bool>(true)

        init() throws {
            let path = directory.write(
                """
                route:
                  receiver: team
                  group_by: [alertname]
                  routes:
                  - {matchers: [severity=critical], receiver: pager, continue: true}
                  - {matchers: [severity=critical], receiver: team, mute_time_intervals: [always]}
                receivers:
                - {name: team, webhook_configs: [{url: "http://u:hunter2@127.0.0.1:9/"}]}
                - {name: pager, pagerduty_configs: [{routing_key: hunter2}]}
                inhibit_rules: [{source_matchers: [alertname=Outage], target_matchers: [severity=warning]}]
                time_intervals: [{name: always, time_intervals: [{}]}]
                """, to: "alertmanager.yml")
            queue = Mutex(NotificationQueue(try .load(path)))
            silences = SilenceRunner(
                path: directory.file("silences.json"), logger: .silent, registry: Registry(), report: { _ in })
        }

        func fixture(token: String? = nil) throws -> WebFixture {
            try WebFixture({ $0.commandToken = token }) { sources in
                sources.notifications = { self.queue.withLock { $0 } }
                sources.takeAlerts = { alerts in
                    guard self.hasRoom.load(ordering: .relaxed) else { return false }
                    self.queue.withLock {
                        $0.received(alerts, at: Timestamp(milliseconds: SystemClock.wallMilliseconds()))
                    }
                    return true
                }
                sources.silences = { self.silences.silences }
                sources.setSilence = { wanted, actor in
                    self.actors.withLock { $0.append(actor) }
                    return self.silences.set(wanted, by: actor)
                }
                sources.expireSilence = { self.silences.expire($0, by: $1) }
            }
        }
    }

    private static let json: (name: String, value: String) = ("Content-Type", "application/json")

    private func post(
        _ fixture: WebFixture, _ path: String, _ body: String, headers: [(name: String, value: String)] = []
    ) throws -> (status: Int, json: JSON, text: String) {
        let response = try fixture.send(path, method: "POST", headers: [Self.json] + headers, body: body)
        let text = String(decoding: response.body, as: UTF8.self)
        return (response.status, (try? JSON(parsing: response.body)) ?? .null, text)
    }

    private func list(_ fixture: WebFixture, _ path: String) throws -> [JSON] {
        try #require(try JSON(parsing: try fixture.send(path).body).elements)
    }

    /// A silence that starts now; `end` and `start` in seconds from now.
    private func silence(
        _ matchers: String = #"{"name":"alertname","value":"Down","isRegex":false}"#, from start: Int64 = 0,
        to end: Int64 = 3600, id: String = ""
    ) -> String {
        func time(_ seconds: Int64) -> String {
            RFC3339.text(milliseconds: SystemClock.wallMilliseconds() + seconds * 1000)
        }
        let identity = id.isEmpty ? "" : #""id":"\#(id)","#
        return #"{\#(identity)"matchers":[\#(matchers)],"startsAt":"\#(time(start))","endsAt":"\#(time(end))","#
            + #""createdBy":"ada","comment":"maintenance"}"#
    }

    private static let alerts = """
        [{"labels":{"alertname":"Down","severity":"critical","empty":""},"annotations":{"summary":"s"},"generatorURL":"http://g/"},
         {"labels":{"alertname":"Slow","severity":"warning"},"startsAt":"2026-01-01T00:00:00+01:00"},
         {"labels":{"alertname":"Old"},"endsAt":"2020-01-01T00:00:00Z"}]
        """

    @Test func silencesAreMadeShownChangedAndEnded() throws {
        let engine = try Engine()
        let fixture = try engine.fixture()
        let made = try post(
            fixture, "/api/v2/silences",
            silence(
                #"{"name":"a","value":"x.*","isRegex":true,"isEqual":false},{"name":"b","value":"y","isRegex":false}"#),
            headers: [("X-Tribune-Actor", "bob")])
        let id = try #require(made.json["silenceID"]?.text, "\(made)")
        #expect(engine.actors.withLock { $0 } == ["bob"])
        let one = try JSON(parsing: try fixture.send("/api/v2/silence/\(id)").body)
        #expect(try list(fixture, "/api/v2/silences") == [one])
        #expect(one["status"]?.encoded == #"{"state":"active"}"#)
        #expect(one["createdBy"] == "ada" && one["comment"] == "maintenance")
        #expect(
            one["matchers"]?.encoded
                == #"[{"isEqual":false,"isRegex":true,"name":"a","value":"x.*"},{"isEqual":true,"isRegex":false,"name":"b","value":"y"}]"#
        )
        let later = try post(fixture, "/api/v2/silences", silence(from: 100, to: 200))
        let soon = try post(fixture, "/api/v2/silences", silence(from: 50, to: 200))
        let ids = [id, soon.json["silenceID"]?.text, later.json["silenceID"]?.text]
        #expect(try list(fixture, "/api/v2/silences").map { $0["id"]?.text } == ids)
        #expect(try list(fixture, "/api/v2/silences?filter=b%3Dy").count == 1)
        #expect(try list(fixture, "/api/v2/silences?filter=b%3D~y").isEmpty)
        #expect(try list(fixture, "/api/v2/silences?creator=eve").isEmpty)
        let changed = try post(fixture, "/api/v2/silences", silence(from: 60, to: 900, id: ids[1]!))
        #expect(changed.json["silenceID"]?.text == ids[1])
        #expect(try fixture.send("/api/v2/silence/\(id)", method: "DELETE").status == 200)
        #expect(try fixture.send("/api/v2/silence/\(id)", method: "DELETE").status == 200)
        #expect(try list(fixture, "/api/v2/silences").last?["status"]?["state"] == "expired")
    }

    private static let valid =
        #""startsAt":"2026-01-01T00:00:00Z","endsAt":"2999-01-01T00:00:00Z","createdBy":"a","comment":"c"}"#
    /// Alertmanager 0.25's responses, as status and code; 0 for a JSON string.
    private static let refusals: [(body: String, status: Int, code: Int64)] = [
        ("{", 400, 400), ("[]", 400, 400), ("{}", 422, 602), (#"{"matchers":[],"# + valid, 422, 612),
        (#"{"matchers":[{"name":"a"}],"# + valid, 422, 602),
        (#"{"matchers":[{"name":"a","value":"","isRegex":false}],"# + valid, 400, 0),
        (#"{"matchers":[{"name":"a","value":"(","isRegex":true}],"# + valid, 400, 0),
        (#"{"matchers":[{"name":"","value":"b","isRegex":false}],"# + valid, 400, 0),
        (
            #"{"id":"4d1bde97-0000-4000-8000-000000000000","matchers":[{"name":"a","value":"b","isRegex":false}],"#
                + valid, 404, 0
        ),
        (
            #"{"matchers":[{"name":"a","value":"b","isRegex":false}],"#
                + valid.replacing("2999", with: "2026-01-02T00:00:00Z"),
            400, 400
        ),
        (#"{"matchers":[{"name":"a","value":"b","isRegex":false}],"# + valid.replacing("2999", with: "2025"), 400, 0),
    ]

    @Test(arguments: refusals)
    func refusalsHaveAlertmanagersShapes(body: String, status: Int, code: Int64) throws {
        let engine = try Engine()
        let answer = try post(try engine.fixture(), "/api/v2/silences", body)
        #expect(answer.status == status, "\(answer.text)")
        if code == 0 {
            #expect(answer.json.text?.isEmpty == false)
        } else {
            #expect(answer.json["code"]?.integer == code)
        }
        #expect(engine.silences.silences.all.isEmpty)
    }

    @Test func whoMayNotCannotChangeAnything() throws {
        let engine = try Engine()
        let fixture = try engine.fixture(token: "s3cret")
        #expect(try post(fixture, "/api/v2/silences", silence()).status == 401)
        #expect(try post(fixture, "/api/v2/alerts", Self.alerts).status == 401)
        let token: (name: String, value: String) = ("Authorization", "Bearer s3cret")
        let made = try post(fixture, "/api/v2/silences", silence(), headers: [token])
        let id = try #require(made.json["silenceID"]?.text)
        #expect(try fixture.send("/api/v2/silence/\(id)", method: "DELETE").status == 401)
        #expect(
            try post(fixture, "/api/v2/silences", silence(), headers: [token, ("Origin", "http://evil")]).status == 403)
        let form = try fixture.send(
            "/api/v2/silences", method: "POST", headers: [token, ("Content-Type", "text/plain")], body: silence())
        #expect(form.status == 415)
        #expect(engine.silences.silences.all.map { $0.state(at: .distantPast) } == [.pending])
        #expect(try fixture.send("/api/v2/silences").status == 200)
    }

    @Test func silencesThatDoNotExistAreNotFound() throws {
        let fixture = try Engine().fixture()
        let path = "/api/v2/silence/4d1bde97-0000-4000-8000-000000000000"
        #expect(try fixture.send(path).status == 404)
        #expect(try fixture.send(path, method: "DELETE").status == 404)
        let odd = try fixture.send("/api/v2/silence/xyz")
        #expect(odd.status == 422)
        #expect(try JSON(parsing: odd.body)["code"]?.integer == 601)
        #expect(try fixture.send(path, method: "POST").status == 405)
    }

    @Test func alertsFromOutsideAreShownWithWhatBecomesOfThem() throws {
        let engine = try Engine()
        let fixture = try engine.fixture()
        #expect(try post(fixture, "/api/v2/alerts", Self.alerts).status == 200)
        let alerts = try list(fixture, "/api/v2/alerts")
        #expect(alerts.compactMap { $0["labels"]?["alertname"]?.text }.sorted() == ["Down", "Slow"])
        let down = try #require(alerts.first { $0["labels"]?["alertname"] == "Down" })
        #expect(down["labels"]?.encoded == #"{"alertname":"Down","severity":"critical"}"#)
        #expect(down["receivers"]?.encoded == #"[{"name":"pager"},{"name":"team"}]"#)
        #expect(down["status"]?.encoded == #"{"inhibitedBy":[],"mutedBy":[],"silencedBy":[],"state":"active"}"#)
        #expect(down["generatorURL"] == "http://g/")
        let slow = try #require(alerts.first { $0["labels"]?["alertname"] == "Slow" })
        #expect(slow["startsAt"] == "2025-12-31T23:00:00Z")

        let made = try post(fixture, "/api/v2/silences", silence())
        let id = try #require(made.json["silenceID"]?.text)
        _ = try post(fixture, "/api/v2/alerts", #"[{"labels":{"alertname":"Outage"}}]"#)
        func names(_ query: String) throws -> [String] {
            try list(fixture, "/api/v2/alerts\(query)").compactMap { $0["labels"]?["alertname"]?.text }.sorted()
        }
        let after = try list(fixture, "/api/v2/alerts")
        let silenced = after.first { $0["labels"]?["alertname"] == "Down" }?["status"]
        #expect(silenced?.encoded == #"{"inhibitedBy":[],"mutedBy":[],"silencedBy":["\#(id)"],"state":"suppressed"}"#)
        let outage = try #require(after.first { $0["labels"]?["alertname"] == "Outage" }?["fingerprint"]?.text)
        let inhibited = after.first { $0["labels"]?["alertname"] == "Slow" }?["status"]
        #expect(inhibited?["inhibitedBy"]?.encoded == #"["\#(outage)"]"#)
        #expect(try names("?silenced=false") == ["Outage", "Slow"])
        #expect(try names("?inhibited=false") == ["Down", "Outage"])
        #expect(try names("?active=false") == ["Down", "Slow"])
        #expect(try names("?filter=severity%3D~%22crit.*%22") == ["Down"])
        #expect(try names("?filter=severity%3D%22%22&filter=alertname!%3DDown") == ["Outage"])
        #expect(try names("?receiver=pag.*") == ["Down"])
        #expect(try names("?receiver=pag") == [])
        #expect(try fixture.send("/api/v2/alerts?filter=x").status == 400)
        #expect(try fixture.send("/api/v2/alerts?receiver=(").status == 400)
    }

    @Test func groupsShowTheirReceiverAndWhyTheyAreQuiet() throws {
        let engine = try Engine()
        let fixture = try engine.fixture()
        _ = try post(fixture, "/api/v2/alerts", Self.alerts)
        func groups(_ query: String = "") throws -> [String] {
            try list(fixture, "/api/v2/alerts/groups\(query)").map { group in
                let muted = group["alerts"]?.elements?.first?["status"]?["mutedBy"]?.encoded ?? ""
                return "\(group["labels"]?["alertname"]?.text ?? "") \(group["receiver"]?["name"]?.text ?? "") \(muted)"
            }
        }
        #expect(try groups() == ["Down pager []", #"Down team ["always"]"#, "Slow team []"])
        #expect(try groups("?muted=false") == ["Down pager []", "Slow team []"])
        #expect(try groups("?receiver=pager") == ["Down pager []"])
        #expect(try groups("?filter=alertname%3DSlow") == ["Slow team []"])
    }

    private static let unsound: [(body: String, status: Int, reason: String)] = [
        ("", 422, "alerts in body is required"),
        ("{}", 400, #"parsing alerts body from "" failed, because expected a list"#),
        ("[{}]", 422, "0.labels in body is required"),
        (#"[{"labels":{}}]"#, 400, "at least one label pair required"),
        (#"[{"labels":{"":"b"}}]"#, 400, #"invalid label set: invalid name """#),
        (
            #"[{"labels":{"a":1}}]"#, 400,
            #"parsing alerts body from "" failed, because 0.labels: expected names with texts, each once"#
        ),
        (
            #"[{"labels":{"a":"b"},"startsAt":"2030-01-01T00:00:00Z","endsAt":"2029-01-01T00:00:00Z"}]"#, 400,
            "start time must be before end time"
        ),
        (
            #"[{"labels":{"a":"b"},"startsAt":"now"}]"#, 400,
            #"parsing alerts body from "" failed, because 0.startsAt: expected a time such as 2026-11-21T09:30:00Z"#
        ),
        (
            #"[{"labels":{"a":"b"},"generatorURL":"%zz"}]"#, 422,
            #"0.generatorURL in body must be of type uri: "%zz""#
        ),
        (#"[{"labels":{}},{"labels":{}}]"#, 400, "at least one label pair required; at least one label pair required"),
    ]

    @Test(arguments: unsound)
    func unsoundAlertsAreRefusedWithTheReason(body: String, status: Int, reason: String) throws {
        let answer = try post(try Engine().fixture(), "/api/v2/alerts", body)
        #expect(answer.status == status)
        #expect((answer.json.text ?? answer.json["message"]?.text) == reason)
    }

    @Test func soundAlertsAreTakenBesideUnsoundOnes() throws {
        let engine = try Engine()
        let fixture = try engine.fixture()
        let answer = try post(fixture, "/api/v2/alerts", #"[{"labels":{}},{"labels":{"alertname":"A"}}]"#)
        #expect(answer.status == 400)
        #expect(try list(fixture, "/api/v2/alerts").count == 1)
        engine.hasRoom.store(false, ordering: .relaxed)
        #expect(try post(fixture, "/api/v2/alerts", #"[{"labels":{"alertname":"A"}}]"#).status == 500)
        let many = "[" + String(repeating: "{},", count: 10_000) + "{}]"
        #expect(try post(fixture, "/api/v2/alerts", many).text == #""a request may have 10000 alerts, this has 10001""#)
    }

    @Test func statusAndReceiversAreShownWithoutSecrets() throws {
        let fixture = try Engine().fixture()
        #expect(try list(fixture, "/api/v2/receivers").map(\.encoded) == [#"{"name":"pager"}"#, #"{"name":"team"}"#])
        let status = try JSON(parsing: try fixture.send("/api/v2/status").body)
        #expect(status["cluster"]?.encoded == #"{"peers":[],"status":"disabled"}"#)
        #expect(status["versionInfo"]?["version"] == "0.34.0")
        let configuration = try #require(status["config"]?["original"]?.text)
        #expect(configuration.contains("routing_key: <secret>") && !configuration.contains("hunter2"))
    }
}
