internal import YAML

/// `otlp`: how metrics of OpenTelemetry become series. A value.
public struct OTLPSettings: Equatable, Sendable {
    /// The names of metrics and labels.
    public enum Strategy: String, CaseIterable, Sendable {
        case underscoreEscapingWithSuffixes = "UnderscoreEscapingWithSuffixes"
        case underscoreEscapingWithoutSuffixes = "UnderscoreEscapingWithoutSuffixes"
        case noUTF8EscapingWithSuffixes = "NoUTF8EscapingWithSuffixes"
        case noTranslation = "NoTranslation"

        /// Whether characters that old versions of Prometheus do not know become `_`.
        public var escapes: Bool {
            self == .underscoreEscapingWithSuffixes || self == .underscoreEscapingWithoutSuffixes
        }

        /// Whether units and `_total` become suffixes.
        public var addsSuffixes: Bool {
            self == .underscoreEscapingWithSuffixes || self == .noUTF8EscapingWithSuffixes
        }
    }

    /// `translation_strategy`
    public var strategy = Strategy.underscoreEscapingWithSuffixes
    /// `promote_all_resource_attributes`: all attributes of the resource become labels, except ``ignored``.
    public var promotesAll = false
    /// `promote_resource_attributes`: attributes of the resource that become labels.
    public var promoted: Set<String> = []
    /// `ignore_resource_attributes`
    public var ignored: Set<String> = []
    /// `keep_identifying_resource_attributes`: whether `target_info` has them too.
    public var keepsIdentifying = false
    /// `convert_histograms_to_nhcb`: whether histograms with explicit bounds become native ones with custom bounds.
    public var convertsToCustomBuckets = false
    /// `promote_scope_metadata`: whether the scope becomes labels.
    public var promotesScope = false
    /// `label_name_underscore_sanitization`
    public var prefixesUnderscores = true
    /// `label_name_preserve_multiple_underscores`
    public var keepsUnderscores = true

    /// Prometheus's defaults.
    public init() {}
}

extension OTLPSettings {
    init(_ node: YAMLNode, file: String, _ names: NameScheme.Validation) throws(YAMLError) {
        self.init()
        var fields = try FieldReader(node, path: "otlp", file: file)
        promotesAll = try fields.optionalFlag("promote_all_resource_attributes") ?? false
        promoted = try Self.attributes("promote_resource_attributes", "promoted", &fields)
        ignored = try Self.attributes("ignore_resource_attributes", "ignored", &fields)
        if promotesAll, !promoted.isEmpty {
            fields.note(
                "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured "
                    + "simultaneously")
        }
        if !promotesAll, !ignored.isEmpty {
            fields.note(
                "'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is true")
        }
        if let word = try fields.optionalText("translation_strategy"), !word.isEmpty {
            let (place, field) = (node["translation_strategy"], "translation_strategy")
            if let found = Strategy(rawValue: word) {
                strategy = found
                if names == .legacy, !found.escapes {
                    fields.note(
                        "OTLP translation strategy \"\(word)\" is not allowed when UTF8 is disabled", at: place,
                        field: field)
                }
            } else {
                fields.note("unsupported OTLP translation strategy \"\(word)\"", at: place, field: field)
            }
        }
        keepsIdentifying = try fields.optionalFlag("keep_identifying_resource_attributes") ?? false
        convertsToCustomBuckets = try fields.optionalFlag("convert_histograms_to_nhcb") ?? false
        promotesScope = try fields.optionalFlag("promote_scope_metadata") ?? false
        prefixesUnderscores = try fields.optionalFlag("label_name_underscore_sanitization") ?? true
        keepsUnderscores = try fields.optionalFlag("label_name_preserve_multiple_underscores") ?? true
        try fields.finish()
    }

    private static func attributes(
        _ name: String, _ adjective: String, _ fields: inout FieldReader
    ) throws(YAMLError) -> Set<String> {
        let attributes = try fields.textList(name)
        var seen: Set<String> = []
        for (index, attribute) in attributes.enumerated() {
            let word = attribute.split(whereSeparator: \.isWhitespace).first.map { String($0) } ?? ""
            let problem: String
            if word.isEmpty {
                problem = "empty \(adjective) OTel resource attribute"
            } else if !seen.insert(word).inserted {
                problem = "duplicated \(adjective) OTel resource attribute \"\(word)\""
            } else {
                continue
            }
            fields.note(
                "invalid '\(name)': \(problem)", at: fields.node[name]?.elements?[index], field: "\(name)[\(index)]")
        }
        return seen
    }
}
