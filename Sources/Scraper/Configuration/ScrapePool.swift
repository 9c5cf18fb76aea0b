public import ConfigurationFields
public import Discovery
public import Exposition
public import MetricModel

/// One entry of `scrape_configs`: a job. A value.
public struct ScrapePool: Equatable, Sendable {
    /// What a target must not exceed; 0 means no limit.
    public struct Limits: Equatable, Sendable {
        /// Samples per scrape, after relabelling.
        public var samples = 0
        /// Labels per sample.
        public var labels = 0
        /// Bytes of a label's name.
        public var labelNameLength = 0
        /// Bytes of a label's value.
        public var labelValueLength = 0
        /// Bytes of a body, decompressed.
        public var bodyBytes = 0
        /// Targets of the pool, after relabelling.
        public var targets = 0
        /// Targets that are not scraped and are listed all the same.
        public var droppedTargets = 0

        /// No limits.
        public init() {}
    }

    /// `job_name`.
    public var name: String
    /// Time from scrape to scrape.
    public var interval: Milliseconds
    /// The longest a scrape may take; not above the interval.
    public var timeout: Milliseconds
    /// `/metrics`, unless configured.
    public var metricsPath = "/metrics"
    /// `http` or `https`.
    public var scheme = "http"
    /// URL parameters in the order of their names.
    public var parameters: [Parameter] = []
    /// Whether exposed labels win over those of the target.
    public var honorsLabels = false
    /// Whether exposed timestamps count.
    public var honorsTimestamps = true
    /// Whether series with timestamps of their own get staleness markers too.
    public var tracksTimestampStaleness = false
    /// Whether gzip is asked for.
    public var asksForCompression = true
    /// What is asked for, best first, where the configuration says so; see ``askedProtocols(protobufFirst:)``.
    public var protocols: [ScrapeProtocol]?
    /// The format of targets that do not say what they send.
    public var fallback: ExpositionFormat?
    /// How the targets are talked to.
    public var http = HTTPSettings()
    /// What targets must not exceed.
    public var limits = Limits()
    /// What becomes of histograms.
    public var histograms = HistogramSettings()
    /// Targets that the configuration names.
    public var staticTargets: [TargetGroup] = []
    /// Where other targets are found.
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

        /// A parameter, given once for each value.
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
