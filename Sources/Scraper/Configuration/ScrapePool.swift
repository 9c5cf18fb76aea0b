public import ConfigurationFields
public import Discovery
public import Exposition
public import MetricModel

/// One entry of `scrape_configs`: a job. A value.
public struct ScrapePool: Equatable, Sendable {
    /// Limits for a target; 0 means no limit.
    public struct Limits: Equatable, Sendable {
        /// Samples per scrape, after relabelling.
        public var samples = 0
        /// Labels per sample.
        public var labels = 0
        /// Bytes of a label name.
        public var labelNameLength = 0
        /// Bytes of a label value.
        public var labelValueLength = 0
        /// Bytes of a response body, decompressed.
        public var bodyBytes = 0
        /// Targets of the pool, after relabelling.
        public var targets = 0
        /// Listed targets that are not scraped.
        public var droppedTargets = 0

        /// No limits.
        public init() {}
    }

    /// `job_name`.
    public var name: String
    /// Time between scrapes.
    public var interval: Milliseconds
    /// Timeout of a scrape; at most the interval.
    public var timeout: Milliseconds
    /// The URL path; `/metrics` by default.
    public var metricsPath = "/metrics"
    /// `http` or `https`.
    public var scheme = "http"
    /// URL parameters, sorted by name.
    public var parameters: [Parameter] = []
    /// Whether exposed labels take precedence over the target's labels.
    public var honorsLabels = false
    /// Whether exposed timestamps are used.
    public var honorsTimestamps = true
    /// Whether series with exposed timestamps also get staleness markers.
    public var tracksTimestampStaleness = false
    /// Whether gzip is requested.
    public var asksForCompression = true
    /// The formats requested, best first, if they are configured; see ``askedProtocols(protobufFirst:)``.
    public var protocols: [ScrapeProtocol]?
    /// The format of responses without a usable `Content-Type`.
    public var fallback: ExpositionFormat?
    /// The valid names, and the requested escaping of others.
    public var names = NameScheme()
    /// The file for failed scrapes; `nil` for none.
    public var failureLog: String?
    /// HTTP client settings.
    public var http = HTTPSettings()
    /// Limits for each target.
    public var limits = Limits()
    /// How histograms are scraped.
    public var histograms = HistogramSettings()
    /// `extra_scrape_metrics`: whether a scrape also stores its timeout, its limit of samples and its size; `nil` for
    /// the setting of the runner.
    public var storesExtraReports: Bool?
    /// Targets listed in the configuration.
    public var staticTargets: [TargetGroup] = []
    /// Mechanisms that discover other targets.
    public var discovery: [DiscoveryMechanism] = []
    /// Rules for the labels of targets.
    public var relabelRules: [RelabelRule] = []
    /// Rules for the labels of samples.
    public var metricRelabelRules: [RelabelRule] = []

    /// A URL parameter with its values.
    public struct Parameter: Equatable, Sendable {
        /// The name.
        public var name: String
        /// The values, in order.
        public var values: [String]

        /// A parameter. It is sent once for each value.
        public init(name: String, values: [String]) {
            self.name = name
            self.values = values
        }
    }

    /// A job with Prometheus's defaults.
    public init(name: String, interval: Milliseconds = .minutes(1), timeout: Milliseconds = .seconds(10)) {
        self.name = name
        self.interval = interval
        self.timeout = timeout
    }
}
