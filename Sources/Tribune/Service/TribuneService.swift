internal import CurlHTTP
internal import DeploymentGates
internal import History
internal import Identity
internal import Instrumentation
internal import Lease
internal import MetricModel
internal import MetricStore
internal import Notification
internal import OnCallRunner
internal import PromQL
internal import PrometheusAPI
internal import RemoteWrite
internal import Rollback
internal import RolloutRunner
internal import RuleEngine
internal import Runtime
internal import Scraper
internal import Synchronization
internal import Tracing
internal import WebCore
internal import WebServer
internal import YAML

/// The complete service: all engines, connected. Created, reloaded and stopped by the thread that owns it.
///
/// Engines start from the end of the processing chain to its beginning, so that results always have a receiver. They
/// stop in the reverse order.
final class TribuneService: Sendable {
    let settings: ServiceSettings
    let logger: Logger
    let state: ServiceState
    /// The configuration that waits for a second identity.
    let secondApproval = Mutex(SecondApproval())
    private let store: MetricStore
    private let queries: QuerySources
    private let history: HistoryRunner
    private let hotCache: HotCache?
    private let traces: TraceRunner
    let recorder: Recorder
    private let silences: SilenceRunner
    private let notifier: NotificationRunner
    private let onCall: OnCallRunner
    private let deadMansSwitch: DeadMansSwitch
    private let alertmanagers: AlertmanagerSender
    private let alertmanagerDiscovery: AlertmanagerDiscovery
    private let rollback: RollbackRunner
    private let gates: GateRunner
    private let rules: RuleRunner
    private let seriesRecorder: SeriesRecorder
    private let scraper: ScrapeRunner
    private let web: WebRunner
    private let telemetry: TelemetryReceiver?
    private let remoteWrites: RemoteWriteSenders
    private let accessControl: AccessControl
    private let local: LocalAccess?
    private let url: ExternalURL
    private let cancelQueries: @Sendable () -> Void
    private let externalURL: String
    private let housekeeping: Housekeeping
    private let compaction: StoreCompaction

    /// The port of the first listener.
    var port: Int { web.port }

    /// Reads the configuration and starts everything. If something cannot start, stops the rest and throws.
    ///
    /// - Parameter onReload: called by `/-/reload`.
    init(
        _ settings: ServiceSettings, logger: Logger, onReload: @escaping @Sendable (Principal) -> ConfigurationReload,
        onQuit: @escaping @Sendable () -> Void
    ) throws(CommandFailure) {
        let builder = try ServiceBuilder(settings, logger: logger)
        OutgoingPolicy.ofProcess = builder.configuration.outgoing(settings)
        self.settings = settings
        externalURL = builder.externalURL
        url = builder.url
        local = builder.local
        self.logger = logger
        state = ServiceState(builder.configuration, registry: builder.registry)
        store = try builder.openStore()
        queries = builder.makeQueries(store)
        history = try builder.startHistory()
        // Parts with threads. They are stopped if a later one cannot start.
        var running: [() -> Void] = [history.stop]
        let own: OwnAlerts
        do throws(CommandFailure) {
            hotCache = try builder.startHotCache()
            if let hotCache { running.append(hotCache.stop) }
            traces = builder.startTracing()
            running.append(traces.stop)
            recorder = Recorder(
                history, reader: try builder.openConfigurationReader(), hotCache: hotCache,
                trace: { [traces] in traces.trace(of: $0) })
            let incidents = IncidentTraces(traces, recorder, logger: logger)
            silences = builder.readSilences(recorder)
            let relay = DeliveryRelay()
            let shared = try builder.sharedNotifications()
            notifier = builder.makeNotifier(silences, recorder, incidents, relay, shared)
            alertmanagers = AlertmanagerSender(logger: logger, registry: builder.registry)
            alertmanagerDiscovery = AlertmanagerDiscovery(alertmanagers, registry: builder.registry, logger: logger)
            running.append(alertmanagerDiscovery.stop)
            own = OwnAlerts(notifier: notifier, alertmanagers: alertmanagers)
            rollback = try builder.openRollback(queries, history, recorder, incidents, own)
            shared?.follow { [rollback] in rollback.leaseEpoch }
            relay.attach(rollback)
            running.append { [rollback] in rollback.stop() }
            onCall = try builder.openOnCall(rollback, recorder, own)
            running.append(onCall.stop)
            gates = try builder.openGates(queries, rollback, recorder)
            running.append(gates.stop)
            let router = AlertRouter(
                rollback: rollback, notifier: notifier, alertmanagers: alertmanagers, recorder: recorder)
            rules = builder.makeRules(store, queries, router.ruleSinks)
            seriesRecorder = SeriesRecorder(store: store, engine: builder.engine, recorder: recorder, logger: logger)
            scraper = try builder.startScraper(store, rules)
            running.append(scraper.stop)
            accessControl = builder.makeAccessControl(recorder)
            let web = builder.makeWeb(
                ServiceSources(
                    store: store, engine: builder.engine, scraper: scraper, rules: rules, rollback: rollback,
                    gates: gates, history: history, recorder: recorder, hotCache: hotCache,
                    alertmanagers: alertmanagers, notifier: notifier, silences: silences, onCall: onCall,
                    onAlerts: { router.received($0) }, accessControl: accessControl, url: builder.url, state: state,
                    onReload: onReload, onQuit: onQuit),
                accessControl)
            cancelQueries = { web.prometheus.cancelQueries() }
            telemetry = web.telemetry
            telemetry?.reload(builder.configuration.prometheus.otlp)
            remoteWrites = builder.makeRemoteWrites(store, scraper, web)
            self.web = try builder.startWebServer(web, accessControl)
        } catch {
            for stop in running.reversed() { stop() }
            throw error
        }
        housekeeping = Housekeeping(
            store: store, queries: queries, history: history, rollback: rollback, recorder: recorder,
            silences: silences,
            notify: { own.send($0) },
            rulesWereEvaluated: { [rules, notifier, started = ServiceBuilder.now()] in
                guard rules.hasEvaluatedAll(since: started) else { return false }
                notifier.rulesWereEvaluated()
                return true
            }, logger: logger)
        compaction = StoreCompaction(store: store, logger: logger)
        deadMansSwitch = DeadMansSwitch(
            builder.configuration.file.deadMansSwitch, registry: builder.registry, logger: logger,
            probe: { [scraper, rules, rollback, notifier, onCall] in
                scraper.probe() + rules.probe() + rollback.probe() + notifier.probe() + onCall.probe()
            })
        do throws(WorkerThread.StartError) {
            try startThreads(builder.configuration)
        } catch {
            stop()
            throw CommandFailure(error.description)
        }
        reloadTargets(builder.configuration)
        recorder.configured(
            settings.configFile, files: builder.configuration.files(settings.configFile), error: nil,
            by: LedgerActor(method: "start"))
        state.becameReady()
        logger.info(
            "ready",
            ["address": "\(settings.listenAddress)", "port": web.port, "targets": scraper.snapshots().count])
    }

