internal import ConfigurationFields
internal import CurlHTTP
internal import JSON
internal import MetricModel
internal import Runtime
internal import Synchronization
internal import YAML

/// Rocket.Chat's `chat.postMessage`.
struct RocketChatIntegration: IntegrationSettings {
    static let kind = "rocketchat"
    private static let longestTitle = 1024

    struct Field: Equatable, Sendable {
        var title: String
        var value: String
        var isShort: Bool?
    }

    var sendsResolved: Bool
    var http: HTTPSettings
    var url: String
    var token: HTTPSettings.Secret
    var tokenID: HTTPSettings.Secret
    var texts: [String: String] = [:]
    var fields: [Field]
    var hasShortFields: Bool
    /// Each with `text`, `url` and `msg`.
    var actions: [[NamedText]]

    init(_ reader: inout IntegrationReader) throws(YAMLError) {
        sendsResolved = try reader.sendsResolved(false)
        http = try reader.http()
        url = try reader.url("api_url") ?? reader.global.rocketChatURL
        let own = (token: try reader.secret("token"), id: try reader.secret("token_id"))
        for (name, template) in [
            ("emoji", "emoji"), ("icon_url", "iconurl"), ("text", "text"), ("title", "title"),
            ("title_link", "titlelink"),
        ] {
            texts[name] = try reader.text(name, or: "{{ template \"rocketchat.default.\(template)\" . }}")
        }
        texts["color"] = try reader.text("color", or: #"{{ if eq .Status "firing" }}red{{ else }}green{{ end }}"#)
        for name in ["channel", "image_url", "thumb_url"] { texts[name] = try reader.text(name) }
        fields = try reader.each("fields") { (reader) throws(YAMLError) in
            Field(
                title: try reader.text("title"), value: try reader.text("value"),
                isShort: try reader.fields.optionalFlag("short"))
        }
        hasShortFields = try reader.flag("short_fields")
        _ = try reader.flag("link_names")
        actions = try reader.each("actions") { (reader) throws(YAMLError) in try Self.action(&reader) }
        guard let tokenID = own.id ?? reader.global.rocketChatTokenID else {
            throw reader.fault("no global Rocketchat TokenID set either inline or in a file")
        }
        guard let token = own.token ?? reader.global.rocketChatToken else {
            throw reader.fault("no global Rocketchat Token set either inline or in a file")
        }
        (self.token, self.tokenID) = (token, tokenID)
    }

    private static func action(_ reader: inout IntegrationReader) throws(YAMLError) -> [NamedText] {
        // Only fields that Alertmanager sends are kept.
        for name in [
            "type", "image_url", "is_webview", "webview_height_ratio", "msg_in_chat_window", "msg_processing_type",
        ] {
            _ = reader.fields.optional(name)
        }
        var fields: [NamedText] = []
        for name in ["text", "url", "msg"] { fields.append(NamedText(name: name, text: try reader.text(name))) }
        return fields
    }

    func send(_ delivery: inout Delivery) throws(DeliveryFailure) {
        func text(_ name: String) throws(DeliveryFailure) -> String { try delivery.text(texts[name] ?? "") }
        let title = delivery.truncated(try text("title"), to: Self.longestTitle, "title")
        var attachment = JSON.texts([
            ("title", title), ("title_link", try text("title_link")), ("text", try text("text")),
            ("image_url", try text("image_url")), ("thumb_url", try text("thumb_url")), ("color", try text("color")),
        ])
        let fields = try self.fields(delivery)
        if !fields.isEmpty { attachment.append(.init("fields", .array(fields))) }
        var actions: [JSON] = []
        for action in self.actions {
            var members: [(String, String)] = [("type", "button")]
            for field in action { members.append((field.name, try delivery.text(field.text))) }
            actions.append(
                .object(
                    JSON.texts(Array(members.prefix(3))) + [.init("is_webview", false)]
                        + JSON.texts(Array(members.dropFirst(3))) + [.init("msg_in_chat_window", false)]))
        }
        if !actions.isEmpty { attachment.append(.init("actions", .array(actions))) }
        var members = JSON.texts([
            ("channel", try text("channel")), ("emoji", try text("emoji")), ("avatar", try text("icon_url")),
        ])
        members.append(.init("attachments", .array([.object(attachment)])))
        let base = url.hasSuffix("/") ? String(url.dropLast()) : url
        let response = try delivery.post(
            .object(members), to: "\(base)/api/v1/chat.postMessage", http,
            headers: [
                ("X-Auth-Token", try delivery.read(token, "token")),
                ("X-User-Id", try delivery.read(tokenID, "token_id")),
            ])
        guard let json = try? JSON(parsing: String(decoding: response.body, as: UTF8.self)) else {
            throw DeliveryFailure("Rocket.Chat answered with malformed JSON", isRetryable: true)
        }
        if json["success"]?.bool != true {
            throw DeliveryFailure("error response from Rocketchat: \(json["error"]?.text ?? "")", isRetryable: false)
        }
    }

    private func fields(_ delivery: Delivery) throws(DeliveryFailure) -> [JSON] {
        var result: [JSON] = []
        for field in fields {
            result.append(
                .object(
                    [.init("short", .bool(field.isShort ?? hasShortFields))]
                        + JSON.texts([
                            ("title", try delivery.text(field.title)), ("value", try delivery.text(field.value)),
                        ])))
        }
        return result
    }
}

/// Mattermost's incoming webhooks.
struct MattermostIntegration: IntegrationSettings {
    static let kind = "mattermost"
    private static let longestText = 16_383
    private static let attachmentTexts = [
        "fallback", "color", "pretext", "text", "author_name", "author_link", "author_icon", "title", "title_link",
        "thumb_url", "footer", "footer_icon", "image_url",
    ]
    private static let defaults = [
        "username": "username", "color": "color", "text": "text", "title": "title", "title_link": "titlelink",
        "fallback": "fallback",
    ]

