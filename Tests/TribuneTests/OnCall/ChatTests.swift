import CurlHTTP
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing

/// Buttons of chat messages, from the message to the page, with stand-ins that do what the vendors' documentation says.
@Suite struct ChatTests {
    private static let secret = "8f742231b10e8888abcd99yyyzzz85a5"

    /// Bodies of messages by the path that they were sent to.
    private final class Chats: Sendable {
        let bodies = Mutex<[String: [JSON]]>([:])

        func take(_ request: LoopbackServer.Request) -> LoopbackServer.Reply {
            let json = (try? JSON(parsing: request.body)) ?? .null
            bodies.withLock { $0[request.target, default: []].append(json) }
            return .ok("ok")
        }

        func last(_ path: String) -> JSON? { bodies.withLock { $0[path]?.last } }
    }

    private let chats = Chats()
    private let hook: LoopbackServer
    private let tribune: RunningTribune
    private let client = HTTPClient()

    init() throws {
        hook = LoopbackServer { [chats] in chats.take($0) }
        let files = [
            "slack.key": Self.secret, "in.key": "integration-key-0001",
            "alertmanager.yml": """
            route: {receiver: quiet}
            receivers:
            - {name: quiet}
            - {name: slack, slack_configs: [{api_url: '\(hook.url)/slack', channel: ops}]}
            - {name: mattermost, mattermost_configs: [{webhook_url: '\(hook.url)/mattermost'}]}
            - {name: teams, msteamsv2_configs: [{webhook_url: '\(hook.url)/teams'}]}
            - {name: cards, msteams_configs: [{webhook_url: '\(hook.url)/cards'}]}
            """,
            "oncall.yml": """
            people:
            - {name: ada, contacts: [{receiver: slack}], chat: {slack: U012AB3CD, mattermost: 4xp9fdt77pncbef59f4k1qe83o}}
            policies:
            - name: default
              steps: [{notify: [{person: ada}, {receiver: mattermost}, {receiver: teams}, {receiver: cards}]}]
            integrations: [{name: in, kind: pagerduty, key_file: in.key, policy: default}]
            chat: {slack: {signing_secret_file: slack.key}, mattermost: true}
            """,
        ]
        tribune = try RunningTribune(PagingWorld.files(hook, "", "", "", files, ""))
    }

    private func post(
        _ path: String, _ body: String, _ headers: [(name: String, value: String)]
    ) throws -> (status: Int, body: JSON) {
        var request = HTTPRequest(url: "http://127.0.0.1:\(tribune.port)\(path)")
        request.method = "POST"
        request.headers = headers
        request.body = Array(body.utf8)
        let answer = try client.send(request)
        return (answer.status, (try? JSON(parsing: answer.body)) ?? .null)
    }

    /// Opens a page and returns its id.
    private func open(_ title: String) throws -> String {
        let event = """
            {"routing_key":"integration-key-0001","event_action":"trigger","dedup_key":"\(title)",
             "payload":{"summary":"\(title)","source":"s","severity":"critical"}}
            """
        let opened = try post("/v2/enqueue", event, [("Content-Type", "application/json")])
        #expect(opened.status == 202)
        return try #require(try page(title)?["page"]?.text)
    }

    private func page(_ title: String) throws -> JSON? {
        let answer = try JSON(parsing: try tribune.get("/api/v1/oncall/pages?state=all").body)
        return answer["data"]?["pages"]?.elements?.first { $0["title"]?.text == title }
    }

