internal import ConfigurationFields
internal import JSON
internal import MetricModel
public import YAML

extension TargetGroup {
    /// Reads one group of `static_configs` or of a discovery file in YAML.
    public init(_ node: YAMLNode, path: String, file: String, source: String = "") throws(YAMLError) {
        var fields = try FieldReader(node, path: path, file: file)
        let addresses = try fields.textList("targets")
        self.init(source: source, addresses: addresses, labels: try fields.labels("labels"))
        try fields.finish()
    }

    /// Reads `static_configs`: a list of groups, none of them empty.
    public static func staticGroups(_ fields: inout FieldReader) throws(YAMLError) -> [TargetGroup] {
        var groups: [TargetGroup] = []
        for (index, node) in try fields.list("static_configs").enumerated() {
            let name = "static_configs[\(index)]"
            if node.isNull { fields.note("empty or null section in static_configs", at: node, field: name) }
            let path = fields.path(of: name)
            let group = fields.collect { (fields) throws(YAMLError) in
                try TargetGroup(node, path: path, file: fields.file, source: String(index))
            }
            // An invalid group keeps its index, by which errors refer to the others.
            groups.append(group ?? TargetGroup(source: String(index), targets: []))
        }
        return groups
    }

    /// Reads the list of groups of a `.json` file or an HTTP endpoint.
    ///
    /// - Parameter source: the source of each group, by its index in the list.
    static func list(
        json bytes: [UInt8], source: (Int) -> String
    ) throws(DiscoveryError) -> [TargetGroup] {
        let root: JSON
        do throws(JSONError) { root = try JSON(parsing: bytes) } catch { throw DiscoveryError(error.description) }
        if root == .null { return [] }
        guard let elements = root.elements else { throw DiscoveryError("expected a list of target groups") }
        var groups: [TargetGroup] = []
        for (index, element) in elements.enumerated() {
            guard element != .null else { throw DiscoveryError("nil target group item found (index \(index))") }
            do throws(JSONFieldError) {
                groups.append(try TargetGroup(element, path: "[\(index)]", source: source(index)))
            } catch {
                throw DiscoveryError(error.description)
            }
        }
        return groups
    }

    private init(_ json: JSON, path: String, source: String) throws(JSONFieldError) {
        var fields = try JSONFields(json, path: path)
        var addresses: [String] = []
        for element in try fields.list("targets", limit: .max) {
            guard let text = element.text else { throw fields.fault("targets", "expected a list of texts") }
            addresses.append(text)
        }
        var labels: [Label] = []
        for member in fields.optional("labels")?.members ?? [] {
            guard let text = member.value.text else { throw fields.fault("labels.\(member.name)", "expected text") }
            guard !member.name.isEmpty else { throw fields.fault("labels", "a label without a name") }
            labels.append(Label(member.name, text))
        }
        try fields.finish()
        self.init(source: source, addresses: addresses, labels: Labels(labels))
    }
}

/// The error of a mechanism. Its earlier targets stay.
public struct DiscoveryError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A text of one line.
    public var description: String

    /// A failure.
    public init(_ description: String) {
        self.description = description
    }
}
