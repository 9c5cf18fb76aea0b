/// Reads the fields of a mapping strictly: each is read by name, and a field that was not read is an error.
///
/// ```
/// var fields = try FieldReader(node, path: "global", file: file)
/// let interval = try fields.optionalText("scrape_interval")
/// try fields.finish()
/// ```
public struct FieldReader {
    private let members: [YAMLNode.Member]
    private var asked: Set<String> = []
    /// The mapping that is read.
    public let node: YAMLNode
    /// The path of the mapping, such as `scrape_configs[2]`.
    public let path: String
    /// The file named in errors.
    public let file: String

    /// Starts reading `node`. An empty node counts as an empty mapping.
    public init(_ node: YAMLNode, path: String, file: String) throws(YAMLError) {
        self.node = node
        self.path = path
        self.file = file
        if let members = node.members {
            self.members = members
        } else if node.isNull {
            self.members = []
        } else {
            throw YAMLError(
                file: file, line: node.line, column: node.column, field: path,
                message: "expected a mapping, got \(node.kind)")
        }
    }

    /// The path of the field `name`.
    public func path(of name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    /// An error at `node`, or at the mapping itself.
    public func fault(_ message: String, at node: YAMLNode? = nil, field: String? = nil) -> YAMLError {
        let place = node ?? self.node
        return YAMLError(
            file: file, line: place.line, column: place.column, field: field.map { path(of: $0) } ?? path,
            message: message)
    }

    /// The node of `name`; `nil` if it is missing or null.
    public mutating func optional(_ name: String) -> YAMLNode? {
        asked.insert(name)
        let node = members.first { $0.key.text == name }?.value
        return node.flatMap { $0.isNull ? nil : $0 }
    }

    /// The node of `name`, which is required.
    public mutating func required(_ name: String) throws(YAMLError) -> YAMLNode {
        guard let node = optional(name) else { throw fault("the field \"\(name)\" is required") }
        return node
    }

    /// The text of `name`. Numbers and booleans are read as written.
    public mutating func optionalText(_ name: String) throws(YAMLError) -> String? {
        guard let node = optional(name) else { return nil }
        guard let text = node.text else { throw fault("expected text, got \(node.kind)", at: node, field: name) }
        return text
    }

    /// The text of `name`, which is required.
    public mutating func text(_ name: String) throws(YAMLError) -> String {
        let node = try required(name)
        guard let text = node.text else { throw fault("expected text, got \(node.kind)", at: node, field: name) }
        return text
    }

    /// `true` or `false`.
    public mutating func optionalFlag(_ name: String) throws(YAMLError) -> Bool? {
        guard let node = optional(name) else { return nil }
        if case .scalar(let text, isPlain: true) = node.content {
            switch text.lowercased() {
            case "true", "yes", "on": return true
            case "false", "no", "off": return false
            default: break
            }
        }
        throw fault("expected true or false", at: node, field: name)
    }

    /// A whole number.
    public mutating func optionalInteger(_ name: String) throws(YAMLError) -> Int? {
        guard let node = optional(name) else { return nil }
        guard let text = node.text, let number = Int(text) else {
            throw fault("expected a whole number", at: node, field: name)
        }
        return number
    }

    /// A number.
    public mutating func optionalNumber(_ name: String) throws(YAMLError) -> Double? {
        guard let node = optional(name) else { return nil }
        guard let text = node.text, let number = Double(text) else {
            throw fault("expected a number", at: node, field: name)
        }
        return number
    }

    /// A list; a missing one is empty.
    public mutating func list(_ name: String) throws(YAMLError) -> [YAMLNode] {
        guard let node = optional(name) else { return [] }
        guard let elements = node.elements else {
            throw fault("expected a list, got \(node.kind)", at: node, field: name)
        }
        return elements
    }

    /// A list of texts; a missing one is empty.
    public mutating func textList(_ name: String) throws(YAMLError) -> [String] {
        var texts: [String] = []
        for (index, element) in try list(name).enumerated() {
            guard let text = element.text else {
                throw fault("expected text, got \(element.kind)", at: element, field: "\(name)[\(index)]")
            }
            texts.append(text)
        }
        return texts
    }

    /// A mapping of texts in its order; a missing one is empty.
    public mutating func textMapping(_ name: String) throws(YAMLError) -> [(
        name: String, value: String, node: YAMLNode
    )] {
        guard let node = optional(name) else { return [] }
        guard let members = node.members else {
            throw fault("expected a mapping, got \(node.kind)", at: node, field: name)
        }
        var pairs: [(name: String, value: String, node: YAMLNode)] = []
        for member in members {
            let key = member.key.text ?? ""
            guard let text = member.value.text else {
                throw fault("expected text, got \(member.value.kind)", at: member.value, field: "\(name).\(key)")
            }
            pairs.append((key, text, member.value))
        }
        return pairs
    }

    /// The keys of the mapping.
    public var names: [String] { members.compactMap(\.key.text) }

    /// Throws an error for the first field that was not read.
    public func finish() throws(YAMLError) {
        if let fault = unknownFields().first { throw fault }
    }

    /// An error for each field that was not read.
    public func unknownFields() -> [YAMLError] {
        members.filter { !asked.contains($0.key.text ?? "") }.map { member in
            let name = member.key.text ?? ""
            return fault("unknown field \"\(name)\"", at: member.key, field: name)
        }
    }
}
