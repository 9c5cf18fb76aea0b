internal import ConfigurationFields
internal import CurlHTTP
internal import JSON
internal import MetricModel
internal import YAML

/// Issues in Jira: created for a group, updated while it fires, and transitioned when it is resolved.
struct JiraIntegration: IntegrationSettings {
    static let kind = "jira"
    private static let longestSummary = 255
    private static let longestDescription = 32_767

    enum APIType: String, Equatable, Sendable {
        case auto
        case cloud
        case datacenter
    }

    /// A template, and whether it also updates an existing issue.
    struct Field: Equatable, Sendable {
        var template: String
        var updates = true
    }

    var sendsResolved: Bool
    var http: HTTPSettings
    var url: String
    var type: APIType
    var project: String
    var issueType: String
    var summary: Field
    var description: Field
    var labels: [String]
    var updatesLabels = true
    var priority: String
    var reopenTransition: String
    var resolveTransition: String
    var wontFixResolution: String
    var reopenDuration: Milliseconds
    var fields: [TemplatedJSON.Member] = []

    init(_ reader: inout IntegrationReader) throws(YAMLError) {
        sendsResolved = try reader.sendsResolved(true)
        http = try reader.http()
        let address = try reader.url("api_url") ?? reader.global.jiraURL
        let typeName = try reader.text("api_type", or: "auto")
        project = try reader.text("project")
        issueType = try reader.text("issue_type")
        summary = try Self.field(&reader, "summary")
        description = try Self.field(&reader, "description")
        (labels, updatesLabels) = try Self.labels(&reader)
        priority = try reader.text("priority", or: #"{{ template "jira.default.priority" . }}"#)
        reopenTransition = try reader.text("reopen_transition")
        resolveTransition = try reader.text("resolve_transition")
        wontFixResolution = try reader.text("wont_fix_resolution")
        reopenDuration = try reader.timeout("reopen_duration") ?? .zero
        if let node = reader.fields.optional("fields"), case .object(let members) = TemplatedJSON(node) {
            fields = members
        }
        if project.isEmpty { throw reader.fault("missing project in jira_config") }
        if issueType.isEmpty { throw reader.fault("missing issue_type in jira_config") }
        guard let type = APIType(rawValue: typeName) else {
            throw reader.fault("unknown api_type on jira_config, must be auto, cloud or datacenter")
        }
        self.type = type
        guard let address else { throw reader.fault("no global Jira Cloud URL set") }
        url = address.hasSuffix("/") ? String(address.dropLast()) : address
    }

    /// A template, or a mapping of `template` and `enable_update`.
    private static func field(_ reader: inout IntegrationReader, _ name: String) throws(YAMLError) -> Field {
        let standard = "{{ template \"jira.default.\(name)\" . }}"
        guard let node = reader.fields.node[name], node.members != nil else {
            return Field(template: try reader.text(name, or: standard))
        }
        _ = reader.fields.optional(name)
        var inner = try FieldReader(node, path: reader.fields.path(of: name), file: reader.fields.file)
        let field = Field(
            template: try inner.optionalText("template") ?? standard,
            updates: try inner.optionalFlag("enable_update") ?? true)
        try inner.finish()
        return field
    }

    private static func labels(_ reader: inout IntegrationReader) throws(YAMLError) -> ([String], Bool) {
        guard let node = reader.fields.node["labels"], node.members != nil else {
            return (try reader.fields.textList("labels"), true)
        }
        _ = reader.fields.optional("labels")
        var inner = try FieldReader(node, path: reader.fields.path(of: "labels"), file: reader.fields.file)
        let result = (try inner.textList("values"), try inner.optionalFlag("enable_update") ?? true)
        try inner.finish()
        return result
    }

    // MARK: Sending

    private struct Issue {
        var key: String
        var isDone: Bool
    }

    func send(_ delivery: inout Delivery) throws(DeliveryFailure) {
        let found = try existing(delivery)
        // No issue is created for a resolved group.
        if found == nil, delivery.message.isResolved { return }
        let body = try body(&delivery, isUpdate: found != nil)
        try request(found == nil ? "POST" : "PUT", "\(url)/issue" + (found.map { "/\($0.key)" } ?? ""), body, delivery)
        if let found { try move(found, delivery) }
    }

    private var isCloud: Bool {
        guard type == .auto else { return type == .cloud }
        let host = url.split(separator: "/").dropFirst().first ?? ""
        return host.hasSuffix("atlassian.net")
    }

    private func existing(_ delivery: Delivery) throws(DeliveryFailure) -> Issue? {
        var query = wontFixResolution.isEmpty ? "" : "resolution != \(quoted(wontFixResolution)) and "
        let minutes = reopenDuration.rawValue / 60_000
        if !delivery.message.isResolved, !reopenTransition.isEmpty, minutes > 0 {
            query += "(resolutiondate is EMPTY OR resolutiondate >= -\(minutes)m) and "
        } else {
            query += "statusCategory != Done and "
        }
        query += "project=\(quoted(try delivery.text(project))) and labels=\(quoted(label(delivery)))"
        query += " order by status ASC,resolutiondate DESC"
        let address =
            isCloud
            ? "\(url)/search/jql".replacing("/rest/api/2/", with: "/rest/api/3/", maxReplacements: 1) : "\(url)/search"
        let response = try request(
            "POST", address, ["jql": .string(query), "maxResults": 2, "fields": ["status"]], delivery)
        guard let issue = response?["issues"]?.elements?.first, let key = issue["key"]?.text else { return nil }
        let category = issue["fields"]?["status"]?["statusCategory"]?["key"]?.text
        return Issue(key: key, isDone: category == "done")
    }

    private func quoted(_ text: String) -> String { JSON.string(text).encoded }

    private func label(_ delivery: Delivery) -> String { "ALERT{\(delivery.keyHash)}" }

    private func body(_ delivery: inout Delivery, isUpdate: Bool) throws(DeliveryFailure) -> JSON {
        var values: [String: JSON] = [
            "project": ["key": .string(try delivery.text(project))],
            "issuetype": ["name": .string(try delivery.text(issueType))],
        ]
        if !isUpdate || summary.updates {
            values["summary"] = .string(
                delivery.truncated(try delivery.text(summary.template), to: Self.longestSummary, "summary"))
        }
        if !isUpdate || description.updates, let text = try descriptionValue(&delivery) { values["description"] = text }
        if !isUpdate || updatesLabels {
            var texts = [label(delivery)]
            for label in labels { texts.append(try delivery.text(label)) }
            values["labels"] = .array(texts.sorted { ByteOrder.precedes($0, $1) }.map { .string($0) })
        }
        let priority = try delivery.text(self.priority)
        if !priority.isEmpty { values["priority"] = ["name": .string(priority)] }
        for field in fields {
            values[field.name] = try field.value.expanded { [delivery] template throws(DeliveryFailure) in
                try delivery.text(template)
            }
        }
        return ["fields": .object(values.sorted { $0.key < $1.key }.map { .init($0.key, $0.value) })]
    }

    /// Version 3 of the API requires a JSON document, which the template must produce.
    private func descriptionValue(_ delivery: inout Delivery) throws(DeliveryFailure) -> JSON? {
        let text = delivery.truncated(
            try delivery.text(description.template), to: Self.longestDescription, "description")
        guard url.hasSuffix("/3") else { return text.isEmpty ? nil : .string(text) }
        if text.allSatisfy(\.isWhitespace) { return nil }
        guard let json = try? JSON(parsing: text) else {
            throw DeliveryFailure("description template: invalid JSON for API v3", isRetryable: false)
        }
        return json
    }

    private func move(_ issue: Issue, _ delivery: Delivery) throws(DeliveryFailure) {
        let isFiring = !delivery.message.isResolved
        guard issue.isDone == isFiring else { return }
        let name = isFiring ? reopenTransition : resolveTransition
        let address = "\(url)/issue/\(issue.key)/transitions"
        let known = try request("GET", address, nil, delivery)
        guard let id = known?["transitions"]?.elements?.first(where: { $0["name"]?.text == name })?["id"]?.text else {
            throw DeliveryFailure("can't find transition \(name) for issue \(issue.key)", isRetryable: false)
        }
        try request("POST", address, ["transition": ["id": .string(id)]], delivery)
    }

    @discardableResult
    private func request(
        _ method: String, _ address: String, _ body: JSON?, _ delivery: Delivery
    ) throws(DeliveryFailure) -> JSON? {
        let request = HTTPRequest(
            method: method, url: address, headers: [("Content-Type", "application/json"), ("Accept-Language", "en")],
            body: body.map { Array(($0.json + "\n").utf8) } ?? [], timeoutMilliseconds: Delivery.timeoutMilliseconds)
        let response = try delivery.send(request, http)
        try Delivery.check(response)
        return try? JSON(parsing: String(decoding: response.body, as: UTF8.self))
    }
}
