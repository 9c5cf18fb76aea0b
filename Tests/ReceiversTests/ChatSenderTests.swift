import JSON
import Receivers
import Synchronization
import Testing

/// Chat integrations against stand-ins that check the requirements in the vendors' documentation.
@Suite struct ChatSenderTests {
    @Test func slackPostsAnAttachment() throws {
        let integration = try SenderFixture.integration(
            """
            slack_configs: [{api_url: 'https://hooks.slack.example/T/B/x', channel: ops, send_resolved: true,
              fields: [{title: Severity, value: '{{ .CommonLabels.severity }}', short: true}],
              actions: [{type: button, text: Runbook, url: 'http://r/{{ .CommonLabels.alertname }}', name: dropped}]}]
            """)
        #expect(integration.kind == "slack" && integration.sendsResolved)
        let slack = StandIn()
        try SenderFixture.send(integration, through: slack)
        let call = try #require(slack.calls.first)
        #expect(call.url == "https://hooks.slack.example/T/B/x")
        #expect(call.headers["content-type"] == "application/json")
        #expect(
            call.body
                == #"{"channel":"ops","username":"Alertmanager","attachments":[{"title":"[FIRING:1] Slow (critical)","#
                + #""title_link":"http://tribune:9190/#/alerts?receiver=team","text":"","#
                + #""fallback":"[FIRING:1] Slow (critical) | http://tribune:9190/#/alerts?receiver=team","callback_id":"","#
                + #""fields":[{"title":"Severity","value":"critical","short":true}],"#
                + #""actions":[{"type":"button","text":"Runbook","url":"http://r/Slow"}],"footer":"","color":"danger","#
                + #""mrkdwn_in":["fallback","pretext","text"]}]}"# + "\n")
    }

    @Test(arguments: [
        (200, "text/plain", "no_text", false), (500, "text/plain", "", true), (404, "text/plain", "no_team", false),
        (200, "application/json", #"{"ok":false,"error":"channel_not_found"}"#, false),
    ])
    func slackRefusals(status: Int, type: String, body: String, isRetryable: Bool) throws {
        let integration = try SenderFixture.integration("slack_configs: [{api_url: 'https://s/x', channel: c}]")
        let error = #expect(throws: DeliveryFailure.self) {
            try SenderFixture.send(integration, through: StandIn { _ in (status, type, body) })
        }
        #expect(error?.isRetryable == isRetryable)
        #expect(error?.reason.contains("https://s/x") == false)
    }

