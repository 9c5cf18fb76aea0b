public import MetricModel

/// What is known of one scrape target at one moment, as `/api/v1/targets` shows it.
public struct TargetSnapshot: Equatable, Sendable {
    /// Whether the last scrape succeeded.
    public enum Health: String, Sendable {
        case up
        case down
        case unknown
    }

    /// Labels before relabelling, with `__address__` and the other `__` labels.
    public var discoveredLabels: Labels
    /// Labels after relabelling.
    public var labels: Labels
    /// The job name of the scrape configuration.
    public var scrapePool: String
    /// The URL that is scraped.
    public var scrapeURL: String
    /// Why the last scrape failed; empty when it did not.
    public var lastError: String
    /// When the last scrape began; `nil` before the first.
    public var lastScrape: Timestamp?
    /// How long the last scrape took, in seconds.
    public var lastScrapeDuration: Double
    /// Whether the last scrape succeeded.
    public var health: Health
    /// The configured interval.
    public var scrapeInterval: Milliseconds
    /// The configured timeout.
    public var scrapeTimeout: Milliseconds
}

/// A discovered target that is not scraped.
public struct DroppedTarget: Equatable, Sendable {
    /// Labels before relabelling.
    public var discoveredLabels: Labels
    /// The job name of the scrape configuration.
    public var scrapePool: String
    /// What is wrong with the target; `nil` when relabelling dropped it.
    public var reason: String?
}
