public import Instrumentation
public import MetricModel
public import MetricStore
internal import Rollback
public import RolloutRunner
public import RuleModel
public import WebCore
internal import WebServer

/// Tribune's own metrics and federation: `/metrics` and `/federate`. Any number of threads may ask at once.
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
                response: .metrics, needsStore: true, federate),
        ]
    }

    private func metrics(_ call: APIRequest) -> HTTPServerResponse {
        let format = ExpositionFormat(accepting: call.request[header: "Accept"])
        return HTTPServerResponse(
            status: 200, headers: [("Content-Type", format.contentType)],
            body: MetricsText.text(of: registry.snapshot(), format.syntax))
    }
}

/// Where the exporter gets what it shows. Handed in by the composition root.
///
/// Every closure may be called by several threads at once and should answer from a snapshot without waiting.
public struct ExporterSources: Sendable {
    /// The samples.
    public var store: MetricStore
    /// How old a sample may be to count as current.
    public var lookback = Milliseconds.minutes(5)
    /// The most samples that a federation request reads.
    public var maximumSamples = 50_000_000
    /// Labels that name this server to others; `/federate` adds them.
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
