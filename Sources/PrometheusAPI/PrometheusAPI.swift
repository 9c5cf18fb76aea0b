public import Instrumentation
internal import MetricModel
internal import PromQL
internal import Runtime
public import WebCore

/// Prometheus's HTTP API, version 1, and its management endpoints. May be used from any number of threads.
public final class PrometheusAPI: Sendable {
    let sources: PrometheusSources
    let settings: PrometheusSettings
    let startedAt: Timestamp
    let queries: QueryGate
    let clients: ClientWatch
    let plans: PlanCache

    /// The API over `sources`. Its metrics are in `registry`.
    ///
    /// - Parameter clients: cancels queries whose clients have disconnected.
    public init(
        sources: PrometheusSources, settings: PrometheusSettings, clients: ClientWatch, registry: Registry
    ) {
        self.sources = sources
        self.settings = settings
        self.clients = clients
        startedAt = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        queries = QueryGate(limit: settings.maximumConcurrentQueries, registry: registry)
        plans = PlanCache(features: sources.features)
        PlanMetrics.show(plans, in: registry)
    }

    /// The number of server threads that these settings require.
    public static func workers(_ settings: PrometheusSettings) -> Int {
        max(settings.maximumConcurrentQueries, 1) + QueryGate.spareWorkers
    }

    /// Ends running and waiting queries, and rejects new ones. Other requests are still served.
    public func cancelQueries() {
        queries.close()
        clients.cancelAll()
    }
}

/// The flags of Prometheus's API. A value.
public struct PrometheusSettings: Sendable {
    /// The external URL of the server, for links.
    public var externalURL = ExternalURL()
    /// Whether `/-/reload` and `/-/quit` are enabled.
    public var enablesLifecycle = false
    /// Whether samples can be deleted and copied.
    public var enablesAdministration = false
    /// The directory for copies of the samples.
    public var snapshotDirectory = "snapshots"
    /// Whether remote write is enabled.
    public var enablesRemoteWrite = false
    /// The maximum number of concurrent queries. Others wait.
    public var maximumConcurrentQueries = 20
    /// The version of this program.
    public var build = BuildInformation()
    /// Flags and their values, for `/api/v1/status/flags`.
    public var flags: [String: String] = [:]
    /// The retention time of samples, as text.
    public var retention = ""

    /// Settings with Prometheus's defaults.
    public init() {}
}
