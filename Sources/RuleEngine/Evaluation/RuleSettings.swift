public import MetricModel

/// Settings that apply to all rules of a server.
public struct RuleSettings: Equatable, Sendable {
    /// The server's external labels: templates see them, and alerts get them when they are sent.
    public var externalLabels: Labels
    /// The external URL of the server, without a trailing slash.
    public var externalURL: String
    /// Time between evaluations of groups that set no interval (`evaluation_interval`).
    public var evaluationInterval: Milliseconds
    /// How far in the past groups that set no offset run their queries (`rule_query_offset`).
    public var queryOffset: Milliseconds
    /// The minimum time before a firing alert is sent again (`--rules.alert.resend-delay`).
    public var resendDelay: Milliseconds
    /// The maximum age of alert state that is restored (`--rules.alert.for-outage-tolerance`).
    public var outageTolerance: Milliseconds
    /// The minimum wait after a restart for alerts with a longer `for` (`--rules.alert.for-grace-period`).
    public var gracePeriod: Milliseconds
    /// Whether alerts of groups without a `trigger` also advance at each scrape that they read
    /// (`--rules.trigger=scrape`).
    public var advancesAtScrapes: Bool
    /// The share of one core that evaluations at scrapes may use, if ``advancesAtScrapes``. With less, alerts advance
    /// later.
    public var scrapeShare: Double
    /// Threads that evaluate groups.
    public var concurrency: Int
    /// The query servers that groups may name.
    public var servers: [RuleServerSettings] = []
    /// The server of groups that name none; `nil` for the own store.
    public var defaultServer: String?

    /// Prometheus's defaults.
    public init(
        externalLabels: Labels = .empty, externalURL: String = "", evaluationInterval: Milliseconds = .minutes(1),
        queryOffset: Milliseconds = .zero, resendDelay: Milliseconds = .minutes(1),
        outageTolerance: Milliseconds = .hours(1), gracePeriod: Milliseconds = .minutes(10),
        advancesAtScrapes: Bool = false, scrapeShare: Double = 0.05,
        concurrency: Int = 4
    ) {
        self.externalLabels = externalLabels
        self.externalURL = externalURL
        self.evaluationInterval = evaluationInterval
        self.queryOffset = queryOffset
        self.resendDelay = resendDelay
        self.outageTolerance = outageTolerance
        self.gracePeriod = gracePeriod
        self.advancesAtScrapes = advancesAtScrapes
        self.scrapeShare = scrapeShare
        self.concurrency = concurrency
    }

    /// The server that the rules of `group` ask; `nil` for the own store. A name without a server is refused when the
    /// configuration is read, so there is always an answer to who is asked.
    public func server(of group: RuleGroup) -> RuleServerSettings? {
        let wanted = group.query ?? defaultServer ?? RuleGroup.ownStore
        if wanted == RuleGroup.ownStore { return nil }
        return servers.first { $0.name == wanted } ?? RuleServerSettings(name: wanted)
    }
}
