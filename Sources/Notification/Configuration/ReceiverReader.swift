internal import Runtime
internal import YAML

/// Reads receivers. Integrations that do not exist here are refused by name.
struct ReceiverReader {
    let global: GlobalSettings
    let file: String

    mutating func receiver(_ node: YAMLNode, path: String) throws(YAMLError) -> Receiver {
        var fields = try FieldReader(node, path: path, file: file)
        var integrations: [Integration] = []
        let name = try fields.text("name")
        for (index, element) in try fields.list("webhook_configs").enumerated() {
            integrations.append(.webhook(try webhook(element, path: "\(path).webhook_configs[\(index)]")))
        }
        for (index, element) in try fields.list("pagerduty_configs").enumerated() {
            integrations.append(.pagerDuty(try pagerDuty(element, path: "\(path).pagerduty_configs[\(index)]")))
        }
        let supported: Set<String> = ["webhook_configs", "pagerduty_configs"]
        for other in fields.names where other.hasSuffix("_configs") && !supported.contains(other) {
            if let element = fields.optional(other), element.elements?.isEmpty == false {
                throw fields.fault(
                    "this kind of receiver is not supported; supported are webhook_configs and pagerduty_configs",
                    at: element, field: other)
            }
        }
        try fields.finish()
        return Receiver(name: name, integrations: integrations)
    }

    private func webhook(_ node: YAMLNode, path: String) throws(YAMLError) -> Integration.Webhook {
        var fields = try FieldReader(node, path: path, file: file)
        let webhook = Integration.Webhook(
            url: try url(&fields, "url"), maximumAlerts: try fields.optionalInteger("max_alerts") ?? 0,
            sendsResolved: try fields.optionalFlag("send_resolved") ?? true, headers: try httpConfig(&fields))
        try fields.finish()
        return webhook
    }

    private func pagerDuty(_ node: YAMLNode, path: String) throws(YAMLError) -> Integration.PagerDuty {
        var fields = try FieldReader(node, path: path, file: file)
        guard let key = try secret(&fields, "routing_key") else {
            throw fields.fault("one of \"routing_key\" and \"routing_key_file\" is required")
        }
        _ = try httpConfig(&fields)
        let pagerDuty = Integration.PagerDuty(
            routingKey: key, url: try fields.optionalText("url") ?? global.pagerDutyURL,
            sendsResolved: try fields.optionalFlag("send_resolved") ?? true,
            description: try fields.optionalText("description"), severity: try fields.optionalText("severity"),
            client: try fields.optionalText("client") ?? "Tribune", component: try fields.optionalText("component"),
            group: try fields.optionalText("group"), class: try fields.optionalText("class"))
        try fields.finish()
        return pagerDuty
    }

    /// `name`, or the content of the file that `name_file` points at.
    private func secret(_ fields: inout FieldReader, _ name: String) throws(YAMLError) -> Secret? {
        let inline = try fields.optionalText(name)
        guard let path = try fields.optionalText("\(name)_file") else { return inline.map { Secret($0) } }
        guard inline == nil else {
            throw fields.fault("at most one of \"\(name)\" and \"\(name)_file\" may be given")
        }
        guard let text = FileText.read(resolve(path)) else {
            throw fields.fault("cannot read \(path)", at: fields.optional("\(name)_file"), field: "\(name)_file")
        }
        return Secret(String(text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed()))
    }

    private func url(_ fields: inout FieldReader, _ name: String) throws(YAMLError) -> String {
        guard let url = try secret(&fields, name)?.value else {
            throw fields.fault("the field \"\(name)\" is required")
        }
        guard url.hasPrefix("http://") || url.hasPrefix("https://") else {
            throw fields.fault("expected a URL with http or https", at: fields.optional(name), field: name)
        }
        return url
    }

    /// The `authorization` of an `http_config`; everything else in it is refused by name.
    private func httpConfig(_ fields: inout FieldReader) throws(YAMLError) -> [Integration.Header] {
        guard let node = fields.optional("http_config") else { return [] }
        var inner = try FieldReader(node, path: fields.path(of: "http_config"), file: file)
        var headers: [Integration.Header] = []
        if let node = inner.optional("authorization") {
            var authorization = try FieldReader(node, path: inner.path(of: "authorization"), file: file)
            let type = try authorization.optionalText("type") ?? "Bearer"
            if let secret = try secret(&authorization, "credentials") {
                headers.append(.init(name: "Authorization", value: Secret("\(type) \(secret.value)")))
            }
            try authorization.finish()
        }
        _ = try inner.optionalFlag("follow_redirects")
        try inner.finish()
        return headers
    }

    private func resolve(_ path: String) -> String {
        guard !path.hasPrefix("/"), let slash = file.lastIndex(of: "/") else { return path }
        return "\(file[..<slash])/\(path)"
    }
}
