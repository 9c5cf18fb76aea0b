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
        /// A prefix of the path `/api/v2/alerts`.
        public var pathPrefix = ""
        /// Timeout for sending.
        public var timeout = Milliseconds.seconds(10)
        /// HTTP client settings.
        public var http = HTTPSettings()
        /// The servers.
        public var staticTargets: [TargetGroup] = []
        /// Mechanisms that discover other servers.
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
    /// `rule_files`, as patterns resolved against the configuration's directory.
    public var ruleFiles: [FilePattern] = []
    /// Entries of ``ruleFiles`` without a pattern whose file does not exist.
    public var missingRuleFiles: [String] = []
    /// `alerting.alertmanagers`.
    public var alertmanagers: [AlertmanagerGroup] = []
    /// `alerting.alert_relabel_configs`.
    public var alertRelabelRules: [RelabelRule] = []
    /// `storage.exemplars.max_exemplars`, if it is set.
    public var maximumExemplars: Int?
    /// `storage.tsdb.out_of_order_time_window`.
    public var outOfOrderWindow = Milliseconds.zero
    /// `storage.tsdb.retention.time`, if set.
    public var retention: Milliseconds?
    /// `storage.tsdb.retention.size` in bytes, if set.
    public var retentionBytes: Int?
    /// `storage.tsdb.retention.percentage`: the limit of the samples' size in percent of the disk, if set. It comes
    /// before ``retentionBytes``.
    public var retentionPercentage: Double?
    /// `remote_write`: the servers that samples are sent to.
    public var remoteWrites: [RemoteWriteSettings] = []
    /// `otlp`
    public var otlp = OTLPSettings()
    /// `tracing`, if it is set.
    public var tracing: TracingSettings?
    /// `remote_read`: read, without effect.
    public var remoteReads: [RemoteReadSettings] = []
    /// The main file as YAML, with `<secret>` in place of every secret.
    public var shownText = ""
    /// Valid settings that have no effect.
    public var warnings: [YAMLError] = []

    /// The empty configuration, which is valid.
    public init() {}
}

/// All errors of a configuration; at least one.
public struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The errors in file order.
    public var errors: [YAMLError]

    /// An error for `errors`, of which there is at least one.
    public init(errors: [YAMLError]) {
        self.errors = errors
    }

    /// One error per line.
    public var description: String { errors.map(\.description).joined(separator: "\n") }
}
