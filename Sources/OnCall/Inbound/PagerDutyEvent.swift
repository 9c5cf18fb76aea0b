public import JSON
internal import MetricModel

/// An event of PagerDuty's Events API v2, as its documentation describes it. A value.
public struct PagerDutyEvent: Equatable, Sendable {
    /// The content of the event.
    public enum Action: String, Equatable, Sendable, CaseIterable {
        case trigger, acknowledge, resolve
    }

    /// The key of the integration.
    public let routingKey: String
    /// The problem.
    public let action: Action
    /// Identifies the problem at its source.
    public let dedupKey: String
    private let payload: JSON
    private let client: (name: String, url: String)
    private let links: [String]

    /// The most bytes of a request.
    public static let bodyLimit = 512 << 10
    /// The most bytes of a `dedup_key`.
    static let keyLimit = 255
    private static let severities = ["critical", "error", "warning", "info"]

    /// Reads an event. All faults are named, as PagerDuty does.
    ///
    /// - Parameter fallback: the `dedup_key` of a trigger without one.
    public init(_ json: JSON, fallback: String) throws(InboundError) {
        var faults: [String] = []
        func text(_ name: String) -> String? { json[name]?.text.flatMap { $0.isEmpty ? nil : $0 } }
        let routingKey = text("routing_key")
        if routingKey == nil { faults.append("'routing_key' is missing or blank") }
        let action = text("event_action").flatMap(Action.init(rawValue:))
        if text("event_action") == nil {
            faults.append("'event_action' is missing or blank")
        } else if action == nil {
            faults.append("'event_action' is invalid (must be one of the following: trigger, acknowledge, resolve)")
        }
        let key = text("dedup_key")
        if let key, key.utf8.count > Self.keyLimit {
            faults.append("Length of 'dedup_key' is incorrect (should be at most \(Self.keyLimit) characters)")
        }
        if key == nil, action == .acknowledge || action == .resolve { faults.append("'dedup_key' is missing or blank") }
        let payload = json["payload"] ?? .null
        if action == .trigger { faults += Self.faults(of: payload) }
        guard faults.isEmpty, let routingKey, let action else { throw InboundError(faults: faults) }
        self.routingKey = routingKey
        self.action = action
        dedupKey = key ?? fallback
        self.payload = payload
        client = (text("client") ?? "", text("client_url") ?? "")
        links = (json["links"]?.elements ?? []).compactMap { $0["href"]?.text }
    }

    private static func faults(of payload: JSON) -> [String] {
        guard payload.members != nil else { return ["'payload' is missing or blank"] }
        var faults: [String] = []
        for name in ["summary", "source", "severity"] where (payload[name]?.text ?? "").isEmpty {
            faults.append("'payload.\(name)' is missing or blank")
        }
        if let severity = payload["severity"]?.text, !severity.isEmpty, !severities.contains(severity) {
            faults.append(
                "'payload.severity' is invalid (must be one of the following: \(severities.joined(separator: ", ")))")
        }
        return faults
    }

    /// Whether both are the same event.
    public static func == (left: PagerDutyEvent, right: PagerDutyEvent) -> Bool {
        left.routingKey == right.routingKey && left.action == right.action && left.dedupKey == right.dedupKey
            && left.payload == right.payload && left.client == right.client && left.links == right.links
    }

    /// The signal to `integration`.
    public func signal(of integration: InboundIntegration) -> Signal {
        let key = integration.problemKey(dedupKey)
        switch action {
        case .acknowledge: return .acknowledge(key: key)
        case .resolve: return .resolve(key: key)
        case .trigger: break
        }
        let severity = payload["severity"]?.text ?? ""
        var labels: [Label] = []
        for name in ["source", "component", "group", "class", "severity"] {
            if let value = payload[name]?.text, !value.isEmpty { labels.append(Label(name, value)) }
        }
        var annotations: [Label] = []
        for member in payload["custom_details"]?.members ?? [] {
            annotations.append(Label(member.name, member.value.text ?? member.value.encoded))
        }
        if let text = payload["custom_details"]?.text { annotations.append(Label("details", text)) }
        if !client.name.isEmpty { annotations.append(Label("client", client.name)) }
        return .trigger(
            Problem(
                key: key, title: payload["summary"]?.text ?? "", severity: severity, source: integration.source,
                labels: Labels(labels), annotations: Labels(annotations),
                url: client.url.isEmpty ? links.first ?? "" : client.url,
                policy: integration.choice.policy(of: severity)))
    }
}