    /// Slack's Web API: every method requires a token, a channel and JSON, and returns channel and time of the message.
    private func slackAPI() -> StandIn {
        StandIn { call in
            func refuse(_ error: String) -> (status: Int, type: String, body: String) {
                (200, "application/json; charset=utf-8", #"{"ok":false,"error":"\#(error)"}"#)
            }
            guard call.headers["authorization"] == "Bearer xoxb-1" else { return refuse("not_authed") }
            guard call.json["channel"]?.text?.isEmpty == false else { return refuse("channel_not_found") }
            switch call.url {
            case "https://slack.com/api/chat.postMessage": break
            case "https://slack.com/api/chat.update":
                if call.json["ts"]?.text == nil { return refuse("message_not_found") }
            case "https://slack.com/api/reactions.add":
                if call.json["timestamp"]?.text == nil || call.json["name"]?.text == nil {
                    return refuse("no_reaction")
                }
            default: return refuse("unknown_method")
            }
            return (200, "application/json; charset=utf-8", #"{"ok":true,"channel":"C1","ts":"12.34"}"#)
        }
    }

    @Test func slackUpdatesItsFirstMessage() throws {
        let integration = try SenderFixture.integration(
            "slack_configs: [{app_token: xoxb-1, channel: '#ops', message_strategy: update}]")
        let slack = slackAPI()
        let first = try SenderFixture.send(integration, through: slack)
        #expect(first.memory == ["threadTs": "12.34", "channelId": "C1"])
        try SenderFixture.send(
            integration, through: slack, SenderFixture.message(resolved: true, reason: .allResolved),
            memory: first.memory)
        #expect(slack.calls.map { $0.url.split(separator: "/").last } == ["chat.postMessage", "chat.update"])
        #expect(slack.calls.last?.json["ts"]?.text == "12.34" && slack.calls.last?.json["channel"]?.text == "C1")
    }

    @Test func slackAnswersInAThreadUnderASummary() throws {
        let integration = try SenderFixture.integration(
            """
            slack_configs: [{app_token: xoxb-1, channel: '#ops', message_strategy: thread,
              threaded_options: {resolve_emoji: white_check_mark, summary_header: {resolve_color: good}}}]
            """)
        let slack = slackAPI()
        let first = try SenderFixture.send(integration, through: slack)
        let second = try SenderFixture.send(
            integration, through: slack, SenderFixture.message(reason: .newAlerts), memory: first.memory)
        try SenderFixture.send(
            integration, through: slack, SenderFixture.message(resolved: true, reason: .allResolved),
            memory: second.memory)
        let methods = slack.calls.map { String($0.url.split(separator: "/").last ?? "") }
        #expect(
            methods == [
                "chat.postMessage", "chat.postMessage", "chat.postMessage", "chat.update", "chat.postMessage",
                "chat.update", "reactions.add",
            ])
        #expect(slack.calls[1].json["thread_ts"]?.text == "12.34")
        let summary = slack.calls[5].json["attachments"]?.elements?.first
        #expect(summary?["title"]?.text == "FIRING (2) → RESOLVED: Slow" && summary?["color"]?.text == "good")
    }

    @Test func telegramGetsEscapedHTML() throws {
        let integration = try SenderFixture.integration(
            """
            telegram_configs: [{bot_token: '1:x', chat_id: -100123, message_thread_id: 7, disable_notifications: true,
              message: '{{ range .Alerts.Firing }}<b>{{ .Annotations.summary }}</b>{{ end }}'}]
            """)
        let telegram = StandIn { call in
            // The Bot API requires the token in the path, and rejects HTML with unknown tags.
            let text = call.json["text"]?.text ?? ""
            let isRight = call.url == "https://api.telegram.org/bot1:x/sendMessage" && !text.contains("<slow>")
            return isRight ? (200, "application/json", #"{"ok":true}"#) : (400, "application/json", #"{"ok":false}"#)
        }
        try SenderFixture.send(integration, through: telegram)
        #expect(
            telegram.calls.first?.json == [
                "chat_id": "-100123", "disable_notification": "true", "disable_web_page_preview": "true",
                "message_thread_id": "7", "parse_mode": "HTML", "text": "<b>a:1 is &lt;slow&gt; &amp; sad</b>",
            ])
    }

    @Test func discordGetsAnEmbed() throws {
        let integration = try SenderFixture.integration(
            "discord_configs: [{webhook_url: 'https://discord.example/api/webhooks/1/x', username: bot}]")
        let discord = StandIn { _ in (204, "", "") }
        try SenderFixture.send(integration, through: discord)
        try SenderFixture.send(integration, through: discord, SenderFixture.message(resolved: true))
        let embeds = discord.calls.map { $0.json["embeds"]?.elements?.first }
        #expect(embeds.map { $0?["color"]?.integer } == [0x992d22, 0x2ecc71])
        #expect(embeds[0]?["title"]?.text == "[FIRING:1] Slow (critical)")
        #expect(
            embeds[0]?["description"]?.text?.hasPrefix("\n\nAlerts Firing:\nLabels:\n - alertname = Slow\n") == true)
        #expect(discord.calls[0].json["content"]?.text == "" && discord.calls[0].json["username"]?.text == "bot")
    }

