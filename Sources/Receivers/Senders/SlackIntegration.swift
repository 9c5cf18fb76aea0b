internal import ConfigurationFields
internal import CurlHTTP
internal import JSON
internal import MetricModel
internal import YAML

/// Slack's incoming webhooks and `chat.postMessage`.
struct SlackIntegration: IntegrationSettings {
    static let kind = "slack"
    private static let longestTitle = 1024

    /// How later messages about a group appear.
    enum Strategy: String, Equatable, Sendable {
        case new
        /// Update the first message.
        case update
        /// Reply to the first message.
        case thread
    }

    struct Field: Equatable, Sendable {
        var title: String
        var value: String
        var isShort: Bool?
    }

    struct Action: Equatable, Sendable {
        var fields: [NamedText]
        var confirmation: [NamedText]
    }

    struct Thread: Equatable, Sendable {
        var resolveEmoji = ""
        var usesSummary = true
        var resolveColor = ""
    }

    var sendsResolved: Bool
    var http: HTTPSettings
    var url: HTTPSettings.Secret
    var token: HTTPSettings.Secret?
    var texts: [String: String] = [:]
    var fields: [Field]
    var hasShortFields: Bool
    var linksNames: Bool
    var markdownIn: [String]
    var actions: [Action]
    var strategy = Strategy.new
    var thread = Thread()
    var timeout: Milliseconds

    private static let defaults = [
        "color": "slack.default.color", "username": "slack.default.username", "title": "slack.default.title",
        "title_link": "slack.default.titlelink", "icon_emoji": "slack.default.iconemoji",
        "icon_url": "slack.default.iconurl", "pretext": "slack.default.pretext", "text": "slack.default.text",
        "fallback": "slack.default.fallback", "callback_id": "slack.default.callbackid",
        "footer": "slack.default.footer",
    ]

    init(_ reader: inout IntegrationReader) throws(YAMLError) {
        sendsResolved = try reader.sendsResolved(false)
        let hasOwnHTTP = reader.fields.node["http_config"] != nil
        http = try reader.http()
        for name in [
            "channel", "username", "color", "title", "title_link", "pretext", "text", "message_text", "footer",
            "fallback", "callback_id", "icon_emoji", "icon_url", "image_url", "thumb_url",
        ] {
            texts[name] = try reader.text(name, or: Self.defaults[name].map { "{{ template \"\($0)\" . }}" } ?? "")
        }
        fields = try reader.each("fields") { (reader) throws(YAMLError) in
            let field = Field(
                title: try reader.text("title"), value: try reader.text("value"),
                isShort: try reader.fields.optionalFlag("short"))
            if field.title.isEmpty { throw reader.fault("missing title in Slack field configuration") }
            if field.value.isEmpty { throw reader.fault("missing value in Slack field configuration") }
            return field
        }
        hasShortFields = try reader.flag("short_fields")
        linksNames = try reader.flag("link_names")
        markdownIn = try reader.fields.textList("mrkdwn_in")
        actions = try reader.each("actions") { (reader) throws(YAMLError) in try Self.action(&reader) }
        timeout = try reader.timeout() ?? .zero
        (url, token) = try Self.address(&reader, http, hasOwnHTTP: hasOwnHTTP)
        try readStrategy(&reader)
    }

    private static func address(
        _ reader: inout IntegrationReader, _ http: HTTPSettings, hasOwnHTTP: Bool
    ) throws(YAMLError) -> (HTTPSettings.Secret, HTTPSettings.Secret?) {
        let ownURL = try reader.secretURL("api_url")
        var token = try reader.secret("app_token")
        let appURL = try reader.url("app_url") ?? reader.global.slackAppURL
        if ownURL != nil, token != nil {
            throw reader.fault("at most one of api_url/api_url_file & app_token/app_token_file must be configured")
        }
        let authorizes = hasOwnHTTP && http.authentication != .none
        if token == nil, !authorizes, ownURL == nil { token = reader.global.slackAppToken }
        if let token {
            if http.authentication != .none {
                throw reader.fault("http authorization can't be set when using Slack App tokens")
            }
            return (.text(appURL), token)
        }
        guard let url = ownURL ?? reader.global.slackAPIURL else {
            throw reader.fault("no Slack API URL nor App token set either inline or in a file")
        }
        return (url, nil)
    }

