/// A parameter of an ``Endpoint``. A value.
public struct Parameter: Sendable, Equatable {
    /// Where it is found.
    public enum Location: String, Sendable {
        case path
        /// In the URL's query or, for a `POST` with a form body, in the form.
        case query
    }

    /// The type of its value.
    public enum Kind: Sendable, Equatable {
        case string
        case integer
        case boolean
        /// RFC 3339, or seconds since the epoch.
        case time
        /// Prometheus's notation (`5m`), or seconds.
        case duration
        /// A PromQL expression.
        case expression
        /// A series selector.
        case selector
        /// One of these words.
        case choice([String])
    }

    /// The name as clients write it.
    public let name: String
    /// Where it is found.
    public let location: Location
    /// The type of its value.
    public let kind: Kind
    /// Whether a request without it is refused.
    public let isRequired: Bool
    /// Whether it may be given several times.
    public let isRepeated: Bool
    /// One sentence for the reference.
    public let summary: String

    private init(
        _ name: String, _ kind: Kind, _ summary: String, location: Location = .query, isRequired: Bool = false,
        isRepeated: Bool = false
    ) {
        self.name = name
        self.location = location
        self.kind = kind
        self.isRequired = isRequired
        self.isRepeated = isRepeated
        self.summary = summary
    }

    /// A path parameter.
    public static func path(_ name: String, _ kind: Kind = .string, _ summary: String) -> Parameter {
        Parameter(name, kind, summary, location: .path, isRequired: true)
    }

    /// A required parameter.
    public static func required(_ name: String, _ kind: Kind = .string, _ summary: String) -> Parameter {
        Parameter(name, kind, summary, isRequired: true)
    }

    /// An optional parameter.
    public static func optional(_ name: String, _ kind: Kind = .string, _ summary: String) -> Parameter {
        Parameter(name, kind, summary)
    }

    /// A parameter that may be omitted or repeated.
    public static func repeated(
        _ name: String, _ kind: Kind = .string, _ summary: String, isRequired: Bool = false
    ) -> Parameter {
        Parameter(name, kind, summary, isRequired: isRequired, isRepeated: true)
    }
}
