public import Identity
public import MetricModel
public import MetricStore
public import PromQL
public import RuleModel
public import Scraper

/// The data of Prometheus's API. Provided by the composition root.
///
/// Every closure may be called from several threads at once and should return a snapshot without waiting.
public struct PrometheusSources: Sendable {
    /// The samples.
    public var store: MetricStore
    /// The options of queries. A request may shorten the timeout and change the lookback.
    public var engine = EngineOptions()
    /// The accepted expressions.
    public var features = ParserFeatures.standard
    /// The active targets, in any order.
    public var targets: @Sendable () -> [TargetSnapshot] = { [] }
    /// The targets that relabelling dropped, in any order.
    public var droppedTargets: @Sendable () -> [DroppedTarget] = { [] }
    /// The configured jobs.
    public var scrapePools: @Sendable () -> [String] = { [] }
    /// The metadata of the active targets.
    public var metadata: @Sendable () -> [TargetMetadata] = { [] }
    /// The rule groups, in any order.
    public var ruleGroups: @Sendable () -> [RuleGroupSnapshot] = { [] }
    /// The URLs to which alerts are sent.
    public var alertmanagers: @Sendable () -> [String] = { [] }
    /// The current configuration as YAML, with `<secret>` in place of secrets.
    public var configuration: @Sendable () -> String = { "" }
    /// Whether samples can be read.
    public var isReady: @Sendable () -> Bool = { true }
    /// Problems of a ready service that an operator must fix, one line each; part of the response of `/-/ready`.
    public var limitations: @Sendable () -> [String] = { [] }
    /// Why this process does not act on rollouts, or only rolls back; the response of `/-/acting`.
    public var actingFaults: @Sendable () -> [String] = { [] }
    /// Reloads the configuration.
    public var reload: @Sendable (Principal) -> ConfigurationReload = { _ in .done(waits: []) }
    /// Stops the program.
    public var quit: @Sendable () -> Void = {}
    /// The result of the last load of the configuration.
    public var lastReload: @Sendable () -> ReloadOutcome = { ReloadOutcome() }
    /// Metadata from senders of remote write, in any order.
    public var writtenMetadata: @Sendable () -> [MetricMetadata] = { [] }

    /// Sources with only samples.
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

/// The result of the last load of the configuration.
public struct ReloadOutcome: Sendable {
    /// Whether it succeeded.
    public var succeeded: Bool
    /// The time at which the current configuration was loaded.
    public var at: Timestamp?
    /// Why it failed, or empty.
    public var error: String

    /// A result.
    public init(succeeded: Bool = true, at: Timestamp? = nil, error: String = "") {
        self.succeeded = succeeded
        self.at = at
        self.error = error
    }
}
