internal import ConfigurationFields
internal import CurlHTTP
internal import JSON
internal import MetricModel
internal import YAML

/// Opsgenie's Alert API, version 2.
struct OpsGenieIntegration: IntegrationSettings {
    static let kind = "opsgenie"
    private static let longestMessage = 130
    private static let types: Set<String> = ["team", "teams", "user", "escalation", "schedule"]

    var sendsResolved: Bool
    var http: HTTPSettings
    var key: HTTPSettings.Secret
    var url: String
    var texts: [String: String] = [:]
    var details: [NamedText]
    /// Each with `id`, `name`, `username` and `type`.
    var responders: [[NamedText]]
    var updatesAlerts: Bool

    init(_ reader: inout IntegrationReader) throws(YAMLError) {
        sendsResolved = try reader.sendsResolved(true)
        http = try reader.http()
        for name in ["message", "description", "source", "entity", "actions", "tags", "note", "priority"] {
            let hasDefault = ["message", "description", "source"].contains(name)
            texts[name] = try reader.text(name, or: hasDefault ? "{{ template \"opsgenie.default.\(name)\" . }}" : "")
        }
        details = try reader.texts("details")
        responders = try reader.each("responders") { (reader) throws(YAMLError) in try Self.responder(&reader) }
        updatesAlerts = try reader.flag("update_alerts")
        let address = try reader.url("api_url") ?? reader.global.opsGenieURL
        url = address.hasSuffix("/") ? address : address + "/"
        guard let key = try reader.secret("api_key") ?? reader.global.opsGenieKey else {
            throw reader.fault("no global OpsGenie API Key set either inline or in a file")
        }
        self.key = key
    }

    private static func responder(_ reader: inout IntegrationReader) throws(YAMLError) -> [NamedText] {
        var fields: [NamedText] = []
        for name in ["id", "name", "username", "type"] {
            fields.append(NamedText(name: name, text: try reader.text(name)))
        }
        if fields.prefix(3).allSatisfy({ $0.text.isEmpty }) {
            throw reader.fault("opsGenieConfig responder has to have at least one of id, username or name specified")
        }
        if !fields[3].text.contains("{{") {
            fields[3].text = fields[3].text.lowercased()
            guard types.contains(fields[3].text) else {
                throw reader.fault(
                    "opsGenieConfig responder type does not match valid options ^(team|teams|user|escalation|schedule)$"
                )
            }
        }
        return fields
    }

    func send(_ delivery: inout Delivery) throws(DeliveryFailure) {
        let apiKey = try delivery.text(try delivery.read(key, "api_key"))
        let headers = [(name: "Authorization", value: "GenieKey \(apiKey)")]
        let alias = delivery.keyHash
        let source = try delivery.text(texts["source"] ?? "")
        if delivery.message.isResolved {
            let address = "\(url)v2/alerts/\(alias)/close?identifierType=alias"
            try delivery.post(["source": .string(source)], to: address, http, headers: headers)
            return
        }
        let (message, description) = try create(alias, source, headers, &delivery)
        guard updatesAlerts else { return }
        for (name, text) in [("message", message), ("description", description)] {
            try delivery.post(
                .object(JSON.texts([(name, text)])), to: "\(url)v2/alerts/\(alias)/\(name)?identifierType=alias", http,
                headers: headers, method: "PUT")
        }
    }