    private static func action(_ reader: inout IntegrationReader) throws(YAMLError) -> Action {
        var texts: [String: String] = [:]
        for name in ["type", "text", "url", "style", "name", "value"] { texts[name] = try reader.text(name) }
        var confirmation: [NamedText] = []
        if let node = reader.fields.optional("confirm") {
            var inner = try FieldReader(node, path: reader.fields.path(of: "confirm"), file: reader.fields.file)
            for name in ["text", "title", "ok_text", "dismiss_text"] {
                confirmation.append(NamedText(name: name, text: try inner.optionalText(name) ?? ""))
            }
            try inner.finish()
            if confirmation[0].text.isEmpty { throw inner.fault("missing text in Slack confirmation configuration") }
        }
        if texts["type"]?.isEmpty != false { throw reader.fault("missing type in Slack action configuration") }
        if texts["text"]?.isEmpty != false { throw reader.fault("missing text in Slack action configuration") }
        if texts["url"]?.isEmpty == false {
            (texts["name"], texts["value"], confirmation) = ("", "", [])
        } else if texts["name"]?.isEmpty != false {
            throw reader.fault("missing name or url in Slack action configuration")
        }
        let names = ["type", "text", "url", "style", "name", "value"]
        return Action(fields: names.map { NamedText(name: $0, text: texts[$0] ?? "") }, confirmation: confirmation)
    }

    private mutating func readStrategy(_ reader: inout IntegrationReader) throws(YAMLError) {
        let updates = try reader.flag("update_message")
        let wanted = try reader.fields.optionalText("message_strategy")
        guard let strategy = wanted.map(Strategy.init(rawValue:)) ?? (updates ? .update : .new) else {
            throw reader.fault(
                "unknown message_strategy \"\(wanted ?? "")\"; must be \"new\", \"update\", or \"thread\"")
        }
        if updates, strategy != .update {
            throw reader.fault(
                "update_message: true is incompatible with message_strategy \"\(strategy.rawValue)\"; "
                    + "omit message_strategy or set message_strategy: \"update\"")
        }
        self.strategy = strategy
        if let node = reader.fields.optional("threaded_options") {
            guard strategy == .thread else {
                throw reader.fault("threaded_options requires message_strategy to be \"thread\"")
            }
            var inner = try FieldReader(
                node, path: reader.fields.path(of: "threaded_options"), file: reader.fields.file)
            thread.resolveEmoji = try inner.optionalText("resolve_emoji") ?? ""
            thread.usesSummary = try inner.optionalFlag("use_summary_header") ?? true
            if let node = inner.optional("summary_header") {
                guard thread.usesSummary else {
                    throw inner.fault("threaded_options.summary_header requires use_summary_header to be enabled")
                }
                var header = try FieldReader(node, path: inner.path(of: "summary_header"), file: inner.file)
                thread.resolveColor = try header.optionalText("resolve_color") ?? ""
                try header.finish()
            }
            try inner.finish()
        }
        guard strategy != .new, case .text(let address) = url else { return }
        guard address == "https://slack.com/api/chat.postMessage" || token != nil else {
            throw reader.fault(
                updates
                    ? "update_message can only be used with bot tokens. "
                        + "api_url must be set to https://slack.com/api/chat.postMessage"
                    : "message_strategy \"\(strategy.rawValue)\" requires a bot token; "
                        + "api_url must be https://slack.com/api/chat.postMessage")
        }
    }

    // MARK: Sending

    func send(_ delivery: inout Delivery) throws(DeliveryFailure) {
        let address = try delivery.read(url, "api_url")
        var body = try message(&delivery)
        let known = (thread: delivery.memory["threadTs"] ?? "", channel: delivery.memory["channelId"] ?? "")
        let hasParent = !known.thread.isEmpty && !known.channel.isEmpty
        switch strategy {
        case .new: _ = try post(body, address, delivery)
        case .update:
            if hasParent {
                Self.set(&body, [("channel", known.channel), ("ts", known.thread)])
                try remember(try post(body, Self.method("chat.update", address), delivery), &delivery)
            } else {
                try remember(try post(body, address, delivery), &delivery)
            }
        case .thread where thread.usesSummary: try sendSummarized(&body, address, &delivery)
        case .thread:
            if hasParent { Self.set(&body, [("channel", known.channel), ("thread_ts", known.thread)]) }
            let response = try post(body, address, delivery)
            if !hasParent { try remember(response, &delivery) }
            react(address, &delivery)
        }
    }

