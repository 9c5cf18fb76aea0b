public import Instrumentation
internal import MetricModel
internal import PromQL
internal import Runtime
public import WebCore

/// Prometheus's HTTP API, version 1, and its management endpoints. Any number of threads may ask at once.
public final class PrometheusAPI: Sendable {
    let sources: PrometheusSources
    let settings: PrometheusSettings
    let startedAt: Timestamp
    let queries: QueryGate
    let clients: ClientWatch
    let plans: PlanCache

    /// The API over `sources`. Its metrics are in `registry`.
    ///
    /// - Parameter clients: Cancels queries whose clients left.
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

    /// The number of threads that a server needs for these settings.
    public static func workers(_ settings: PrometheusSettings) -> Int {
        max(settings.maximumConcurrentQueries, 1) + QueryGate.spareWorkers
    }

    /// Ends running and waiting queries, and refuses new ones; other requests are still answered.
    public func cancelQueries() {
        queries.close()
        clients.cancelAll()
    }
}

/// The flags of Prometheus's API. A value.
public struct PrometheusSettings: Sendable {
    /// Under which URL users reach this server; used in links.
    public var externalURL = ExternalURL()
    /// Whether `/-/reload` and `/-/quit` work.
    public var enablesLifecycle = false
    /// Whether remote write is enabled.
    public var enablesRemoteWrite = false
    /// Queries evaluated at once; further ones wait.
    public var maximumConcurrentQueries = 20
    /// The version of this program.
    public var build = BuildInformation()
    /// Flags and their values, as `/api/v1/status/flags` shows them.
    public var flags: [String: String] = [:]
    /// How long samples are kept, as text.
    public var retention = ""

    /// Settings with Prometheus's defaults.
    public init() {}
}
