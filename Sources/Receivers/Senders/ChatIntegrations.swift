internal import ConfigurationFields
internal import CurlHTTP
internal import JSON
internal import MetricModel
internal import Runtime
internal import YAML

/// Telegram's Bot API.
struct TelegramIntegration: IntegrationSettings {
    static let kind = "telegram"
    private static let longestMessage = 4096

    var sendsResolved: Bool
    var http: HTTPSettings
    var url: String
    var token: HTTPSettings.Secret
    var chat: HTTPSettings.Secret
    var threadID: Int
    var message: String
    var isSilent: Bool
    var parseMode: String
    var timeout: Milliseconds

    init(_ reader: inout IntegrationReader) throws(YAMLError) {
        sendsResolved = try reader.sendsResolved(true)
        http = try reader.http()
        url = try reader.url("api_url") ?? reader.global.telegramURL
        let ownToken = try reader.secret("bot_token")
        let hasChat = reader.fields.node["chat_id"] != nil && reader.fields.node["chat_id"]?.text != "0"
        let chatFile = try reader.fields.optionalText("chat_id_file")
        let chatID = try reader.fields.optionalInteger("chat_id") ?? 0
        guard hasChat || chatFile != nil else {
            throw reader.fault("missing chat_id or chat_id_file on telegram_config")
        }
        if hasChat, chatFile != nil { throw reader.fault("at most one of chat_id & chat_id_file must be configured") }
        chat = chatFile.map { .file(Paths.resolve($0, from: reader.directory)) } ?? .text(String(chatID))
        threadID = try reader.fields.optionalInteger("message_thread_id") ?? 0
        message = try reader.text("message", or: #"{{ template "telegram.default.message" . }}"#)
        isSilent = try reader.flag("disable_notifications")
        parseMode = try reader.text("parse_mode", or: "HTML")
        guard ["", "Markdown", "MarkdownV2", "HTML"].contains(parseMode) else {
            throw reader.fault(
                "unknown parse_mode on telegram_config, must be Markdown, MarkdownV2, HTML or empty string")
        }
        timeout = try reader.timeout() ?? .zero
        guard let token = ownToken ?? reader.global.telegramToken else {
            throw reader.fault("missing bot_token or bot_token_file on telegram_config")
        }
        self.token = token
    }

    func send(_ delivery: inout Delivery) throws(DeliveryFailure) {
        let full = parseMode == "HTML" ? try delivery.html(message) : try delivery.text(message)
        let text = delivery.truncated(full, to: Self.longestMessage, "message")
        var members = JSON.texts([("chat_id", try delivery.read(chat, "chat_id"))])
        if isSilent { members.append(.init("disable_notification", "true")) }
        members.append(.init("disable_web_page_preview", "true"))
        if threadID != 0 { members.append(.init("message_thread_id", .string(String(threadID)))) }
        members += JSON.texts([("parse_mode", parseMode), ("text", text)])
        let address = "\(url)/bot\(try delivery.read(token, "bot_token"))/sendMessage"
        try delivery.post(.object(members), to: address, http, timeout: timeout.rawValue)
    }
}

/// Discord's webhooks.
struct DiscordIntegration: IntegrationSettings {
    static let kind = "discord"

    var sendsResolved: Bool
    var http: HTTPSettings
    var url: HTTPSettings.Secret
    var content: String
    var title: String
    var message: String
    var username: String
    var avatarURL: String