    /// The first message of a thread is a summary that is kept up to date. Every message is a reply to it.
    private func sendSummarized(
        _ body: inout [JSON.Member], _ address: String, _ delivery: inout Delivery
    ) throws(DeliveryFailure) {
        var history = (delivery.memory["transitions"] ?? "").split(separator: "|").map(String.init)
        switch delivery.message.reason {
        case .first, .newAlerts: history.append("FIRING")
        case .someResolved: history.append("PARTIAL RESOLVE")
        case .allResolved: history.append("RESOLVED")
        case .repeated, .acknowledged: break
        }
        let title = delivery.truncated(
            Self.title(history, delivery.message.commonLabels["alertname"] ?? ""), to: Self.longestTitle, "title")
        let isOver = delivery.message.reason == .allResolved && !thread.resolveColor.isEmpty
        let color = try delivery.text(isOver ? thread.resolveColor : texts["color"] ?? "")
        let summary: JSON = .array([
            .object(
                JSON.texts([("title", title)]) + [
                    .init("text", ""), .init("fallback", ""), .init("callback_id", ""), .init("footer", ""),
                ] + JSON.texts([("color", color)]))
        ])
        let isNew = delivery.memory["threadTs"] == nil || delivery.memory["channelId"] == nil
        if isNew {
            var parent = body.filter { $0.name != "text" }
            Self.set(&parent, "attachments", summary)
            try remember(try post(parent, address, delivery), &delivery)
        }
        guard let parent = delivery.memory["threadTs"], let channel = delivery.memory["channelId"] else {
            throw DeliveryFailure("Slack's response has no channel or ts", isRetryable: false)
        }
        Self.set(&body, [("channel", channel), ("thread_ts", parent)])
        _ = try post(body, address, delivery)
        if !isNew {
            let update: [JSON.Member] = [
                .init("channel", .string(channel)), .init("ts", .string(parent)), .init("attachments", summary),
            ]
            do throws(DeliveryFailure) {
                _ = try post(update, Self.method("chat.update", address), delivery)
            } catch {
                delivery.remark("the summary of the thread was not updated: \(error.reason)")
            }
        }
        delivery.memory["transitions"] = history.joined(separator: "|")
        react(address, &delivery)
    }

    /// `FIRING (2) → RESOLVED: Name`.
    private static func title(_ history: [String], _ name: String) -> String {
        var runs: [(label: String, count: Int)] = []
        for label in history {
            if runs.last?.label == label { runs[runs.count - 1].count += 1 } else { runs.append((label, 1)) }
        }
        if runs.isEmpty { return name }
        let text = runs.map { $0.count > 1 ? "\($0.label) (\($0.count))" : $0.label }.joined(separator: " → ")
        return name.isEmpty ? text : "\(text): \(name)"
    }

    /// Adds a reaction to the first message when everything is resolved.
    private func react(_ address: String, _ delivery: inout Delivery) {
        guard delivery.message.reason == .allResolved, !thread.resolveEmoji.isEmpty,
            let parent = delivery.memory["threadTs"], let channel = delivery.memory["channelId"]
        else { return }
        let body: [JSON.Member] = [
            .init("channel", .string(channel)), .init("name", .string(thread.resolveEmoji)),
            .init("timestamp", .string(parent)),
        ]
        do throws(DeliveryFailure) {
            _ = try post(body, Self.method("reactions.add", address), delivery, ignoring: "already_reacted")
        } catch {
            delivery.remark("the reaction was not added: \(error.reason)")
        }
    }

    private static func method(_ name: String, _ address: String) -> String {
        guard let slash = address.lastIndex(of: "/") else { return address }
        return "\(address[..<slash])/\(name)"
    }

    private static func set(_ members: inout [JSON.Member], _ pairs: [(String, String)]) {
        for (name, value) in pairs { set(&members, name, .string(value)) }
    }

    private static func set(_ members: inout [JSON.Member], _ name: String, _ value: JSON) {
        members.removeAll { $0.name == name }
        let order = [
            "channel", "ts", "thread_ts", "username", "icon_emoji", "icon_url", "link_names", "text", "attachments",
        ]
        members.append(.init(name, value))
        members.sort { (order.firstIndex(of: $0.name) ?? 99) < (order.firstIndex(of: $1.name) ?? 99) }
    }

    private func remember(_ response: JSON?, _ delivery: inout Delivery) throws(DeliveryFailure) {
        guard let time = response?["ts"]?.text, let channel = response?["channel"]?.text else { return }
        delivery.memory["threadTs"] = time
        delivery.memory["channelId"] = channel
    }