    private func startThreads(_ configuration: LoadedConfiguration) throws(WorkerThread.StartError) {
        try onCall.start()
        try notifier.start(configuration.notification(joining: onCall)) { [rollback] in rollback.isResponsible }
        try alertmanagerDiscovery.reload(configuration)
        try rollback.start()
        try gates.start()
        try rules.start()
        try seriesRecorder.start(configuration.recordings)
        // Before samples are removed or compacted.
        remoteWrites.reload(
            configuration.prometheus.remoteWrites, externalLabels: configuration.prometheus.externalLabels)
        try housekeeping.start()
        try compaction.start()
        try deadMansSwitch.start()
    }

    /// Why the rollouts under way do not allow `configuration`; `nil` if they do.
    func refusal(of configuration: LoadedConfiguration) -> String? { rollback.refusal(of: configuration.plans) }

    /// Brings `configuration` into force. Returns what waits, with the reasons.
    func apply(_ configuration: LoadedConfiguration) -> [String] {
        OutgoingPolicy.ofProcess = configuration.outgoing(settings)
        let waits = rollback.reload(
            configuration.plans, rules: configuration.watches, verdicts: configuration.verdictRules)
        for reason in waits { logger.warn("part of a plan not reloaded yet", ["reason": reason]) }
        gates.reload(configuration.file.gates)
        accessControl.reload(AccessPolicy(settings, configuration, url))
        queries.reload(configuration)
        rules.reload(
            configuration.groups,
            settings: configuration.ruleSettings(externalURL: externalURL, settings))
        seriesRecorder.reload(configuration.recordings)
        telemetry?.reload(configuration.prometheus.otlp)
        traces.reload(configuration.prometheus.tracing, labels: configuration.prometheus.externalLabels)
        remoteWrites.reload(
            configuration.prometheus.remoteWrites, externalLabels: configuration.prometheus.externalLabels)
        onCall.reload(configuration.onCallRunner)
        notifier.reload(configuration.notification(joining: onCall))
        deadMansSwitch.reload(configuration.file.deadMansSwitch)
        do throws(WorkerThread.StartError) {
            try alertmanagerDiscovery.reload(configuration)
        } catch {
            logger.error("alertmanagers not reloaded", ["error": error.description])
        }
        store.setOutOfOrderWindow(configuration.prometheus.outOfOrderWindow)
        store.keepExemplars(configuration.prometheus.maximumExemplars ?? settings.maximumExemplars)
        reloadTargets(configuration)
        state.reloaded(configuration)
        secondApproval.withLock { $0.reloaded() }
        return waits
    }

    /// Stops everything in order. Samples, journals and spooled records are then on disk.
    func stop() {
        logger.info("stopping")
        // Heavy queries would slow down the rest of the stop.
        cancelQueries()
        state.isStopping()
        deadMansSwitch.stop()
        scraper.stop()
        rules.stop()
        seriesRecorder.stop()
        housekeeping.stop()
        compaction.stop()
        gates.stop()
        // The node that takes over finds what was sent.
        rollback.stop(beforeRelease: { [notifier, onCall] in
            notifier.stop()
            onCall.stop()
        })
        alertmanagerDiscovery.stop()
        alertmanagers.stop()
        traces.stop()
        recorder.flush(ifOlderThan: 0)
        hotCache?.stop()
        local?.remove(port: web.port)
        web.stop()
        history.stop()
        remoteWrites.stop()
        store.close()
        logger.info("stopped")
    }

    private func reloadTargets(_ configuration: LoadedConfiguration) {
        let exposed = configuration.exposedFiles(
            settings.configFile, web: settings.webConfigFile, secrets: settings.commandTokenFile.map { [$0] } ?? [])
        for file in exposed {
            logger.warn(
                "a file with a secret is open to other users",
                ["file": file.path, "mode": file.mode, "expected": "0600"])
        }
        for warning in configuration.prometheus.warnings { logger.warn(warning.description) }
        for warning in configuration.notification.warnings { logger.warn(warning) }
        for path in configuration.prometheus.missingRuleFiles {
            logger.warn("rule file does not exist", ["file": path])
        }
        do throws(RelabelError) {
            try scraper.reload(configuration.prometheus.pools)
        } catch {
            logger.error("targets not reloaded", ["error": error.description])
        }
    }
}
