internal import ConfigurationFields
internal import CurlHTTP
internal import YAML

/// `tracing`: validated, without effect.
enum TracingSection {
    static func check(_ node: YAMLNode, file: String, _ directory: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: "tracing", file: file)
        if let word = try fields.optionalText("client_type"), word != "http", word != "grpc" {
            fields.note(
                "expected tracing client type to be http or grpc, but got \(word)", at: node["client_type"],
                field: "client_type")
        }
        if try fields.optionalText("endpoint") ?? "" == "" {
            fields.note("tracing endpoint must be set", field: "endpoint")
        }
        _ = try fields.optionalNumber("sampling_fraction")
        _ = try fields.optionalFlag("insecure")
        if let section = fields.optional("tls_config") {
            _ = fields.collect { (fields) throws(YAMLError) in
                try TLSOptions(section, path: "tracing.tls_config", file: file, directory: directory)
            }
        }
        _ = try RemoteSection.headers(&fields, "custom authorization header configuration is not yet supported")
        if let word = try fields.optionalText("compression"), word != "gzip", !word.isEmpty {
            fields.note(
                "invalid compression type \(word) provided, valid options: gzip", at: node["compression"],
                field: "compression")
        }
        _ = try fields.optionalDuration("timeout")
        try fields.finish()
    }
}

/// `otlp`: validated, without effect.
enum OTLPSection {
    private static let strategies = [
        "UnderscoreEscapingWithSuffixes", "UnderscoreEscapingWithoutSuffixes", "NoUTF8EscapingWithSuffixes",
        "NoTranslation",
    ]

    static func check(_ node: YAMLNode, file: String, _ names: NameScheme.Validation) throws(YAMLError) {
        var fields = try FieldReader(node, path: "otlp", file: file)
        let promotesAll = try fields.optionalFlag("promote_all_resource_attributes") ?? false
        let promoted = try attributes("promote_resource_attributes", "promoted", &fields)
        let ignored = try attributes("ignore_resource_attributes", "ignored", &fields)
        if promotesAll, promoted {
            fields.note(
                "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured "
                    + "simultaneously")
        }
        if !promotesAll, ignored {
            fields.note(
                "'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is true")
        }
        if let word = try fields.optionalText("translation_strategy"), !word.isEmpty {
            let (place, field) = (node["translation_strategy"], "translation_strategy")
            if !strategies.contains(word) {
                fields.note("unsupported OTLP translation strategy \"\(word)\"", at: place, field: field)
            } else if names == .legacy, !word.hasPrefix("Underscore") {
                fields.note(
                    "OTLP translation strategy \"\(word)\" is not allowed when UTF8 is disabled", at: place,
                    field: field)
            }
        }
        let flags = [
            "keep_identifying_resource_attributes", "convert_histograms_to_nhcb", "promote_scope_metadata",
            "label_name_underscore_sanitization", "label_name_preserve_multiple_underscores",
        ]
        for name in flags { _ = try fields.optionalFlag(name) }
        try fields.finish()
    }

    /// Checks a list of attributes. Returns whether it has any.
    private static func attributes(
        _ name: String, _ adjective: String, _ fields: inout FieldReader
    ) throws(YAMLError) -> Bool {
        let attributes = try fields.textList(name)
        var seen: Set<Substring> = []
        for (index, attribute) in attributes.enumerated() {
            let word = attribute.split(whereSeparator: \.isWhitespace).first ?? ""
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
        return !attributes.isEmpty
    }
}