    private func create(
        _ alias: String, _ source: String, _ headers: [(name: String, value: String)], _ delivery: inout Delivery
    ) throws(DeliveryFailure) -> (message: String, description: String) {
        func text(_ name: String) throws(DeliveryFailure) -> String { try delivery.text(texts[name] ?? "") }
        var values: [String: String] = [:]
        for label in delivery.message.commonLabels.pairs { values[label.name] = label.value }
        for detail in details { values[detail.name] = try delivery.text(detail.text) }
        let message = delivery.truncated(try text("message"), to: Self.longestMessage, "message")
        let description = try text("description")
        var members: [JSON.Member] = [.init("alias", .string(alias)), .init("message", .string(message))]
        members += JSON.texts([("description", description)])
        members.append(
            .init("details", .object(values.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })))
        members.append(.init("source", .string(source)))
        let responders = try self.responders(delivery)
        if !responders.isEmpty { members.append(.init("responders", .array(responders))) }
        let tags = Self.split(try text("tags"))
        if !tags.isEmpty { members.append(.init("tags", .array(tags))) }
        members += JSON.texts([
            ("note", try text("note")), ("priority", try text("priority")), ("entity", try text("entity")),
        ])
        let actions = Self.split(try text("actions"))
        if !actions.isEmpty { members.append(.init("actions", .array(actions))) }
        try delivery.post(.object(members), to: "\(url)v2/alerts", http, headers: headers)
        return (message, description)
    }

    private func responders(_ delivery: Delivery) throws(DeliveryFailure) -> [JSON] {
        var result: [JSON] = []
        for responder in responders {
            var members: [(String, String)] = []
            for field in responder { members.append((field.name, try delivery.text(field.text))) }
            // Responders that are empty for these alerts are omitted.
            if members.allSatisfy({ $0.1.isEmpty }) { continue }
            if members[3].1 == "teams" {
                for team in members[1].1.split(separator: ",") {
                    result.append(["name": .string(String(team)), "type": "team"])
                }
            } else {
                result.append(.object(JSON.texts(Array(members.prefix(3))) + [.init("type", .string(members[3].1))]))
            }
        }
        return result
    }

    private static func split(_ text: String) -> [JSON] {
        text.split(separator: ",").map { part in
            .string(String(part.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed()))
        }
        .filter { $0 != "" }
    }
}

/// VictorOps' (Splunk On-Call's) REST endpoint.
struct VictorOpsIntegration: IntegrationSettings {
    static let kind = "victorops"
    private static let longestMessage = 20_480
    private static let reserved = [
        "routing_key", "message_type", "state_message", "entity_display_name", "monitoring_tool", "entity_id",
        "entity_state",
    ]

    var sendsResolved: Bool
    var http: HTTPSettings
    var key: HTTPSettings.Secret
    var url: String
    var texts: [String: String] = [:]
    var customFields: [NamedText]

    init(_ reader: inout IntegrationReader) throws(YAMLError) {
        sendsResolved = try reader.sendsResolved(true)
        http = try reader.http()
        for name in ["state_message", "entity_display_name", "monitoring_tool"] {
            texts[name] = try reader.text(name, or: "{{ template \"victorops.default.\(name)\" . }}")
        }
        texts["message_type"] = try reader.text("message_type", or: "CRITICAL")
        texts["routing_key"] = try reader.text("routing_key")
        if texts["routing_key"] == "" { throw reader.fault("missing Routing key in VictorOps config") }
        customFields = try reader.texts("custom_fields")
        for field in customFields where Self.reserved.contains(field.name) {
            throw reader.fault(
                "victorOps config contains custom field \(field.name) which cannot be used as it conflicts with the "
                    + "fixed/static fields")
        }
        let address = try reader.url("api_url") ?? reader.global.victorOpsURL
        url = address.hasSuffix("/") ? address : address + "/"
        guard let key = try reader.secret("api_key") ?? reader.global.victorOpsKey else {
            throw reader.fault("no global VictorOps API Key set")
        }
        self.key = key
    }

    func send(_ delivery: inout Delivery) throws(DeliveryFailure) {
        func text(_ name: String) throws(DeliveryFailure) -> String { try delivery.text(texts[name] ?? "") }
        var type = try text("message_type")
        if !["INFO", "WARNING", "CRITICAL"].contains(type) { type = "CRITICAL" }
        if delivery.message.isResolved { type = "RECOVERY" }
        var values = [
            "message_type": type, "entity_id": delivery.keyHash,
            "entity_display_name": try text("entity_display_name"), "monitoring_tool": try text("monitoring_tool"),
        ]
        for field in customFields { values[field.name] = try delivery.text(field.text) }
        let address = "\(url)\(try delivery.read(key, "api_key"))/\(try text("routing_key"))"
        values["state_message"] = delivery.truncated(
            try text("state_message"), to: Self.longestMessage, "state_message")
        try delivery.post(
            .object(values.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) }), to: address, http)
    }
}

