internal import JSON
internal import YAML

/// JSON with templates as texts, such as the `details` of a PagerDuty event or the `fields` of a Jira issue. A value.
indirect enum TemplatedJSON: Equatable, Sendable {
    case text(String)
    case constant(JSON)
    case list([TemplatedJSON])
    case object([Member])

    struct Member: Equatable, Sendable {
        var name: String
        var value: TemplatedJSON
    }

    /// Reads a node of a configuration file.
    init(_ node: YAMLNode) {
        switch node.content {
        case .scalar(let text, let isPlain):
            self = isPlain ? Self.plain(text) : .text(text)
        case .sequence(let elements): self = .list(elements.map { TemplatedJSON($0) })
        case .mapping(let members):
            self = .object(members.map { Member(name: $0.key.text ?? "", value: TemplatedJSON($0.value)) })
        }
    }

    private static func plain(_ text: String) -> TemplatedJSON {
        switch text {
        case "", "~", "null": .constant(.null)
        case "true", "false": .constant(.bool(text == "true"))
        default:
            Int64(text).map { .constant(.integer($0)) } ?? Double(text).map { .constant(.number($0)) } ?? .text(text)
        }
    }

    /// The JSON with all templates expanded. A text that expands to a JSON object or array is inserted as such.
    func expanded(
        _ expand: (String) throws(DeliveryFailure) -> String
    ) throws(DeliveryFailure) -> JSON {
        switch self {
        case .constant(let value): return value
        case .text(let template):
            let text = try expand(template)
            let isNested = text.hasPrefix("{") || text.hasPrefix("[")
            if isNested, template.contains("{{"), let json = try? JSON(parsing: text) { return json }
            return .string(text)
        case .list(let elements):
            var values: [JSON] = []
            for element in elements { values.append(try element.expanded(expand)) }
            return .array(values)
        case .object(let members):
            var values: [JSON.Member] = []
            for member in members { values.append(.init(try expand(member.name), try member.value.expanded(expand))) }
            return .object(values.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) })
        }
    }
}
