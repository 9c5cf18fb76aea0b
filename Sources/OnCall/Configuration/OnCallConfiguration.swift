internal import ConfigurationFields
public import MetricModel
internal import Runtime
public import YAML

/// An `oncall.yml`: who is called, what opens pages, and how people answer. A value.
public struct OnCallConfiguration: Equatable, Sendable {
    /// People, teams, schedules and policies.
    public var roster = Roster()
    /// The receivers of the notification configuration whose messages open pages.
    public var receivers: [String: PolicyChoice] = [:]
    /// The ways in for other programs.
    public var integrations: [InboundIntegration] = []
    /// The signing secret of the Slack app whose buttons answer pages; `nil` for none.
    public var slackSecret: InboundIntegration.Key?
    /// Whether messages to Mattermost have buttons that answer pages.
    public var usesMattermost = false
    /// How long the signed links of a call work.
    public var linkLifetime = Milliseconds.hours(24)
    /// The file with the key of signed links; `nil` for a key that the process makes.
    public var linkKeyFile: String?

    /// How browsers are notified; `nil` for not at all.
    public var push: PushSettings?

    /// Nobody and nothing.
    public init() {}

    /// Reads the file at `path`. Paths in it are relative to its directory.
    public static func load(_ path: String) throws(YAMLError) -> OnCallConfiguration {
        let bytes: [UInt8]
        do {
            bytes = try FileText.bytes(path, limit: 4 << 20)
        } catch {
            throw YAMLError(file: path, line: 0, column: 0, field: "", message: error.reason)
        }
        guard let document = try YAML.document(bytes, file: path) else {
            throw YAMLError(file: path, line: 0, column: 0, field: "", message: "the file is empty")
        }
        return try OnCallConfiguration(document, file: path)
    }

    /// Reads a parsed file. `file` is used in errors and for the paths in it.
    public init(_ node: YAMLNode, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: "", file: file)
        roster = try Roster(&fields)
        try roster.readQuality(&fields)
        for (index, element) in try fields.list("receivers").enumerated() {
            var reader = try FieldReader(element, path: "receivers[\(index)]", file: file)
            let name = try reader.text("name")
            try Roster.unique(receivers[name] == nil, name, element, "receivers[\(index)].name", file)
            receivers[name] = try PolicyChoice(&reader, roster)
            try reader.finish()
        }
        for (index, element) in try fields.list("integrations").enumerated() {
            var reader = try FieldReader(element, path: "integrations[\(index)]", file: file)
            let integration = try InboundIntegration(&reader, roster)
            let path = "integrations[\(index)]"
            try Roster.unique(
                !integrations.contains { $0.name == integration.name }, integration.name, element, "\(path).name", file)
            guard !integrations.contains(where: { $0.key == integration.key }) else {
                throw reader.fault("another integration has the same key", field: "key_file")
            }
            integrations.append(integration)
        }
        for (index, element) in try fields.list("heartbeats").enumerated() {
            var reader = try FieldReader(element, path: "heartbeats[\(index)]", file: file)
            let heartbeat = try Roster.Heartbeat(&reader, roster)
            let (name, path) = (heartbeat.name, "heartbeats[\(index)].name")
            try Roster.unique(roster.heartbeats[name] == nil, name, element, path, file)
            let keys = integrations.map(\.key) + roster.heartbeats.values.map(\.key)
            if keys.contains(heartbeat.key) { throw reader.fault("the key is used elsewhere", field: "key_file") }
            roster.heartbeats[name] = heartbeat
        }
        if let node = fields.optional("chat") {
            var reader = try FieldReader(node, path: "chat", file: file)
            if let node = reader.optional("slack") {
                var slack = try FieldReader(node, path: "chat.slack", file: file)
                slackSecret = try InboundIntegration.Key(&slack, field: "signing_secret_file")
                try slack.finish()
            }
            usesMattermost = try reader.optionalFlag("mattermost") ?? false
            try reader.finish()
        }
        if let node = fields.optional("links") {
            var reader = try FieldReader(node, path: "links", file: file)
            if let lifetime = try reader.optionalDuration("valid_for") {
                guard lifetime >= .minutes(1), lifetime <= .hours(24 * 31) else {
                    throw reader.fault("must be 1m to 31d", at: reader.optional("valid_for"), field: "valid_for")
                }
                linkLifetime = lifetime
            }
            linkKeyFile = try reader.optionalText("key_file").map { Paths.resolve($0, from: Paths.directory(of: file)) }
            try reader.finish()
        }
        if let node = fields.optional("push") { push = try PushSettings(node, file: file) }
        if push == nil,
            let person = roster.people.values.filter({ $0.contacts.contains(where: \.isPush) })
                .min(by: { $0.name < $1.name })
        {
            throw fields.fault(
                "\(person.name) has a contact {push: true}, which needs the section push with a contact",
                at: fields.optional("people"), field: "push")
        }
        try fields.finish()
    }
}

