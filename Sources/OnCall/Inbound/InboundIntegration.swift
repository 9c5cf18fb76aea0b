internal import JSON
internal import MetricModel

/// A way in for other programs: a key that they send, and the format in which they speak. A value.
public struct InboundIntegration: Equatable, Sendable {
    /// The format.
    public enum Kind: String, Equatable, Sendable, CaseIterable {
        /// PagerDuty's Events API v2.
        case pagerduty
        /// Alertmanager's webhook, version 4.
        case alertmanager
        /// The webhook of Grafana's alerting.
        case grafana
        /// Any JSON object, read with a mapping.
        case json
    }

    /// A key that only the integration's program knows. Its text is in no description.
    public struct Key: Equatable, Sendable, CustomStringConvertible {
        /// The text.
        public let text: String
        /// Nothing of it.
        public var description: String { "<secret>" }

        /// The key `text`.
        public init(_ text: String) { self.text = text }

        /// The least bytes of a key.
        public static let shortest = 16
    }

    /// The name in the record.
    public let name: String
    /// The format.
    public let kind: Kind
    /// The key.
    public let key: Key
    /// The policy of its problems.
    public let choice: PolicyChoice
    /// The places of the parts of a problem; only for `json`.
    public let mapping: JSONMapping?

    /// An integration.
    public init(name: String, kind: Kind, key: Key, choice: PolicyChoice, mapping: JSONMapping? = nil) {
        self.name = name
        self.kind = kind
        self.key = key
        self.choice = choice
        self.mapping = mapping
    }

    /// The source of its problems.
    public var source: String { "integration \(name)" }

    /// The key of the problem that the integration's program calls `id`.
    func problemKey(_ id: String) -> String { "\(source)/\(id)" }

    /// The signals in `body`.
    ///
    /// - Parameter fallback: the id of a problem for which the program gives none.
    public func signal(in body: [UInt8], fallback: String) throws(InboundError) -> Signal {
        let json: JSON
        do throws(JSONError) {
            json = try JSON(parsing: body)
        } catch {
            throw InboundError("the body is not JSON: \(error.description)")
        }
        guard json.members != nil else { throw InboundError("the body is not a JSON object") }
        switch kind {
        case .pagerduty: return try PagerDutyEvent(json, fallback: fallback).signal(of: self)
        case .alertmanager, .grafana: return try webhook(json)
        case .json:
            guard let mapping else { throw InboundError("the integration has no mapping") }
            return try mapping.signal(in: json, of: self)
        }
    }

    /// Alertmanager's webhook, and Grafana's, which adds a title and a message: a group of alerts.
    private func webhook(_ json: JSON) throws(InboundError) -> Signal {
        guard let group = json["groupKey"]?.text, !group.isEmpty else {
            throw InboundError("groupKey: expected text")
        }
        guard group.utf8.count <= PagerDutyEvent.keyLimit * 16 else { throw InboundError("groupKey: too long") }
        let status = json["status"]?.text
        guard status == "firing" || status == "resolved" else {
            throw InboundError("status: expected \"firing\" or \"resolved\"")
        }
        guard let alerts = json["alerts"]?.elements else { throw InboundError("alerts: expected a list") }
        if status == "resolved" { return .resolve(key: problemKey(group)) }
        let labels = json["commonLabels"].flatMap(Labels.init(stored:)) ?? .empty
        let annotations = json["commonAnnotations"].flatMap(Labels.init(stored:)) ?? .empty
        let firing = alerts.filter { $0["status"]?.text != "resolved" }
        let severity = Severity.worst(of: firing.compactMap { $0["labels"]?["severity"]?.text })
        let name = labels["alertname"] ?? firing.first?["labels"]?["alertname"]?.text ?? ""
        let texts = [json["title"]?.text, annotations["summary"], firing.first?["annotations"]?["summary"]?.text]
        let url = firing.first?["generatorURL"]?.text ?? json["externalURL"]?.text ?? ""
        return .trigger(
            Problem(
                key: problemKey(group), title: texts.compactMap { $0 }.first { !$0.isEmpty } ?? name,
                severity: severity, source: source, labels: labels, annotations: annotations, url: url,
                policy: choice.policy(of: severity)))
    }
}
