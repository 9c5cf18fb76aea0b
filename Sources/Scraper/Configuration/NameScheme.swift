internal import YAML

/// The valid names of metrics and labels, and the requested escaping of others. A value.
public struct NameScheme: Equatable, Sendable {
    /// `metric_name_validation_scheme`.
    public enum Validation: String, Sendable {
        /// Any UTF-8.
        case utf8
        /// Letters, digits, underscores and colons.
        case legacy
    }

    /// `metric_name_escaping_scheme`.
    public enum Escaping: String, CaseIterable, Sendable {
        case allowUTF8 = "allow-utf-8"
        case underscores, dots, values
    }

    /// The valid names.
    public var validation = Validation.utf8
    /// The escaping of other names.
    public var escaping = Escaping.allowUTF8

    /// All names, unchanged.
    public init() {}

    /// Reads the two fields of `global` or of a job. A job with only a validation scheme gets the matching escaping,
    /// not that of `defaults`.
    init(_ fields: inout FieldReader, defaults: NameScheme = NameScheme()) throws(YAMLError) {
        self = defaults
        if let word = try fields.optionalText("metric_name_validation_scheme"), !word.isEmpty {
            validation = Validation(rawValue: word) ?? validation
            escaping = validation == .utf8 ? .allowUTF8 : .underscores
            if Validation(rawValue: word) == nil {
                fields.note(
                    "unknown name validation method, must be either '', 'legacy' or 'utf8', got \(word)",
                    at: fields.node["metric_name_validation_scheme"], field: "metric_name_validation_scheme")
            }
        }
        guard let word = try fields.optionalText("metric_name_escaping_scheme"), !word.isEmpty else { return }
        let (place, field) = (fields.node["metric_name_escaping_scheme"], "metric_name_escaping_scheme")
        guard let known = Escaping(rawValue: word) else {
            let words = Escaping.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
            fields.note(
                "unknown name escaping method, must be one of \(words), got \"\(word)\"", at: place, field: field)
            return
        }
        escaping = known
        if known == .allowUTF8, validation != .utf8 {
            fields.note("utf8 metric names requested but validation scheme is not set to UTF8", at: place, field: field)
        }
    }
}