    struct Field: Equatable, Sendable {
        var title: String
        var value: String
        var isShort: Bool?
    }

    struct Attachment: Equatable, Sendable {
        var texts: [String: String]
        var fields: [Field]
    }

    struct Priority: Equatable, Sendable {
        var name: String
        var wantsAcknowledgement: Bool
        var isPersistent: Bool
    }

    var sendsResolved: Bool
    var http: HTTPSettings
    var url: HTTPSettings.Secret
    var texts: [String: String] = [:]
    var own: Attachment
    var attachments: [Attachment]
    var card = ""
    var priority: Priority?

    init(_ reader: inout IntegrationReader) throws(YAMLError) {
        sendsResolved = try reader.sendsResolved(true)
        http = try reader.http()
        let address = try reader.secretURL("webhook_url")
        for name in ["channel", "username", "icon_url", "icon_emoji", "type"] {
            texts[name] = try reader.text(
                name, or: Self.defaults[name].map { "{{ template \"mattermost.default.\($0)\" . }}" } ?? "")
        }
        own = try Self.attachment(&reader, defaults: Self.defaults)
        attachments = try reader.each("attachments") { (reader) throws(YAMLError) in
            try Self.attachment(&reader, defaults: [:])
        }
        if let node = reader.fields.optional("props") {
            var fields = try FieldReader(node, path: reader.fields.path(of: "props"), file: reader.fields.file)
            card = try fields.optionalText("card") ?? ""
            try fields.finish()
        }
        if let node = reader.fields.optional("priority") {
            var fields = try FieldReader(node, path: reader.fields.path(of: "priority"), file: reader.fields.file)
            priority = Priority(
                name: try fields.optionalText("priority") ?? "",
                wantsAcknowledgement: try fields.optionalFlag("requested_ack") ?? false,
                isPersistent: try fields.optionalFlag("persistent_notifications") ?? false)
            try fields.finish()
        }
        guard let url = address ?? reader.global.mattermostURL else {
            throw reader.fault("missing webhook_url or webhook_url_file on mattermost_config")
        }
        self.url = url
    }

