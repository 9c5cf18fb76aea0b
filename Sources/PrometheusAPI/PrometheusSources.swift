public import MetricModel
public import MetricStore
public import PromQL
public import RuleModel
public import Scraper

/// Where Prometheus's API gets what it shows. Handed in by the composition root.
///
/// Every closure may be called by several threads at once and should answer from a snapshot without waiting.
public struct PrometheusSources: Sendable {
    /// The samples.
    public var store: MetricStore
    /// How queries are evaluated; a request may shorten the timeout and change the lookback.
    public var engine = EngineOptions()
    /// Which expressions are accepted.
    public var features = ParserFeatures.standard
    /// The active targets, in any order.
    public var targets: @Sendable () -> [TargetSnapshot] = { [] }
    /// The targets that relabelling dropped, in any order.
    public var droppedTargets: @Sendable () -> [DroppedTarget] = { [] }
    /// The jobs that are configured.
    public var scrapePools: @Sendable () -> [String] = { [] }
    /// The metadata of the active targets.
    public var metadata: @Sendable () -> [TargetMetadata] = { [] }
    /// The rule groups, in any order.
    public var ruleGroups: @Sendable () -> [RuleGroupSnapshot] = { [] }
    /// The URLs alerts are sent to.
    public var alertmanagers: @Sendable () -> [String] = { [] }
    /// The running configuration as YAML, secrets as `<secret>`.
    public var configuration: @Sendable () -> String = { "" }
    /// Whether samples can be asked for.
    public var isReady: @Sendable () -> Bool = { true }
    /// Faults of a ready service that a person must repair, a line each; part of the response of `/-/ready`.
    public var limitations: @Sendable () -> [String] = { [] }
    /// Loads the configuration again. Returns why that failed, or `nil`.
    public var reload: @Sendable () -> String? = { nil }
    /// Ends the program.
    public var quit: @Sendable () -> Void = {}
    /// How the last load of the configuration went.
    public var lastReload: @Sendable () -> ReloadOutcome = { ReloadOutcome() }
    /// Metadata from senders of remote write, in any order.
    public var writtenMetadata: @Sendable () -> [MetricMetadata] = { [] }

    /// Sources with samples and nothing else.
    public init(store: MetricStore) {
        self.store = store
    }
}

/// The metadata of one target.
public struct TargetMetadata: Sendable {
    /// The target's labels after relabelling.
    public var target: Labels
    /// The metric families.
    public var families: [MetricMetadata]

    /// Metadata of `target`.
    public init(target: Labels, families: [MetricMetadata]) {
        self.target = target
        self.families = families
    }
}

/// How the last load of the configuration went.
public struct ReloadOutcome: Sendable {
    /// Whether it succeeded.
    public var succeeded: Bool
    /// When the configuration that runs was loaded.
    public var at: Timestamp?
    /// Why it failed, or empty.
    public var error: String

    /// An outcome.
    public init(succeeded: Bool = true, at: Timestamp? = nil, error: String = "") {
        self.succeeded = succeeded
        self.at = at
        self.error = error
    }
}
