public import MetricModel

/// The state of one scrape target, as shown by `/api/v1/targets`.
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
    /// Why the last scrape failed; empty if it succeeded.
    public var lastError: String
    /// The start of the last scrape; `nil` before the first.
    public var lastScrape: Timestamp?
    /// The duration of the last scrape, in seconds.
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
    /// The error of the target; `nil` if relabelling dropped it.
    public var reason: String?
}