    private static func attachment(
        _ reader: inout IntegrationReader, defaults: [String: String]
    ) throws(YAMLError) -> Attachment {
        var texts: [String: String] = [:]
        for name in attachmentTexts {
            texts[name] = try reader.text(
                name, or: defaults[name].map { "{{ template \"mattermost.default.\($0)\" . }}" } ?? "")
        }
        let fields = try reader.each("fields") { (reader) throws(YAMLError) in
            let field = Field(
                title: try reader.text("title"), value: try reader.text("value"),
                isShort: try reader.fields.optionalFlag("short"))
            if field.title.isEmpty { throw reader.fault("missing title in Mattermost field configuration") }
            if field.value.isEmpty { throw reader.fault("missing value in Mattermost field configuration") }
            return field
        }
        return Attachment(texts: texts, fields: fields)
    }

    func send(_ delivery: inout Delivery) throws(DeliveryFailure) {
        func text(_ name: String) throws(DeliveryFailure) -> String { try delivery.text(texts[name] ?? "") }
        let body = delivery.truncated(
            try delivery.text(own.texts["text"] ?? ""), to: Self.longestText, "text")
        var members: [JSON.Member] = [.init("text", .string(body))]
        members += JSON.texts([
            ("channel", try text("channel")), ("username", try text("username")), ("icon_url", try text("icon_url")),
            ("icon_emoji", try text("icon_emoji")),
        ])
        var attached: [JSON] = []
        for attachment in attachments { attached.append(try json(attachment, delivery)) }
        if attachments.isEmpty {
            // The text is in the message itself.
            var single = own
            single.texts["text"] = ""
            attached = [try json(single, delivery)]
        }
        let buttons = delivery.message.buttons.compactMap(Self.button)
        if !buttons.isEmpty { attached.append(["fallback": "Answers", "actions": .array(buttons)]) }
        members.append(.init("attachments", .array(attached)))
        members += JSON.texts([("type", try text("type"))])
        if !card.isEmpty { members.append(.init("props", ["card": .string(try delivery.text(card))])) }
        if let priority = try prioritized(&delivery) { members.append(.init("priority", priority)) }
        try delivery.post(.object(members), to: try delivery.read(url, "webhook_url"), http)
    }

    /// A button that Mattermost posts to this service. It has none that open a page.
    private static func button(_ button: Message.Button) -> JSON? {
        guard let target = button.mattermost else { return nil }
        return [
            "id": .string(button.name), "name": .string(button.title), "type": "button",
            "integration": ["url": .string(target.url), "context": ["token": .string(target.token)]],
        ]
    }

    private func json(_ attachment: Attachment, _ delivery: Delivery) throws(DeliveryFailure) -> JSON {
        var members: [JSON.Member] = []
        for name in Self.attachmentTexts {
            members += JSON.texts([(name, try delivery.text(attachment.texts[name] ?? ""))])
        }
        var fields: [JSON] = []
        for field in attachment.fields {
            fields.append(
                .object(
                    JSON.texts([
                        ("title", try delivery.text(field.title)), ("value", try delivery.text(field.value)),
                    ]) + (field.isShort.map { [.init("short", .bool($0))] } ?? [])))
        }
        if !fields.isEmpty { members.append(.init("fields", .array(fields))) }
        return .object(members)
    }

    private func prioritized(_ delivery: inout Delivery) throws(DeliveryFailure) -> JSON? {
        guard let priority, !priority.name.isEmpty else { return nil }
        var name = try delivery.text(priority.name).lowercased()
        if !["urgent", "important", "standard"].contains(name) {
            delivery.remark("the priority \"\(name)\" does not exist; standard is used")
            name = "standard"
        }
        var members: [JSON.Member] = [.init("priority", .string(name))]
        if priority.wantsAcknowledgement, name != "standard" { members.append(.init("requested_ack", true)) }
        if priority.isPersistent, name == "urgent" { members.append(.init("persistent_notifications", true)) }
        return .object(members)
    }
}

/// WeChat Work's messages of applications.
struct WeChatIntegration: IntegrationSettings {
    static let kind = "wechat"

    var sendsResolved: Bool
    var http: HTTPSettings
    var url: String
    var secret: HTTPSettings.Secret
    var corporation: String
    var texts: [String: String] = [:]
    var type: String

