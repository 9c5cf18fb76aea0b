internal import YAML

/// A gate that services of a plan use by its name, with values for its parameters. Known only while a plan is read.
struct GateTemplate {
    /// The parameter that every template has: the name of the service.
    static let service = "service"
    private static let limit = 100

    var name: String
    private var parameters: [String]
    /// The fields of the gate, with `${parameter}` in their texts.
    private var gate: [YAMLNode.Member]

    /// The templates of a plan.
    static func read(_ plan: inout FieldReader) throws(YAMLError) -> [GateTemplate] {
        var templates: [GateTemplate] = []
        for (index, node) in try plan.list("gate_templates").enumerated() {
            let field = "gate_templates[\(index)]"
            let template = try GateTemplate(node, path: plan.path(of: field), file: plan.file)
            guard !templates.contains(where: { $0.name == template.name }) else {
                throw plan.fault("the template \"\(template.name)\" appears twice", at: node, field: field)
            }
            templates.append(template)
        }
        guard templates.count <= limit else {
            throw plan.fault("a plan has at most \(limit) templates", field: "gate_templates")
        }
        return templates
    }

    private init(_ node: YAMLNode, path: String, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: path, file: file)
        name = try fields.text("name")
        parameters = try fields.textList("parameters")
        if let wrong = parameters.first(where: { !Self.isParameter($0) || $0 == Self.service }) {
            throw fields.fault(
                "\"\(wrong)\" is no name of a parameter: letters, digits and \"_\", and not \"\(Self.service)\"",
                at: fields.optional("parameters"), field: "parameters")
        }
        gate = (node.members ?? []).filter { $0.key.text != "parameters" }
        for field in RolloutPlan.Gate.fields { _ = fields.optional(field) }
        try fields.finish()
        var used: Set<String> = []
        for member in gate {
            do throws(PlaceholderFault) {
                used.formUnion(try Self.placeholders(in: member.value))
            } catch {
                throw fields.fault(error.message, at: member.value, field: member.key.text)
            }
        }
        if let unknown = used.subtracting(parameters + [Self.service]).min() {
            throw fields.fault("there is no parameter \"\(unknown)\"")
        }
        if let idle = parameters.first(where: { !used.contains($0) }) {
            throw fields.fault("no text has ${\(idle)}", at: fields.optional("parameters"), field: "parameters")
        }
    }

    /// The gate that `node`, which names a template of `templates`, stands for; `node` itself if it names none.
    static func expand(
        _ node: YAMLNode, path: String, file: String, service: String, _ templates: [GateTemplate]
    ) throws(YAMLError) -> YAMLNode {
        guard node["template"] != nil else { return node }
        var fields = try FieldReader(node, path: path, file: file)
        let wanted = try fields.text("template")
        let name = fields.optional("name")
        let given = fields.optional("with") ?? YAMLNode(content: .mapping([]), line: node.line, column: node.column)
        try fields.finish()
        guard let template = templates.first(where: { $0.name == wanted }) else {
            throw fields.fault("there is no gate template \"\(wanted)\"", at: node["template"], field: "template")
        }
        var reader = try FieldReader(given, path: fields.path(of: "with"), file: file)
        var values = [Self.service: service]
        for parameter in template.parameters { values[parameter] = try reader.text(parameter) }
        try reader.finish()
        var members = template.gate.map { member in
            YAMLNode.Member(key: member.key, value: filled(member.value, values))
        }
        if let name {
            members.removeAll { $0.key.text == "name" }
            let key = YAMLNode(content: .scalar("name", isPlain: true), line: name.line, column: name.column)
            members.append(YAMLNode.Member(key: key, value: name))
        }
        return YAMLNode(content: .mapping(members), line: node.line, column: node.column)
    }

    // MARK: placeholders

    private struct PlaceholderFault: Error { var message: String }

    private static func isParameter(_ text: String) -> Bool {
        (1...50).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x5f, 0x61...0x7a: true
                default: false
                }
            }
    }

    private static func placeholders(in node: YAMLNode) throws(PlaceholderFault) -> Set<String> {
        var found: Set<String> = []
        switch node.content {
        case .scalar(let text, _):
            for part in try parts(of: text) { if case .parameter(let name) = part { found.insert(name) } }
        case .sequence(let elements): for element in elements { found.formUnion(try placeholders(in: element)) }
        case .mapping(let members): for member in members { found.formUnion(try placeholders(in: member.value)) }
        }
        return found
    }

    /// `node` with `values` in place of parameters. The texts must have been read by ``placeholders(in:)`` before.
    private static func filled(_ node: YAMLNode, _ values: [String: String]) -> YAMLNode {
        var node = node
        switch node.content {
        case .scalar(let text, let isPlain):
            // The text was read before, and an error is not possible.
            guard let parts = try? parts(of: text) else { return node }
            let filled = parts.map { part in
                switch part {
                case .text(let text): String(text)
                case .parameter(let name): values[name] ?? ""
                }
            }
            node.content = .scalar(filled.joined(), isPlain: isPlain)
        case .sequence(let elements): node.content = .sequence(elements.map { Self.filled($0, values) })
        case .mapping(let members):
            node.content = .mapping(members.map { YAMLNode.Member(key: $0.key, value: Self.filled($0.value, values)) })
        }
        return node
    }

    private enum Part {
        case text(Substring)
        case parameter(String)
    }

    private static func parts(of text: String) throws(PlaceholderFault) -> [Part] {
        var parts: [Part] = []
        var rest = Substring(text)
        while let begin = rest.firstRange(of: "${") {
            parts.append(.text(rest[..<begin.lowerBound]))
            let inner = rest[begin.upperBound...]
            guard let end = inner.firstIndex(of: "}"), isParameter(String(inner[..<end])) else {
                throw PlaceholderFault(message: "expected ${PARAMETER}")
            }
            parts.append(.parameter(String(inner[..<end])))
            rest = inner[inner.index(after: end)...]
        }
        return parts + [.text(rest)]
    }
}
