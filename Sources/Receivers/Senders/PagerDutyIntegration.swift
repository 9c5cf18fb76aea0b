internal import ConfigurationFields
internal import CurlHTTP
internal import JSON
internal import MetricModel
internal import YAML

/// PagerDuty's Events API, version 2 with `routing_key`, version 1 with `service_key`.
struct PagerDutyIntegration: IntegrationSettings {
    static let kind = "pagerduty"
    private static let versionOneURL = "https://events.pagerduty.com/generic/2010-04-15/create_event.json"
    private static let longestSummary = (one: 1024, two: 1024)
    /// The maximum size of an event, in bytes.
    private static let longestBody = 512_000

    enum Key: Equatable, Sendable {
        case routing(HTTPSettings.Secret)
        case service(HTTPSettings.Secret)
    }

    struct Link: Equatable, Sendable {
        /// `href` and `text` of a link; `src`, `alt` and `href` of an image.
        var fields: [NamedText]
    }

    var sendsResolved: Bool
    var sendsAcknowledgements: Bool { true }
    var http: HTTPSettings
    var key: Key
    var url: String
    var client: String
    var clientURL: String
    var description: String
    var details: [TemplatedJSON.Member]
    var images: [Link]
    var links: [Link]
    var source: String
    var severity: String
    var `class`: String
    var component: String
    var group: String
    var timeout: Milliseconds

