internal import ConfigurationFields
internal import CurlHTTP
internal import MetricModel
internal import Runtime
internal import YAML

/// Reads the fields of one integration, with the defaults of the `global` section.
struct IntegrationReader {
    var fields: FieldReader
    let global: GlobalSettings
    let directory: String

    init(_ node: YAMLNode, path: String, file: String, global: GlobalSettings, directory: String) throws(YAMLError) {
        fields = try FieldReader(node, path: path, file: file)
        self.global = global
        self.directory = directory
    }

    func fault(_ message: String) -> YAMLError { fields.fault(message) }

    /// A text, usually a template.
    mutating func text(_ name: String, or standard: String = "") throws(YAMLError) -> String {
        // An empty text differs from a missing one.
        if let node = fields.node[name], node.isNull, case .scalar("", isPlain: true) = node.content {
            _ = fields.optional(name)
            return ""
        }
        return try fields.optionalText(name) ?? standard
    }

    mutating func flag(_ name: String, or standard: Bool = false) throws(YAMLError) -> Bool {
        try fields.optionalFlag(name) ?? standard
    }

    /// `send_resolved`.
    mutating func sendsResolved(_ standard: Bool) throws(YAMLError) -> Bool { try flag("send_resolved", or: standard) }

    mutating func http() throws(YAMLError) -> HTTPSettings {
        try HTTPSettings.section("http_config", of: &fields, directory: directory) ?? global.http
    }

    mutating func texts(_ name: String) throws(YAMLError) -> [NamedText] {
        try fields.textMapping(name).map { NamedText(name: $0.name, text: $0.value) }
    }

    /// A timeout in Go's notation, such as `1m30s`.
    mutating func timeout(_ name: String = "timeout") throws(YAMLError) -> Milliseconds? {
        guard let text = try fields.optionalText(name) else { return nil }
        guard let duration = GoDuration.milliseconds(text) else {
            throw fields.fault("not a valid duration string: \"\(text)\"", at: fields.optional(name), field: name)
        }
        return duration
    }

    /// `name`, or the file in `name_file`.
    mutating func secret(_ name: String) throws(YAMLError) -> HTTPSettings.Secret? {
        try fields.secretOrFile(name, directory)
    }

    /// A URL with http or https.
    mutating func url(_ name: String) throws(YAMLError) -> String? {
        guard let text = try fields.optionalText(name) else { return nil }
        try fields.checkURL(text, name)
        return text
    }

    /// A secret URL, inline or in a file.
    mutating func secretURL(_ name: String) throws(YAMLError) -> HTTPSettings.Secret? {
        let secret = try secret(name)
        if case .text(let text) = secret, !text.contains("{{") { try fields.checkURL(text, name) }
        return secret
    }

    mutating func each<Value>(
        _ name: String, _ read: (inout IntegrationReader) throws(YAMLError) -> Value
    ) throws(YAMLError) -> [Value] {
        var values: [Value] = []
        for (index, element) in try fields.list(name).enumerated() {
            var reader = try IntegrationReader(
                element, path: "\(fields.path(of: name))[\(index)]", file: fields.file, global: global,
                directory: directory)
            values.append(try read(&reader))
            try reader.fields.finish()
        }
        return values
    }
}

/// A name with a text, usually a template. A value.
public struct NamedText: Equatable, Sendable {
    /// The name.
    public var name: String
    /// The text.
    public var text: String
}

extension FieldReader {
    /// `name`, or the file in `name_file`. Both is an error with Alertmanager's text.
    mutating func secretOrFile(_ name: String, _ directory: String) throws(YAMLError) -> HTTPSettings.Secret? {
        let text = try optionalText(name)
        let file = try optionalText(name + "_file")
        if text != nil && file != nil {
            throw fault("at most one of \(name) & \(name)_file must be configured", at: node[name])
        }
        return text.map { .text($0) } ?? file.map { .file(Paths.resolve($0, from: directory)) }
    }

    func checkURL(_ text: String, _ name: String) throws(YAMLError) {
        guard text.hasPrefix("http://") || text.hasPrefix("https://") else {
            let scheme = text.contains("://") ? String(text.prefix { $0 != ":" }) : ""
            throw fault("unsupported scheme \"\(scheme)\" for URL", at: node[name], field: name)
        }
    }
}

/// Durations as Go writes them: `300ms`, `1.5h`, `1m30s`.
enum GoDuration {
    private static let units: [(String, Double)] = [
        ("ns", 1e-6), ("us", 1e-3), ("µs", 1e-3), ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000),
    ]

    static func milliseconds(_ text: String) -> Milliseconds? {
        if text == "0" { return .zero }
        if let duration = Milliseconds(parsing: text) { return duration }
        var rest = text[...]
        var total = 0.0
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            guard let number = Double(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            guard let unit = units.first(where: { rest.hasPrefix($0.0) }) else { return nil }
            rest = rest.dropFirst(unit.0.count)
            total += number * unit.1
        }
        return total < 1e15 ? Milliseconds(rawValue: Int64(total)) : nil
    }
}
