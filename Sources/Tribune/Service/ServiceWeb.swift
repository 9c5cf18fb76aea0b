internal import AlertmanagerAPI
internal import DeploymentGates
internal import Exporter
internal import Identity
internal import Instrumentation
internal import MetricModel
internal import MetricStore
internal import PrometheusAPI
internal import RemoteWrite
internal import Rollback
internal import Runtime
internal import TribuneAPI
internal import WebCore
internal import WebServer
internal import WebUI

/// The HTTP APIs of the service: all endpoints in one table, and the server settings.
struct ServiceWeb {
    /// The data of the APIs.
    struct Sources {
        var prometheus: PrometheusSources
        var alertmanager = AlertmanagerSources()
        var tribune = TribuneSources()
        var exporter: ExporterSources

        /// Sources with only the samples of `store`.
        init(store: MetricStore) {
            prometheus = PrometheusSources(store: store)
            exporter = ExporterSources(store: store)
        }
    }

    let prometheus: PrometheusAPI
    /// `nil` if OTLP is not enabled.
    let telemetry: TelemetryReceiver?
    /// Metadata of metrics that other programs sent.
    let writtenMetadata: @Sendable () -> [MetricMetadata]
    /// Every endpoint.
    let endpoints: [Endpoint]
    private let background: [WebRunner.Background]
    private let registry: Registry
    private let context: RequestDispatcher.Context
    private let workers: Int

    /// The APIs of a service with the external URL `url`.
    init(
        _ service: ServiceSources, _ settings: ServiceSettings, _ url: ExternalURL, _ accessControl: AccessControl,
        registry: Registry, logger: Logger
    ) {
        var sources = Sources(store: service.store)
        sources.prometheus = service.prometheus
        sources.alertmanager = service.alertmanager
        sources.tribune = service.tribune
        sources.exporter = service.exporter
        self.init(sources, settings, url, accessControl, registry: registry, logger: logger)
    }

    /// The APIs over `sources`.
    init(
        _ sources: Sources, _ settings: ServiceSettings, _ url: ExternalURL, _ accessControl: AccessControl,
        registry: Registry, logger: Logger
    ) {
        self.registry = registry
        let options = settings.prometheusSettings(url)
        let web = WebSettings(externalURL: url, routePrefix: settings.routePrefix)
        context = RequestDispatcher.Context(
            settings: web, accessControl: accessControl, isReady: sources.prometheus.isReady)
        workers = PrometheusAPI.workers(options)
        let store = sources.prometheus.store
        let intake = SampleIntake(store: store, registry: registry, zeroesStarts: settings.features.zeroesStarts)
        let receiver =
            settings.enablesRemoteWrite
            ? RemoteWriteReceiver(intake: intake, registry: registry, logger: logger) : nil
        telemetry =
            settings.enablesTelemetry
            ? TelemetryReceiver(
                intake: intake, options: settings.telemetryOptions, registry: registry, logger: logger) : nil

        var queried = sources.prometheus
        queried.engine = settings.engineOptions
        queried.features = settings.features.parser
        writtenMetadata = { intake.families }
        queried.writtenMetadata = writtenMetadata
        let clients = ClientWatch()
        prometheus = PrometheusAPI(sources: queried, settings: options, clients: clients, registry: registry)
        var exported = sources.exporter
        exported.lookback = settings.queryLookback
        exported.maximumSamples = settings.queryMaximumSamples
        let exporter = Exporter(sources: exported, build: options.build, registry: registry)

        var endpoints = prometheus.endpoints
        endpoints += AlertmanagerAPI(sources: sources.alertmanager, build: options.build).endpoints
        let tribune = TribuneAPI(sources: sources.tribune)
        endpoints += tribune.endpoints
        background = [clients.background, tribune.streams.background]
        endpoints += RemoteWriteAPI(receiver: receiver).endpoints
        endpoints += TelemetryAPI(receiver: telemetry).endpoints
        endpoints += exporter.endpoints
        endpoints += WebUI(settings: web).endpoints
        self.endpoints = OpenAPIDocument.serving(endpoints, Self.information)
    }

    /// The head of the OpenAPI document.
    static let information = OpenAPIDocument.Information(
        title: "Tribune", version: Version.number,
        description: "The HTTP APIs of Prometheus, Alertmanager and Tribune.")

    /// Starts listening with `configuration`.
    func start(_ configuration: HTTPServerConfiguration) throws(HTTPServerError) -> WebRunner {
        var configuration = configuration
        configuration.maximumBodyBytes = 64 << 20
        configuration.workers = workers
        // Dashboards send queries of a hundred kilobytes in the URL.
        configuration.maximumHeaderBytes = 256 << 10
        let dispatcher = RequestDispatcher(EndpointTable(endpoints), context, registry: registry)
        return try WebRunner(dispatcher, background: background, configuration) { [prometheus] in
            prometheus.cancelQueries()
        }
    }
}
