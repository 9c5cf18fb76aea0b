public import Instrumentation
public import MetricModel
public import MetricStore
internal import Rollback
public import RolloutRunner
public import RuleModel
public import WebCore
internal import WebServer

/// Tribune's own metrics and federation: `/metrics` and `/federate`. May be used from any number of threads.
public final class Exporter: Sendable {
    let sources: ExporterSources
    private let registry: Registry
    private let process: ProcessMetrics
    private let rollouts: RolloutMetrics

    /// An exporter of the metrics in `registry`, to which it adds those of the process and of rollouts.
    public init(sources: ExporterSources, build: BuildInformation, registry: Registry) {
        self.sources = sources
        self.registry = registry
        process = ProcessMetrics(registry: registry, build: build)
        rollouts = RolloutMetrics(registry: registry, sources: sources)
    }

    /// `/metrics` and `/federate`
    public var endpoints: [Endpoint] {
        [
            .response([.get], "/metrics", "Shows Tribune's own metrics.", response: .metrics, metrics),
            .response(
                [.get], "/federate", "Shows the latest samples of series.",
                parameters: [.repeated("match[]", .selector, "Selects series; several are joined by or.")],
                response: .metrics, needsStore: true, federate
            ).respectingLabels(),
        ]
    }

    private func metrics(_ call: APIRequest) -> HTTPServerResponse {
        let format = ExpositionFormat(accepting: call.request[header: "Accept"])
        return HTTPServerResponse(
            status: 200, headers: [("Content-Type", format.contentType)],
            body: MetricsText.text(of: registry.snapshot(), format.syntax))
    }
}

/// Access to the exported data. Provided by the composition root.
///
/// Every closure may be called from several threads at once and should return a snapshot without waiting.
public struct ExporterSources: Sendable {
    /// The samples.
    public var store: MetricStore
    /// The maximum age of a current sample.
    public var lookback = Milliseconds.minutes(5)
    /// The maximum number of samples that a federation request reads.
    public var maximumSamples = 50_000_000
    /// The server's external labels. `/federate` adds them.
    public var externalLabels: @Sendable () -> Labels = { .empty }
    /// The rollouts, in any order.
    public var rollouts: @Sendable () -> [RolloutSnapshot] = { [] }
    /// The rule groups, in any order.
    public var ruleGroups: @Sendable () -> [RuleGroupSnapshot] = { [] }

    /// Sources with samples and nothing else.
    public init(store: MetricStore) {
        self.store = store
    }
}