    init(_ reader: inout IntegrationReader) throws(YAMLError) {
        sendsResolved = try reader.sendsResolved(true)
        http = try reader.http()
        let (service, routing) = (try reader.secret("service_key"), try reader.secret("routing_key"))
        if let service {
            key = .service(service)
        } else if let routing {
            key = .routing(routing)
        } else {
            throw reader.fault("missing service or routing key in PagerDuty config")
        }
        url = try reader.url("url") ?? (service == nil ? reader.global.pagerDutyURL : Self.versionOneURL)
        client = try reader.text("client", or: #"{{ template "pagerduty.default.client" . }}"#)
        clientURL = try reader.text("client_url", or: #"{{ template "pagerduty.default.clientURL" . }}"#)
        description = try reader.text("description", or: #"{{ template "pagerduty.default.description" .}}"#)
        details = [
            .init(name: "firing", value: .text(#"{{ template "pagerduty.default.instances" .Alerts.Firing }}"#)),
            .init(name: "resolved", value: .text(#"{{ template "pagerduty.default.instances" .Alerts.Resolved }}"#)),
            .init(name: "num_firing", value: .text("{{ .Alerts.Firing | len }}")),
            .init(name: "num_resolved", value: .text("{{ .Alerts.Resolved | len }}")),
        ]
        if let node = reader.fields.optional("details") {
            guard case .object(let members) = TemplatedJSON(node) else {
                throw reader.fields.fault("expected a mapping, got \(node.kind)", at: node, field: "details")
            }
            for member in members {
                details.removeAll { $0.name == member.name }
                // Numbers and booleans are converted to text.
                if let text = node[member.name]?.text {
                    details.append(.init(name: member.name, value: .text(text)))
                } else {
                    details.append(member)
                }
            }
        }
        images = try Self.links(&reader, "images", ["src", "alt", "href"])
        links = try Self.links(&reader, "links", ["href", "text"])
        source = try reader.text("source", or: client)
        severity = try reader.text("severity")
        `class` = try reader.text("class")
        component = try reader.text("component")
        group = try reader.text("group")
        timeout = try reader.timeout() ?? .zero
    }

    private static func links(
        _ reader: inout IntegrationReader, _ name: String, _ names: [String]
    ) throws(YAMLError) -> [Link] {
        try reader.each(name) { (reader) throws(YAMLError) in
            var fields: [NamedText] = []
            for name in names { fields.append(NamedText(name: name, text: try reader.text(name))) }
            return Link(fields: fields)
        }
    }

    func send(_ delivery: inout Delivery) throws(DeliveryFailure) {
        let expand = { [delivery] (template: String) throws(DeliveryFailure) in try delivery.text(template) }
        var details: [JSON.Member] = []
        for member in self.details { details.append(.init(member.name, try member.value.expanded(expand))) }
        details.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        var body = try event(&delivery, details)
        if body.json.utf8.count > Self.longestBody {
            delivery.remark("custom details were removed: the event was longer than \(Self.longestBody) bytes")
            let reason = "Custom details have been removed because the original event exceeds the maximum size of 512KB"
            body = try event(&delivery, [.init("error", .string(reason))])
        }
        var retried: Set<Int> = []
        // Version 1 uses 403 for rate limits.
        if case .service = key { retried = [403] }
        try delivery.post(body, to: url, http, timeout: timeout.rawValue, retried: retried)
    }

    private func event(_ delivery: inout Delivery, _ details: [JSON.Member]) throws(DeliveryFailure) -> JSON {
        switch key {
        case .routing(let secret): try versionTwo(&delivery, secret, details)
        case .service(let secret): try versionOne(&delivery, secret, details)
        }
    }

    private func action(_ delivery: Delivery) -> String {
        if delivery.message.reason == .acknowledged { return "acknowledge" }
        return delivery.message.isResolved ? "resolve" : "trigger"
    }

    private func versionOne(
        _ delivery: inout Delivery, _ secret: HTTPSettings.Secret, _ details: [JSON.Member]
    ) throws(DeliveryFailure) -> JSON {
        let summary = delivery.truncated(
            try delivery.text(description), to: Self.longestSummary.one, "description")
        let isTrigger = action(delivery) == "trigger"
        var members = JSON.texts([
            ("service_key", try delivery.text(try delivery.read(secret, "service_key"))),
            ("incident_key", delivery.keyHash), ("event_type", action(delivery)), ("description", summary),
        ])
        members += [.init("event_action", ""), .init("payload", .null)]
        if isTrigger {
            members += JSON.texts([
                ("client", try delivery.text(client)), ("client_url", try delivery.text(clientURL)),
            ])
        }
        if !details.isEmpty { members.append(.init("details", .object(details))) }
        return .object(members)
    }

    private func versionTwo(
        _ delivery: inout Delivery, _ secret: HTTPSettings.Secret, _ details: [JSON.Member]
    ) throws(DeliveryFailure) -> JSON {
        let summary = delivery.truncated(try delivery.text(description), to: Self.longestSummary.two, "summary")
        var payload: [JSON.Member] = [
            .init("summary", .string(summary)), .init("source", .string(try delivery.text(source))),
            .init("severity", .string(try delivery.text(severity.isEmpty ? "error" : severity))),
        ]
        payload += JSON.texts([
            ("class", try delivery.text(self.class)), ("component", try delivery.text(component)),
            ("group", try delivery.text(group)),
        ])
        if !details.isEmpty { payload.append(.init("custom_details", .object(details))) }
        var members = JSON.texts([
            ("routing_key", try delivery.text(try delivery.read(secret, "routing_key"))),
            ("dedup_key", delivery.keyHash),
        ])
        members += [.init("event_action", .string(action(delivery))), .init("payload", .object(payload))]
        members += JSON.texts([
            ("client", try delivery.text(client)), ("client_url", try delivery.text(clientURL)),
        ])
        let images = try expanded(self.images, required: "src", delivery)
        let links = try expanded(self.links, required: "href", delivery)
        if !images.isEmpty { members.append(.init("images", .array(images))) }
        if !links.isEmpty { members.append(.init("links", .array(links))) }
        return .object(members)
    }

    /// PagerDuty rejects events with an invalid image or link, so these are omitted.
    private func expanded(
        _ links: [Link], required: String, _ delivery: Delivery
    ) throws(DeliveryFailure) -> [JSON] {
        var result: [JSON] = []
        for link in links {
            var members: [JSON.Member] = []
            for field in link.fields { members.append(.init(field.name, .string(try delivery.text(field.text)))) }
            let json = JSON.object(members)
            if json[required]?.text?.isEmpty == false { result.append(json) }
        }
        return result
    }
}
