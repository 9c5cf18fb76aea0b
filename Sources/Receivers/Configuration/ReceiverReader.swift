public import YAML

/// Reads receivers with the integrations of every kind.
public struct ReceiverReader {
    private let global: GlobalSettings
    private let file: String
    private let directory: String

    private typealias Read = @Sendable (inout IntegrationReader) throws(YAMLError) -> any IntegrationSettings

    /// The kinds of integration, in the order in which Alertmanager sends to them.
    private static let kinds: [(kind: String, read: Read)] = [
        (WebhookIntegration.kind, { (reader) throws(YAMLError) in try WebhookIntegration(&reader) }),
        (EmailIntegration.kind, { (reader) throws(YAMLError) in try EmailIntegration(&reader) }),
        (PagerDutyIntegration.kind, { (reader) throws(YAMLError) in try PagerDutyIntegration(&reader) }),
        (OpsGenieIntegration.kind, { (reader) throws(YAMLError) in try OpsGenieIntegration(&reader) }),
        (WeChatIntegration.kind, { (reader) throws(YAMLError) in try WeChatIntegration(&reader) }),
        (SlackIntegration.kind, { (reader) throws(YAMLError) in try SlackIntegration(&reader) }),
        (VictorOpsIntegration.kind, { (reader) throws(YAMLError) in try VictorOpsIntegration(&reader) }),
        (PushoverIntegration.kind, { (reader) throws(YAMLError) in try PushoverIntegration(&reader) }),
        (SNSIntegration.kind, { (reader) throws(YAMLError) in try SNSIntegration(&reader) }),
        (TelegramIntegration.kind, { (reader) throws(YAMLError) in try TelegramIntegration(&reader) }),
        (DiscordIntegration.kind, { (reader) throws(YAMLError) in try DiscordIntegration(&reader) }),
        (WebexIntegration.kind, { (reader) throws(YAMLError) in try WebexIntegration(&reader) }),
        (TeamsIntegration.kind, { (reader) throws(YAMLError) in try TeamsIntegration(&reader) }),
        (TeamsV2Integration.kind, { (reader) throws(YAMLError) in try TeamsV2Integration(&reader) }),
        (JiraIntegration.kind, { (reader) throws(YAMLError) in try JiraIntegration(&reader) }),
        (RocketChatIntegration.kind, { (reader) throws(YAMLError) in try RocketChatIntegration(&reader) }),
        (MattermostIntegration.kind, { (reader) throws(YAMLError) in try MattermostIntegration(&reader) }),
        (IncidentIOIntegration.kind, { (reader) throws(YAMLError) in try IncidentIOIntegration(&reader) }),
        (GoogleChatIntegration.kind, { (reader) throws(YAMLError) in try GoogleChatIntegration(&reader) }),
    ]

    /// A reader. `file` is used in errors; relative paths start from `directory`.
    public init(global: GlobalSettings, file: String, directory: String) {
        self.global = global
        self.file = file
        self.directory = directory
    }

    /// Reads a receiver.
    public func receiver(_ node: YAMLNode, path: String) throws(YAMLError) -> Receiver {
        var fields = try FieldReader(node, path: path, file: file)
        guard let name = try fields.optionalText("name"), !name.isEmpty else {
            throw fields.fault("missing name in receiver")
        }
        var labels: [String: String] = [:]
        for pair in try fields.textMapping("labels") { labels[pair.name] = pair.value }
        if let other = labels["name"], other != name {
            throw fields.fault(
                "the label \"name\" of the receiver \"\(name)\" must be its name, got \"\(other)\"",
                at: fields.node["labels"], field: "labels")
        }
        var integrations: [Integration] = []
        for (kind, read) in Self.kinds {
            let list = "\(kind)_configs"
            for (index, element) in try fields.list(list).enumerated() {
                if element.isNull, element.members == nil {
                    throw fields.fault("missing \(kind) config", at: element, field: "\(list)[\(index)]")
                }
                var reader = try IntegrationReader(
                    element, path: "\(path).\(list)[\(index)]", file: file, global: global, directory: directory)
                let settings = try read(&reader)
                try reader.fields.finish()
                integrations.append(Integration(settings))
            }
        }
        try fields.finish()
        return Receiver(name: name, labels: labels, integrations: integrations)
    }
}