    /// Posts a message and reads Slack's response.
    private func post(
        _ members: [JSON.Member], _ address: String, _ delivery: Delivery, ignoring ignored: String = ""
    ) throws(DeliveryFailure) -> JSON? {
        var headers: [(name: String, value: String)] = []
        if let token { headers.append(("Authorization", "Bearer " + (try delivery.read(token, "app_token")))) }
        let response = try delivery.post(
            .object(members), to: address, http, headers: headers, timeout: timeout.rawValue)
        let text = String(decoding: response.body, as: UTF8.self)
        guard response["content-type"]?.hasPrefix("application/json") == true else {
            if text != "ok" {
                throw DeliveryFailure("received an error response from Slack: \(text.prefix(200))", isRetryable: false)
            }
            return nil
        }
        guard let json = try? JSON(parsing: text) else {
            throw DeliveryFailure("Slack answered with malformed JSON", isRetryable: true)
        }
        if json["ok"]?.bool != true, json["error"]?.text != ignored || ignored.isEmpty {
            throw DeliveryFailure("error response from Slack: \(json["error"]?.text ?? "")", isRetryable: false)
        }
        return json
    }

    private func message(_ delivery: inout Delivery) throws(DeliveryFailure) -> [JSON.Member] {
        func text(_ name: String) throws(DeliveryFailure) -> String { try delivery.text(texts[name] ?? "") }
        let title = delivery.truncated(try text("title"), to: Self.longestTitle, "title")
        var attachment = JSON.texts([
            ("title", title), ("title_link", try text("title_link")), ("pretext", try text("pretext")),
        ])
        for name in ["text", "fallback"] { attachment.append(.init(name, .string(try text(name)))) }
        let identifier = try text("callback_id")
        // Slack sends nothing for buttons of an attachment without it.
        let isAnswered = identifier.isEmpty && delivery.message.buttons.contains { $0.slackValue != nil }
        attachment.append(.init("callback_id", .string(isAnswered ? "tribune" : identifier)))
        let fields = try self.fields(delivery)
        if !fields.isEmpty { attachment.append(.init("fields", .array(fields))) }
        var actions = try self.actions(delivery)
        // Buttons of the configuration are there in their place.
        if actions.isEmpty { actions = delivery.message.buttons.compactMap(Self.button) }
        if !actions.isEmpty { attachment.append(.init("actions", .array(actions))) }
        attachment += JSON.texts([("image_url", try text("image_url")), ("thumb_url", try text("thumb_url"))])
        attachment.append(.init("footer", .string(try text("footer"))))
        attachment += JSON.texts([("color", try text("color"))])
        let markdown = markdownIn.isEmpty ? ["fallback", "pretext", "text"] : markdownIn
        attachment.append(.init("mrkdwn_in", .array(markdown.map { .string($0) })))
        var members = JSON.texts([
            ("channel", try text("channel")), ("username", try text("username")),
            ("icon_emoji", try text("icon_emoji")), ("icon_url", try text("icon_url")),
        ])
        if linksNames { members.append(.init("link_names", true)) }
        members += JSON.texts([("text", try text("message_text"))])
        members.append(.init("attachments", .array([.object(attachment)])))
        return members
    }

    private static func button(_ button: Message.Button) -> JSON? {
        let style = button.name == "acknowledge" ? "primary" : "default"
        var fields = [("type", "button"), ("text", button.title), ("style", style)]
        if let value = button.slackValue {
            fields += [("name", button.name), ("value", value)]
        } else if let link = button.link {
            fields.append(("url", link))
        } else {
            return nil
        }
        return .object(JSON.texts(fields))
    }

    private func fields(_ delivery: Delivery) throws(DeliveryFailure) -> [JSON] {
        var result: [JSON] = []
        for field in fields {
            result.append(
                .object(
                    JSON.texts([
                        ("title", try delivery.text(field.title)), ("value", try delivery.text(field.value)),
                    ]) + [.init("short", .bool(field.isShort ?? hasShortFields))]))
        }
        return result
    }

    private func actions(_ delivery: Delivery) throws(DeliveryFailure) -> [JSON] {
        var result: [JSON] = []
        for action in actions {
            var members: [(String, String)] = []
            for field in action.fields { members.append((field.name, try delivery.text(field.text))) }
            var json = JSON.texts(members)
            if !action.confirmation.isEmpty {
                var confirmation: [(String, String)] = []
                for field in action.confirmation { confirmation.append((field.name, try delivery.text(field.text))) }
                json.append(.init("confirm", .object(JSON.texts(confirmation))))
            }
            result.append(.object(json))
        }
        return result
    }
}
