/// `# TYPE`, `# HELP` and `# UNIT` of one metric family of one target, as shown by `/api/v1/metadata`.
public struct MetricMetadata: Hashable, Sendable {
    /// The family's name.
    public var family: String
    /// `counter`, `gauge`, `histogram`, `gaugehistogram`, `summary`, `info`, `stateset` or `unknown`.
    public var type: String
    /// The help text, unescaped.
    public var help: String
    /// The unit, or empty.
    public var unit: String

    /// Metadata of `family`.
    public init(family: String, type: String, help: String, unit: String) {
        self.family = family
        self.type = type
        self.help = help
        self.unit = unit
    }
}