extension PolicyChoice {
    fileprivate init(_ fields: inout FieldReader, _ roster: Roster) throws(YAMLError) {
        let policy = try fields.text("policy")
        guard roster.policies[policy] != nil else {
            throw fields.fault(
                "there is no policy \"\(policy)\" under policies", at: fields.optional("policy"), field: "policy")
        }
        var bySeverity: [String: String] = [:]
        for pair in try fields.textMapping("by_severity") {
            guard roster.policies[pair.value] != nil else {
                throw fields.fault(
                    "there is no policy \"\(pair.value)\" under policies", at: fields.optional("by_severity"),
                    field: "by_severity.\(pair.name)")
            }
            bySeverity[pair.name.lowercased()] = pair.value
        }
        self.init(policy: policy, bySeverity: bySeverity)
    }
}

extension InboundIntegration {
    fileprivate init(_ fields: inout FieldReader, _ roster: Roster) throws(YAMLError) {
        let name = try fields.text("name")
        if name.isEmpty { throw fields.fault("the name is empty", field: "name") }
        let text = try fields.text("kind")
        guard let kind = Kind(rawValue: text) else {
            let kinds = Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw fields.fault("expected one of \(kinds), got \"\(text)\"", at: fields.optional("kind"), field: "kind")
        }
        let key = try Key(&fields)
        let choice = try PolicyChoice(&fields, roster)
        var mapping: JSONMapping?
        if let node = fields.optional("mapping") {
            var inner = try FieldReader(node, path: fields.path(of: "mapping"), file: fields.file)
            mapping = try JSONMapping(&inner)
            try inner.finish()
        }
        guard (kind == .json) == (mapping != nil) else {
            throw fields.fault(
                kind == .json ? "kind json needs a mapping" : "only kind json has a mapping",
                at: fields.optional("mapping"), field: "mapping")
        }
        try fields.finish()
        self.init(name: name, kind: kind, key: key, choice: choice, mapping: mapping)
    }

}

extension Roster.Heartbeat {
    fileprivate init(_ fields: inout FieldReader, _ roster: Roster) throws(YAMLError) {
        let name = try fields.text("name")
        guard !name.isEmpty, name.utf8.count <= 100, !name.contains("/") else {
            throw fields.fault("expected 1 to 100 bytes without \"/\"", at: fields.optional("name"), field: "name")
        }
        let key = try InboundIntegration.Key(&fields)
        guard let every = try fields.optionalDuration("every"), every >= .seconds(1), every <= .hours(24 * 366) else {
            throw fields.fault("expected a duration of 1s to 366d", at: fields.optional("every"), field: "every")
        }
        let grace = try fields.optionalDuration("grace") ?? .zero
        let severity = try fields.optionalText("severity") ?? "critical"
        let policy = try fields.text("policy")
        guard roster.policies[policy] != nil else {
            throw fields.fault(
                "there is no policy \"\(policy)\" under policies", at: fields.optional("policy"), field: "policy")
        }
        try fields.finish()
        self.init(name: name, key: key, timeout: every + grace, severity: severity, policy: policy)
    }
}

extension InboundIntegration.Key {
    /// Reads the key in the file that `field` names.
    fileprivate init(_ fields: inout FieldReader, field: String = "key_file") throws(YAMLError) {
        let path = Paths.resolve(try fields.text(field), from: Paths.directory(of: fields.file))
        guard let content = FileText.read(path) else {
            throw fields.fault(
                "cannot read \(path): \(SystemError.current)", at: fields.optional(field), field: field)
        }
        let key = String(content.split(whereSeparator: \.isWhitespace).first ?? "")
        guard key.utf8.count >= Self.shortest, key.utf8.allSatisfy(Self.isKeyByte) else {
            throw fields.fault(
                "the key in \(path) must have at least \(Self.shortest) letters, digits, \"-\" or \"_\"",
                at: fields.optional(field), field: field)
        }
        self.init(key)
    }

    private static func isKeyByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

extension JSONMapping {
    fileprivate init(_ fields: inout FieldReader) throws(YAMLError) {
        func pointer(_ name: String, _ text: String, _ fields: inout FieldReader) throws(YAMLError) -> Pointer {
            guard let pointer = Pointer(text) else {
                throw fields.fault(
                    "expected a JSON pointer such as /alert/id, got \"\(text)\"", at: fields.optional(name), field: name
                )
            }
            return pointer
        }
        let key = try pointer("key", try fields.text("key"), &fields)
        let title = try pointer("title", try fields.text("title"), &fields)
        var mapping = JSONMapping(key: key, title: title)
        if let text = try fields.optionalText("severity") { mapping.severity = try pointer("severity", text, &fields) }
        if let text = try fields.optionalText("url") { mapping.url = try pointer("url", text, &fields) }
        if let text = try fields.optionalText("resolved") {
            let at = try pointer("resolved", text, &fields)
            let texts = try fields.textList("resolved_values")
            if texts.isEmpty { throw fields.fault("at least one value is required", field: "resolved_values") }
            mapping.resolved = (at, texts)
        }
        self = mapping
    }
}
