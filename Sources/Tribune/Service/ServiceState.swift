internal import Instrumentation
internal import MetricModel
internal import PrometheusAPI
internal import Runtime
internal import Synchronization

/// The state of the service: its configuration, whether it is ready, the result of the last reload. May be read from
/// any thread.
final class ServiceState: Sendable {
    private struct Content {
        var configuration: LoadedConfiguration
        var isReady = false
        var outcome = ReloadOutcome()
    }

    private let content: Mutex<Content>
    private let reloadSucceeded: Gauge
    private let reloadedAt: Gauge

    init(_ configuration: LoadedConfiguration, registry: Registry) {
        content = Mutex(Content(configuration: configuration))
        reloadSucceeded = registry.gauge(
            "tribune_config_last_reload_successful", "Whether the last load of the configuration succeeded.")
        reloadedAt = registry.gauge(
            "tribune_config_last_reload_success_timestamp_seconds", "When the current configuration was loaded.")
        reloaded(configuration)
    }

    /// The current configuration.
    var configuration: LoadedConfiguration { content.withLock { $0.configuration } }
    /// Whether requests can be served.
    var isReady: Bool { content.withLock { $0.isReady } }
    /// The result of the last reload.
    var outcome: ReloadOutcome { content.withLock { $0.outcome } }

    func becameReady() { content.withLock { $0.isReady = true } }
    func isStopping() { content.withLock { $0.isReady = false } }

    /// `configuration` was loaded.
    func reloaded(_ configuration: LoadedConfiguration) {
        let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        content.withLock { content in
            content.configuration = configuration
            content.outcome = ReloadOutcome(succeeded: true, at: now)
        }
        reloadSucceeded.set(1)
        reloadedAt.set(now.seconds)
    }

    /// The configuration was rejected. The former one stays in force.
    func reloadFailed(_ error: String) {
        content.withLock { content in
            content.outcome.succeeded = false
            content.outcome.error = error
        }
        reloadSucceeded.set(0)
    }
}
