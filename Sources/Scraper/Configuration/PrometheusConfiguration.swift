public import ConfigurationFields
public import Discovery
public import MetricModel
public import YAML

/// The content of a stock `prometheus.yml`. A value.
public struct PrometheusConfiguration: Equatable, Sendable {
    /// A `rule_files` or `scrape_config_files` entry: a path, possibly with `*`.
    public typealias FilePattern = String

    /// Servers that alerts are sent to: one entry of `alerting.alertmanagers`.
    public struct AlertmanagerGroup: Equatable, Sendable {
        /// `http` or `https`.
        public var scheme = "http"
        /// Stands before `/api/v2/alerts`.
        public var pathPrefix = ""
        /// How long sending may take.
        public var timeout = Milliseconds.seconds(10)
        /// How the servers are talked to.
        public var http = HTTPSettings()
        /// The servers.
        public var staticTargets: [TargetGroup] = []
        /// Where other servers are found.
        public var discovery: [DiscoveryMechanism] = []
        /// Rules for the labels of servers.
        public var relabelRules: [RelabelRule] = []
        /// Rules for the labels of alerts sent to these servers.
        public var alertRelabelRules: [RelabelRule] = []
    }

    /// `global.scrape_interval`.
    public var scrapeInterval = Milliseconds.minutes(1)
    /// `global.evaluation_interval`.
    public var evaluationInterval = Milliseconds.minutes(1)
    /// `global.rule_query_offset`.
    public var ruleQueryOffset = Milliseconds.zero
    /// `global.external_labels`.
    public var externalLabels = Labels.empty
    /// `scrape_configs`, and those of `scrape_config_files`.
    public var pools: [ScrapePool] = []
    /// `rule_files`, resolved against the configuration's directory; still patterns.
    public var ruleFiles: [FilePattern] = []
    /// `alerting.alertmanagers`.
    public var alertmanagers: [AlertmanagerGroup] = []
    /// `alerting.alert_relabel_configs`.
    public var alertRelabelRules: [RelabelRule] = []
    /// `storage.exemplars.max_exemplars`, where it is given.
    public var maximumExemplars: Int?
    /// The main file as YAML, with `<secret>` for every secret.
    public var shownText = ""
    /// Settings that were understood but have no effect here.
    public var warnings: [YAMLError] = []

    /// The empty configuration, which is valid.
    public init() {}
}

/// Everything that is wrong with a configuration; at least one error.
public struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The errors in the order of their places.
    public var errors: [YAMLError]

    /// A refusal for `errors`, of which there is at least one.
    public init(errors: [YAMLError]) {
        self.errors = errors
    }

    /// One error per line.
    public var description: String { errors.map(\.description).joined(separator: "\n") }
}
