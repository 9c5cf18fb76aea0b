public import MetricModel

/// What holds for all rules of a server.
public struct RuleSettings: Equatable, Sendable {
    /// Labels that mark this server: seen by templates, and added to alerts that leave it.
    public var externalLabels: Labels
    /// The URL under which the server is reached, without a slash at its end.
    public var externalURL: String
    /// Time between the evaluations of groups that name none (`evaluation_interval`).
    public var evaluationInterval: Milliseconds
    /// How far behind the clock queries of groups that name no offset run (`rule_query_offset`).
    public var queryOffset: Milliseconds
    /// How often a firing alert is sent again (`--rules.alert.resend-delay`).
    public var resendDelay: Milliseconds
    /// How old the state of alerts may be to be restored (`--rules.alert.for-outage-tolerance`).
    public var outageTolerance: Milliseconds
    /// Least time that alerts of rules which hold for longer wait after a restart (`--rules.alert.for-grace-period`).
    public var gracePeriod: Milliseconds
    /// Threads that evaluate groups.
    public var concurrency: Int

    /// Prometheus's defaults.
    public init(
        externalLabels: Labels = .empty, externalURL: String = "", evaluationInterval: Milliseconds = .minutes(1),
        queryOffset: Milliseconds = .zero, resendDelay: Milliseconds = .minutes(1),
        outageTolerance: Milliseconds = .hours(1), gracePeriod: Milliseconds = .minutes(10), concurrency: Int = 4
    ) {
        self.externalLabels = externalLabels
        self.externalURL = externalURL
        self.evaluationInterval = evaluationInterval
        self.queryOffset = queryOffset
        self.resendDelay = resendDelay
        self.outageTolerance = outageTolerance
        self.gracePeriod = gracePeriod
        self.concurrency = concurrency
    }
}