/// Pushover's messages.
struct PushoverIntegration: IntegrationSettings {
    static let kind = "pushover"

    var sendsResolved: Bool
    var http: HTTPSettings
    var userKey: HTTPSettings.Secret
    var token: HTTPSettings.Secret
    var texts: [String: String] = [:]
    var retry: Milliseconds
    var expire: Milliseconds
    var lifetime: Milliseconds
    var isHTML: Bool
    var isMonospace: Bool
    var url = "https://api.pushover.net/1/messages.json"

    init(_ reader: inout IntegrationReader) throws(YAMLError) {
        sendsResolved = try reader.sendsResolved(true)
        http = try reader.http()
        guard let userKey = try reader.secret("user_key") else {
            throw reader.fault("one of user_key or user_key_file must be configured")
        }
        guard let token = try reader.secret("token") else {
            throw reader.fault("one of token or token_file must be configured")
        }
        (self.userKey, self.token) = (userKey, token)
        for name in ["title", "message", "url"] {
            texts[name] = try reader.text(name, or: "{{ template \"pushover.default.\(name)\" . }}")
        }
        texts["priority"] = try reader.text("priority", or: #"{{ if eq .Status "firing" }}2{{ else }}0{{ end }}"#)
        for name in ["url_title", "device", "sound"] { texts[name] = try reader.text(name) }
        retry = try reader.timeout("retry") ?? .minutes(1)
        expire = try reader.timeout("expire") ?? .hours(1)
        lifetime = try reader.timeout("ttl") ?? .zero
        isHTML = try reader.flag("html")
        isMonospace = try reader.flag("monospace")
        if isHTML, isMonospace { throw reader.fault("at most one of monospace & html must be configured") }
    }

    func send(_ delivery: inout Delivery) throws(DeliveryFailure) {
        func text(_ name: String) throws(DeliveryFailure) -> String { try delivery.text(texts[name] ?? "") }
        var pairs = [
            ("token", try delivery.text(try delivery.read(token, "token"))),
            ("user", try delivery.text(try delivery.read(userKey, "user_key"))),
        ]
        let title = try text("title")
        let address = try text("url")
        pairs.append(("title", delivery.truncated(title, to: 250, "title")))
        if isHTML { pairs.append(("html", "1")) }
        if isMonospace { pairs.append(("monospace", "1")) }
        let template = texts["message"] ?? ""
        let full = isHTML ? try delivery.html(template) : try delivery.text(template)
        let cut = delivery.truncated(full, to: 1024, "message")
        let message = String(cut.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
        // Pushover rejects empty messages.
        pairs.append(("message", message.isEmpty ? "(no details)" : message))
        pairs.append(("url", delivery.truncated(address, to: 512, "url")))
        for name in ["url_title", "priority"] { pairs.append((name, try delivery.text(texts[name] ?? ""))) }
        pairs += [
            ("retry", String(retry.rawValue / 1000)), ("expire", String(expire.rawValue / 1000)),
            ("device", try delivery.text(texts["device"] ?? "")), ("sound", try delivery.text(texts["sound"] ?? "")),
        ]
        if lifetime > .zero { pairs.append(("ttl", String(lifetime.rawValue / 1000))) }
        let sorted = pairs.sorted { $0.0 < $1.0 }
        let request = HTTPRequest(
            method: "POST", url: "\(url)?\(FormText.encoded(sorted))", headers: [("Content-Type", "text/plain")],
            timeoutMilliseconds: Delivery.timeoutMilliseconds)
        try Delivery.check(try delivery.send(request, http))
    }
}