    /// What Slack posts for a button, signed by Python's `hmac`.
    private func slack(
        _ payload: String, timestamp: Int64? = nil, secret: String = Self.secret
    ) throws -> (body: String, headers: [(name: String, value: String)]) {
        let body =
            "payload=" + payload.utf8.map { byte in "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
        let time = String(timestamp ?? SystemClock.wallMilliseconds() / 1000)
        let program =
            "import hmac,sys; print('v0=' + hmac.new(sys.argv[1].encode(), f'v0:{sys.argv[2]}:{sys.argv[3]}'.encode(), 'sha256').hexdigest())"
        let signature =
            ShellCommand.run("python3 -c \"\(program)\" \(secret) \(time) '\(body)'")
            .split(separator: "\n").first.map(String.init) ?? ""
        return (
            body,
            [
                ("Content-Type", "application/x-www-form-urlencoded"), ("X-Slack-Request-Timestamp", time),
                ("X-Slack-Signature", signature),
            ]
        )
    }

    private func payload(_ value: String, user: String = "U012AB3CD") -> String {
        """
        {"type":"interactive_message","actions":[{"name":"a","type":"button","value":"\(value)"}],"callback_id":"tribune",
         "team":{"id":"T1","domain":"t"},"user":{"id":"\(user)","name":"Ada L."},"response_url":"https://hooks.slack.com/actions/x"}
        """
    }

    private func value(_ name: String) -> String? {
        chats.last("/slack")?["attachments"]?.elements?.first?["actions"]?.elements?
            .first { $0["name"]?.text == name }?["value"]?.text
    }

    @Test func `Slack's buttons acknowledge, escalate and resolve as the person whose id presses them`() throws {
        let id = try open("disk")
        #expect(Loopback.eventually { value("acknowledge") != nil }, "\(tribune.log)")
        let attachment = try #require(chats.last("/slack")?["attachments"]?.elements?.first)
        #expect(attachment["callback_id"]?.text == "tribune")
        #expect(
            attachment["actions"]?.elements?.compactMap { $0["name"]?.text } == [
                "acknowledge", "resolve", "snooze", "escalate",
            ])
        let request = try slack(payload(try #require(value("acknowledge"))))
        let done = try post("/oncall/chat/slack", request.body, request.headers)
        #expect(done.status == 200)
        #expect(done.body["text"]?.text == "Page \(id) is acknowledged by ada.")
        #expect(done.body["response_type"]?.text == "ephemeral" && done.body["replace_original"]?.bool == false)
        #expect(try page("disk")?["state"]?.text == "acknowledged" && page("disk")?["by"]?.text == "ada")

        // The same request once more is an attack.
        #expect(try post("/oncall/chat/slack", request.body, request.headers).status == 409)
        let snooze = try slack(payload(try #require(value("snooze"))))
        #expect(try post("/oncall/chat/slack", snooze.body, snooze.headers).status == 200)
        #expect(try page("disk")?["state"]?.text == "snoozed")
        // A block names its button and user in other words.
        let block = """
            {"type":"block_actions","user":{"id":"U012AB3CD","username":"ada"},
             "actions":[{"action_id":"a","block_id":"b","type":"button","value":"\(try #require(value("resolve")))"}]}
            """
        let resolve = try slack(block)
        #expect(
            try post("/oncall/chat/slack", resolve.body, resolve.headers).body["text"]?.text
                == "Page \(id) is resolved by ada.")
        #expect(try page("disk")?["state"]?.text == "resolved")
        let events = try JSON(parsing: try tribune.get("/api/v1/history/events?limit=100&kind=acknowledgement").body)
        let actor = events["data"]?["events"]?.elements?.last { $0["body"]?["state"]?.text == "acknowledged" }?["actor"]
        #expect(
            actor?["identity"]?.text == "ada" && actor?["method"]?.text == "slack"
                && actor?["claimed"]?.text == "Ada L.")
    }

    @Test func `what Slack did not sign, is old, or is pressed by a stranger does nothing`() throws {
        _ = try open("load")
        #expect(Loopback.eventually { value("resolve") != nil })
        let good = payload(try #require(value("resolve")))
        let now = SystemClock.wallMilliseconds() / 1000
        for (request, status) in [
            (try slack(good, secret: "another-secret-0123456789"), 403), (try slack(good, timestamp: now - 301), 403),
            (try slack(good, timestamp: now + 400), 403), (try slack(payload("x.y")), 403),
            (try slack("nonsense"), 400),
        ] {
            #expect(try post("/oncall/chat/slack", request.body, request.headers).status == status)
        }
        let unsigned = try slack(good)
        #expect(try post("/oncall/chat/slack", unsigned.body, [unsigned.headers[0]]).status == 403)
        #expect(try post("/oncall/chat/slack", unsigned.body + "1", unsigned.headers).status == 403)
        let stranger = try slack(payload(try #require(value("resolve")), user: "U999"))
        let answer = try post("/oncall/chat/slack", stranger.body, stranger.headers)
        #expect(answer.body["text"]?.text == "U999 is nobody's id at slack in oncall.yml, so nothing was done.")
        // A text of Mattermost's button is none of Slack's.
        let other = try #require(mattermost("resolve"))
        let mixed = try slack(payload(other))
        #expect(try post("/oncall/chat/slack", mixed.body, mixed.headers).status == 403)
        #expect(try page("load")?["state"]?.text == "escalating")
    }

    private func mattermost(_ id: String) -> String? {
        action(id)?["integration"]?["context"]?["token"]?.text
    }

    private func action(_ id: String) -> JSON? {
        chats.last("/mattermost")?["attachments"]?.elements?.last?["actions"]?.elements?.first { $0["id"]?.text == id }
    }

    @Test func `Mattermost's buttons carry a text that only its server sends back`() throws {
        let id = try open("queue")
        #expect(Loopback.eventually { mattermost("acknowledge") != nil })
        let button = try #require(action("acknowledge"))
        #expect(button["name"]?.text == "Acknowledge" && button["type"]?.text == "button")
        #expect(button["integration"]?["url"]?.text?.hasSuffix("/oncall/chat/mattermost") == true)
        func press(_ token: String, user: String) throws -> (status: Int, body: JSON) {
            let body = """
                {"user_id":"\(user)","user_name":"ada","channel_id":"c","team_id":"t","post_id":"p","trigger_id":"x","type":"button",
                 "context":{"token":"\(token)"}}
                """
            return try post("/oncall/chat/mattermost", body, [("Content-Type", "application/json")])
        }
        let token = try #require(mattermost("acknowledge"))
        #expect(try press("x.y", user: "4xp9fdt77pncbef59f4k1qe83o").status == 403)
        #expect(
            try press(token, user: "someone").body["ephemeral_text"]?.text
                == "someone is nobody's id at mattermost in oncall.yml, so nothing was done.")
        #expect(try page("queue")?["state"]?.text == "escalating")
        let done = try press(token, user: "4xp9fdt77pncbef59f4k1qe83o")
        #expect(done.body["ephemeral_text"]?.text == "Page \(id) is acknowledged by ada.")
        #expect(
            try press(token, user: "4xp9fdt77pncbef59f4k1qe83o").body["ephemeral_text"]?.text
                == "Nothing to do: acknowledged by ada before.")
        #expect(try page("queue")?["state"]?.text == "acknowledged")
    }

    @Test func `Teams has the signed links as buttons`() throws {
        _ = try open("net")
        #expect(Loopback.eventually { chats.last("/teams") != nil && chats.last("/cards") != nil })
        let card = chats.last("/teams")?["attachments"]?.elements?.first?["content"]
        let actions = card?["actions"]?.elements ?? []
        #expect(actions.compactMap { $0["title"]?.text } == ["Acknowledge", "Resolve"])
        #expect(actions.allSatisfy { $0["type"]?.text == "Action.OpenUrl" })
        let link = try #require(actions.first?["url"]?.text)
        let path = String(link[try #require(link.firstRange(of: "/oncall/")).lowerBound...])
        #expect(try post(path, "", []).status == 200)
        #expect(try page("net")?["state"]?.text == "acknowledged")
        let targets = chats.last("/cards")?["potentialAction"]?.elements ?? []
        #expect(targets.compactMap { $0["name"]?.text } == ["Acknowledge", "Resolve"])
        #expect(
            targets.allSatisfy {
                $0["@type"]?.text == "OpenUri"
                    && $0["targets"]?.elements?.first?["uri"]?.text?.contains("/oncall/links/") == true
            })
    }
}
