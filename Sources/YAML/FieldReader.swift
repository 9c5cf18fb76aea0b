/// Reads the fields of a mapping strictly: each is read by name, and a field that was not read is an error.
///
/// A field with a value of the wrong kind counts as missing, so that reading continues. Its error is stored, and thrown
/// with all others by ``finish()`` or with the next error.
///
/// ```
/// var fields = try FieldReader(node, path: "global", file: file)
/// let interval = try fields.optionalText("scrape_interval")
/// try fields.finish()
/// ```
public struct FieldReader {
    private let members: [YAMLNode.Member]
    private var asked: Set<String> = []
    /// The errors stored so far.
    public private(set) var faults: [YAMLError] = []
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

    /// An error at `node`, or at the mapping itself, with the stored ones.
    public func fault(_ message: String, at node: YAMLNode? = nil, field: String? = nil) -> YAMLError {
        var error = plainFault(message, at: node, field: field)
        error.others = faults
        return error
    }

    /// An error at `node`, or at the mapping itself, without the stored ones.
    public func plainFault(_ message: String, at node: YAMLNode? = nil, field: String? = nil) -> YAMLError {
        let place = node ?? self.node
        return YAMLError(
            file: file, line: place.line, column: place.column, field: field.map { path(of: $0) } ?? path,
            message: message)
    }

    /// Stores an error at `node`, or at the mapping itself; reading continues.
    public mutating func note(_ message: String, at node: YAMLNode? = nil, field: String? = nil) {
        note(plainFault(message, at: node, field: field))
    }

    /// Stores `error`; reading continues.
    public mutating func note(_ error: YAMLError) {
        for fault in error.all where !faults.contains(fault) { faults.append(fault) }
    }

    /// The value of `read`, or `nil` if it throws; the error is stored.
    public mutating func collect<Value>(
        _ read: (inout FieldReader) throws(YAMLError) -> Value
    ) -> Value? {
        do throws(YAMLError) { return try read(&self) } catch {
            note(error)
            return nil
        }
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
        guard let text = node.text else {
            note("expected text, got \(node.kind)", at: node, field: name)
            return nil
        }
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
        note("expected true or false", at: node, field: name)
        return nil
    }

    /// A whole number; see ``YAMLNode/integer``.
    public mutating func optionalInteger(_ name: String) throws(YAMLError) -> Int? {
        guard let node = optional(name) else { return nil }
        guard let number = node.integer else {
            note("expected a whole number", at: node, field: name)
            return nil
        }
        return number
    }

    /// A number.
    public mutating func optionalNumber(_ name: String) throws(YAMLError) -> Double? {
        guard let node = optional(name) else { return nil }
        guard let text = node.text, let number = Double(text) else {
            note("expected a number", at: node, field: name)
            return nil
        }
        return number
    }

    /// A list; a missing one is empty.
    public mutating func list(_ name: String) throws(YAMLError) -> [YAMLNode] {
        guard let node = optional(name) else { return [] }
        guard let elements = node.elements else {
            note("expected a list, got \(node.kind)", at: node, field: name)
            return []
        }
        return elements
    }

    /// A list of texts; a missing one is empty.
    public mutating func textList(_ name: String) throws(YAMLError) -> [String] {
        var texts: [String] = []
        for (index, element) in try list(name).enumerated() {
            guard let text = element.text else {
                note("expected text, got \(element.kind)", at: element, field: "\(name)[\(index)]")
                continue
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
            note("expected a mapping, got \(node.kind)", at: node, field: name)
            return []
        }
        var pairs: [(name: String, value: String, node: YAMLNode)] = []
        for member in members {
            let key = member.key.text ?? ""
            guard let text = member.value.text else {
                note("expected text, got \(member.value.kind)", at: member.value, field: "\(name).\(key)")
                continue
            }
            pairs.append((key, text, member.value))
        }
        return pairs
    }

    /// The keys of the mapping.
    public var names: [String] { members.compactMap(\.key.text) }

    /// Throws the stored errors, and one for each field that was not read.
    public func finish() throws(YAMLError) {
        let errors = faults + unknownFields()
        guard var first = errors.first else { return }
        first.others = Array(errors.dropFirst())
        throw first
    }

    /// An error for each field that was not read.
    public func unknownFields() -> [YAMLError] {
        members.filter { !asked.contains($0.key.text ?? "") }.map { member in
            let name = member.key.text ?? ""
            return plainFault("unknown field \"\(name)\"", at: member.key, field: name)
        }
    }
}