    init(_ reader: inout IntegrationReader) throws(YAMLError) {
        sendsResolved = try reader.sendsResolved(true)
        http = try reader.http()
        guard let url = try reader.secretURL("webhook_url") else {
            throw reader.fault("one of webhook_url or webhook_url_file must be configured")
        }
        self.url = url
        content = try reader.text("content", or: #"{{ template "discord.default.content" . }}"#)
        title = try reader.text("title", or: #"{{ template "discord.default.title" . }}"#)
        message = try reader.text("message", or: #"{{ template "discord.default.message" . }}"#)
        username = try reader.text("username")
        avatarURL = try reader.text("avatar_url")
    }

    func send(_ delivery: inout Delivery) throws(DeliveryFailure) {
        let title = delivery.truncated(try delivery.text(self.title), to: 256, "title")
        let description = delivery.truncated(try delivery.text(message), to: 4096, "message")
        let content = delivery.truncated(try delivery.text(self.content), to: 2000, "content")
        let color: Int64 = delivery.message.isResolved ? 0x2ecc71 : 0x992d22
        let embed: JSON = [
            "title": .string(title), "description": .string(description), "color": .integer(color),
        ]
        let members: [JSON.Member] = [.init("content", .string(content)), .init("embeds", .array([embed]))]
        let rest = JSON.texts([
            ("username", try delivery.text(username)), ("avatar_url", try delivery.text(avatarURL)),
        ])
        try delivery.post(.object(members + rest), to: try delivery.read(url, "webhook_url"), http)
    }
}

/// Webex' messages.
struct WebexIntegration: IntegrationSettings {
    static let kind = "webex"
    private static let longestMessage = 7439

    var sendsResolved: Bool
    var http: HTTPSettings
    var url: String
    var message: String
    var room: String

    init(_ reader: inout IntegrationReader) throws(YAMLError) {
        sendsResolved = try reader.sendsResolved(true)
        let own = try HTTPSettings.section("http_config", of: &reader.fields, directory: reader.directory)
        http = own ?? reader.global.http
        url = try reader.url("api_url") ?? reader.global.webexURL
        message = try reader.text("message", or: #"{{ template "webex.default.message" . }}"#)
        room = try reader.text("room_id")
        if room.isEmpty { throw reader.fault("missing room_id on webex_config") }
        guard case .credentials = own?.authentication else {
            throw reader.fault("missing webex_configs.http_config.authorization")
        }
    }

    func send(_ delivery: inout Delivery) throws(DeliveryFailure) {
        var text = try delivery.text(message)
        if text.utf8.count > Self.longestMessage {
            delivery.remark("message was longer than \(Self.longestMessage) bytes and was cut")
            text = String(decoding: text.utf8.prefix(Self.longestMessage - 3), as: UTF8.self) + "…"
        }
        let room = try delivery.text(self.room)
        try delivery.post(["markdown": .string(text), "roomId": .string(room)], to: url, http)
    }
}

/// Microsoft Teams' connectors.
struct TeamsIntegration: IntegrationSettings {
    static let kind = "msteams"

    var sendsResolved: Bool
    var http: HTTPSettings
    var url: HTTPSettings.Secret
    var title: String
    var summary: String
    var text: String

    init(_ reader: inout IntegrationReader) throws(YAMLError) {
        sendsResolved = try reader.sendsResolved(true)
        http = try reader.http()
        guard let url = try reader.secretURL("webhook_url") else {
            throw reader.fault("one of webhook_url or webhook_url_file must be configured")
        }
        self.url = url
        title = try reader.text("title", or: #"{{ template "msteams.default.title" . }}"#)
        summary = try reader.text("summary", or: #"{{ template "msteams.default.summary" . }}"#)
        text = try reader.text("text", or: #"{{ template "msteams.default.text" . }}"#)
    }

    func send(_ delivery: inout Delivery) throws(DeliveryFailure) {
        var body: [JSON.Member] = [
            .init("@context", "http://schema.org/extensions"), .init("type", "MessageCard"),
            .init("title", .string(try delivery.text(title))), .init("summary", .string(try delivery.text(summary))),
            .init("text", .string(try delivery.text(text))),
            .init("themeColor", .string(delivery.message.isResolved ? "2DC72D" : "8C1A1A")),
        ]
        let links = delivery.message.buttons.compactMap { button -> JSON? in
            guard let link = button.link else { return nil }
            let targets: JSON = [["os": "default", "uri": .string(link)]]
            return ["@type": "OpenUri", "name": .string(button.title), "targets": targets]
        }
        if !links.isEmpty { body.append(.init("potentialAction", .array(links))) }
        try delivery.post(.object(body), to: try delivery.read(url, "webhook_url"), http)
    }
}

/// Microsoft Teams through Power Automate.
struct TeamsV2Integration: IntegrationSettings {
    static let kind = "msteamsv2"

    var sendsResolved: Bool
    var http: HTTPSettings
    var url: HTTPSettings.Secret
    var title: String
    var text: String

    init(_ reader: inout IntegrationReader) throws(YAMLError) {
        sendsResolved = try reader.sendsResolved(true)
        http = try reader.http()
        guard let url = try reader.secretURL("webhook_url") else {
            throw reader.fault("one of webhook_url or webhook_url_file must be configured")
        }
        self.url = url
        title = try reader.text("title", or: #"{{ template "msteamsv2.default.title" . }}"#)
        text = try reader.text("text", or: #"{{ template "msteamsv2.default.text" . }}"#)
    }

    func send(_ delivery: inout Delivery) throws(DeliveryFailure) {
        let heading: JSON = [
            "type": "TextBlock", "text": .string(try delivery.text(title)), "weight": "Bolder", "size": "Medium",
            "wrap": true, "style": "heading", "color": .string(delivery.message.isResolved ? "Good" : "Attention"),
        ]
        let block: JSON = ["type": "TextBlock", "text": .string(try delivery.text(text)), "wrap": true]
        var members: [JSON.Member] = [
            .init("$schema", "http://adaptivecards.io/schemas/adaptive-card.json"), .init("type", "AdaptiveCard"),
            .init("version", "1.2"), .init("body", .array([heading, block])), .init("msteams", ["width": "full"]),
        ]
        let links = delivery.message.buttons.compactMap { button -> JSON? in
            guard let link = button.link else { return nil }
            return ["type": "Action.OpenUrl", "title": .string(button.title), "url": .string(link)]
        }
        if !links.isEmpty { members.append(.init("actions", .array(links))) }
        let card = JSON.object(members)
        let attachment: JSON = [
            "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil, "content": card,
        ]
        try delivery.post(
            ["type": "message", "attachments": .array([attachment])], to: try delivery.read(url, "webhook_url"), http)
    }
}

/// Google Chat's webhooks. Alertmanager has no such receiver.
struct GoogleChatIntegration: IntegrationSettings {
    static let kind = "googlechat"
    private static let longestMessage = 4096

    var sendsResolved: Bool
    var http: HTTPSettings
    var url: HTTPSettings.Secret
    var message: String
    /// Whether all messages about a group form one thread.
    var threads: Bool

    init(_ reader: inout IntegrationReader) throws(YAMLError) {
        sendsResolved = try reader.sendsResolved(true)
        http = try reader.http()
        guard let url = try reader.secretURL("url") else {
            throw reader.fault("one of url or url_file must be configured")
        }
        self.url = url
        message = try reader.text("message", or: #"{{ template "googlechat.default.message" . }}"#)
        threads = try reader.flag("threading")
    }

    func send(_ delivery: inout Delivery) throws(DeliveryFailure) {
        var address = try delivery.read(url, "url")
        let text = delivery.truncated(try delivery.text(message), to: Self.longestMessage, "message")
        var members: [JSON.Member] = [.init("text", .string(text))]
        if threads {
            members.append(.init("thread", ["threadKey": .string(delivery.keyHash)]))
            address += (address.contains("?") ? "&" : "?") + "messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
        }
        try delivery.post(.object(members), to: address, http)
    }
}