    init(_ reader: inout IntegrationReader) throws(YAMLError) {
        sendsResolved = try reader.sendsResolved(false)
        http = try reader.http()
        for name in ["message", "to_user", "to_party", "to_tag", "agent_id"] {
            texts[name] = try reader.text(name, or: "{{ template \"wechat.default.\(name)\" . }}")
        }
        type = try reader.text("message_type", or: "text")
        guard type == "text" || type == "markdown" else {
            throw reader.fault("weChat message type \"\(type)\" does not match valid options ^(text|markdown)$")
        }
        let ownSecret = try reader.secret("api_secret")
        let address = try reader.url("api_url") ?? reader.global.weChatURL
        url = address.hasSuffix("/") ? address : address + "/"
        corporation = try reader.text("corp_id", or: reader.global.weChatCorpID)
        guard let secret = ownSecret ?? reader.global.weChatSecret else {
            throw reader.fault("no global Wechat Api Secret set either inline or in a file")
        }
        self.secret = secret
        if corporation.isEmpty { throw reader.fault("no global Wechat CorpID set") }
    }

    func send(_ delivery: inout Delivery) throws(DeliveryFailure) {
        func text(_ name: String) throws(DeliveryFailure) -> String { try delivery.text(texts[name] ?? "") }
        let token = try accessToken(delivery)
        let content: JSON = ["content": .string(try text("message"))]
        let empty: JSON = ["content": ""]
        var members: [JSON.Member] = [.init("text", type == "text" ? content : empty)]
        members += JSON.texts([
            ("touser", try text("to_user")), ("toparty", try text("to_party")), ("totag", try text("to_tag")),
            ("agentid", try text("agent_id")),
        ])
        members += [
            .init("safe", "0"), .init("msgtype", .string(type)),
            .init("markdown", type == "markdown" ? content : empty),
        ]
        let response = try delivery.post(
            .object(members), to: "\(url)message/send?access_token=\(FormText.escaped(token))", http)
        guard let json = try? JSON(parsing: String(decoding: response.body, as: UTF8.self)) else {
            throw DeliveryFailure("WeChat answered with malformed JSON", isRetryable: true)
        }
        let code = json["errcode"]?.integer ?? 0
        if code == 0 { return }
        // The token has expired.
        let isExpired = code == 42001
        if isExpired { WeChatTokens.forget(tokenKey(try delivery.read(secret, "api_secret"))) }
        throw DeliveryFailure(json["errmsg"]?.text ?? "error \(code)", isRetryable: isExpired)
    }

    private func tokenKey(_ secret: String) -> String { "\(url) \(corporation) \(secret)" }

    private func accessToken(_ delivery: Delivery) throws(DeliveryFailure) -> String {
        let secret = try delivery.text(try delivery.read(secret, "api_secret"))
        if let known = WeChatTokens.known(tokenKey(secret)) { return known }
        let query = FormText.encoded([("corpid", try delivery.text(corporation)), ("corpsecret", secret)])
        let response = try delivery.send(
            HTTPRequest(url: "\(url)gettoken?\(query)", timeoutMilliseconds: Delivery.timeoutMilliseconds), http)
        let json = try? JSON(parsing: String(decoding: response.body, as: UTF8.self))
        guard let token = json?["access_token"]?.text, !token.isEmpty else {
            throw DeliveryFailure("invalid APISecret for CorpID: \(corporation)", isRetryable: response.status >= 500)
        }
        WeChatTokens.keep(token, tokenKey(secret))
        return token
    }
}

/// WeChat's access tokens, each for two hours.
private enum WeChatTokens {
    private static let lifetimeNanoseconds: Int64 = 7_200_000_000_000
    private static let tokens = Mutex<[String: (token: String, since: Int64)]>([:])

    static func known(_ key: String) -> String? {
        let now = SystemClock.monotonicNanoseconds()
        return tokens.withLock { tokens in
            tokens[key].flatMap { now - $0.since < lifetimeNanoseconds ? $0.token : nil }
        }
    }

    static func keep(_ token: String, _ key: String) {
        let now = SystemClock.monotonicNanoseconds()
        tokens.withLock { tokens in
            if tokens.count >= 1000 { tokens = [:] }
            tokens[key] = (token, now)
        }
    }

    static func forget(_ key: String) { tokens.withLock { $0[key] = nil } }
}
