internal import ConfigurationFields
public import MetricModel
internal import Runtime
internal import YAML

/// `file_sd_configs`: files with targets. A value.
public struct FileDiscovery: Equatable, Sendable {
    /// Paths, with `*` in their last part.
    public var patterns: [String]
    /// The interval at which files are read without a notification of a change.
    public var refreshInterval: Milliseconds

    /// Files that match one of `patterns`.
    public init(patterns: [String], refreshInterval: Milliseconds = .minutes(5)) {
        self.patterns = patterns
        self.refreshInterval = refreshInterval
    }
}

extension FileDiscovery {
    init(_ fields: inout FieldReader, directory: String) throws(YAMLError) {
        let patterns = try fields.textList("files")
        if patterns.isEmpty {
            throw fields.fault("file service discovery config must contain at least one path name")
        }
        for (index, pattern) in patterns.enumerated() {
            let isKnown = [".json", ".yml", ".yaml"].contains { pattern.lowercased().hasSuffix($0) }
            let star = pattern.firstIndex(of: "*")
            guard isKnown, star.map({ !pattern[$0...].contains("/") }) ?? true else {
                throw fields.fault(
                    "path name \"\(pattern)\" is not valid for file discovery",
                    at: fields.node["files"]?.elements?[index], field: "files[\(index)]")
            }
        }
        self.init(
            patterns: patterns.map { Paths.resolve($0, from: directory) },
            refreshInterval: try fields.optionalInterval("refresh_interval") ?? .minutes(5))
    }
}