    @Test func teamsGetsACard() throws {
        let old = try SenderFixture.integration("msteams_configs: [{webhook_url: 'https://teams.example/hook'}]")
        let new = try SenderFixture.integration("msteamsv2_configs: [{webhook_url: 'https://teams.example/flow'}]")
        let teams = StandIn { _ in (200, "text/plain", "1") }
        try SenderFixture.send(old, through: teams)
        try SenderFixture.send(new, through: teams)
        let card = teams.calls[0].json
        #expect(card["@context"]?.text == "http://schema.org/extensions" && card["type"]?.text == "MessageCard")
        #expect(card["themeColor"]?.text == "8C1A1A" && card["summary"]?.text == "[FIRING:1] Slow (critical)")
        #expect(card["text"]?.text?.hasPrefix("\n\n# Alerts Firing:\n\nLabels:\n  - alertname = Slow\n") == true)
        let attachment = teams.calls[1].json["attachments"]?.elements?.first
        #expect(attachment?["contentType"]?.text == "application/vnd.microsoft.card.adaptive")
        #expect(attachment?["contentUrl"] == .null)
        let blocks = attachment?["content"]?["body"]?.elements ?? []
        #expect(
            blocks.map { $0["type"]?.text } == ["TextBlock", "TextBlock"] && blocks[0]["color"]?.text == "Attention")
    }

    @Test func webexNeedsAuthorizationAndSendsMarkdown() throws {
        let integration = try SenderFixture.integration(
            "webex_configs: [{room_id: 'r{{ .CommonLabels.alertname }}', http_config: {authorization: {credentials: c}}}]"
        )
        let webex = StandIn()
        try SenderFixture.send(integration, through: webex)
        let call = try #require(webex.calls.first)
        #expect(call.url == "https://webexapis.com/v1/messages" && call.headers["authorization"] == "Bearer c")
        #expect(call.json["roomId"]?.text == "rSlow" && call.json["markdown"]?.text?.contains("Alerts Firing") == true)
    }

    @Test func rocketChatSaysWhetherItTookTheMessage() throws {
        let text = "rocketchat_configs: [{token: t, token_id: i, channel: '#ops', api_url: 'https://chat.example/'}]"
        let integration = try SenderFixture.integration(text)
        let chat = StandIn { _ in (200, "application/json", #"{"success":true}"#) }
        try SenderFixture.send(integration, through: chat)
        let call = try #require(chat.calls.first)
        #expect(call.url == "https://chat.example/api/v1/chat.postMessage")
        #expect(call.headers["x-auth-token"] == "t" && call.headers["x-user-id"] == "i")
        #expect(call.json["attachments"]?.elements?.first?["color"]?.text == "red")
        let refused = StandIn { _ in (200, "application/json", #"{"success":false,"error":"no such channel"}"#) }
        let error = #expect(throws: DeliveryFailure.self) { try SenderFixture.send(integration, through: refused) }
        #expect(error == DeliveryFailure("error response from Rocketchat: no such channel", isRetryable: false))
    }

    @Test func mattermostChecksThePriority() throws {
        let integration = try SenderFixture.integration(
            """
            mattermost_configs: [{webhook_url: 'https://m.example/hooks/x', channel: ops,
              priority: {priority: Urgent, requested_ack: true, persistent_notifications: true}}]
            """)
        let mattermost = StandIn()
        try SenderFixture.send(integration, through: mattermost)
        let json = try #require(mattermost.calls.first?.json)
        #expect(json["priority"] == ["priority": "urgent", "requested_ack": true, "persistent_notifications": true])
        #expect(json["username"]?.text == "Alertmanager" && json["channel"]?.text == "ops")
        #expect(json["attachments"]?.elements?.first?["title"]?.text == "[FIRING:1] Slow (critical)")
    }

    @Test func googleChatKeepsAThreadForAGroup() throws {
        let integration = try SenderFixture.integration(
            "googlechat_configs: [{url: 'https://chat.googleapis.example/v1/spaces/A/messages?key=k', threading: true}]"
        )
        let chat = StandIn()
        try SenderFixture.send(integration, through: chat)
        let call = try #require(chat.calls.first)
        #expect(call.url.hasSuffix("?key=k&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"))
        #expect(call.json["thread"]?["threadKey"]?.text?.count == 64)
        #expect(call.json["text"]?.text?.hasPrefix("[FIRING:1] Slow") == true)
    }

    @Test func weChatFetchesATokenAndRenewsIt() throws {
        let integration = try SenderFixture.integration(
            "wechat_configs: [{api_secret: s, corp_id: c, api_url: 'https://we.example/cgi-bin', to_user: '@all', agent_id: '1'}]"
        )
        let issued = Mutex(0)
        let weChat = StandIn { call in
            if call.url.hasPrefix("https://we.example/cgi-bin/gettoken?corpid=c&corpsecret=s") {
                let number = issued.withLock {
                    $0 += 1; return $0
                }
                return (200, "application/json", #"{"errcode":0,"access_token":"t\#(number)"}"#)
            }
            let isCurrent = call.url == "https://we.example/cgi-bin/message/send?access_token=t2"
            return (200, "application/json", isCurrent ? #"{"errcode":0}"# : #"{"errcode":42001,"errmsg":"expired"}"#)
        }
        let error = #expect(throws: DeliveryFailure.self) { try SenderFixture.send(integration, through: weChat) }
        #expect(error == DeliveryFailure("expired", isRetryable: true))
        try SenderFixture.send(integration, through: weChat)
        let json = try #require(weChat.calls.last?.json)
        #expect(json["msgtype"]?.text == "text" && json["touser"]?.text == "@all" && json["safe"]?.text == "0")
        #expect(
            json["text"]?["content"]?.text?.hasSuffix("AlertmanagerUrl:\nhttp://tribune:9190/#/alerts?receiver=team")
                == true)
    }
}
