internal import CurlHTTP
internal import Exporter
internal import History
internal import Instrumentation
internal import MetricModel
internal import MetricStore
internal import Notification
internal import PromQL
internal import Rollback
internal import RuleEngine
internal import Runtime
internal import Scraper
internal import WebServer
internal import YAML

/// The whole of Tribune: every engine, wired. Made, reloaded and stopped by the one thread that owns it.
///
/// Engines start from the back of the chain to its front, so that nothing is produced before somebody takes it, and stop the
/// other way round.
final class TribuneService: Sendable {
    private let settings: ServiceSettings
    private let logger: Logger
    private let state: ServiceState
    private let store: MetricStore
    private let history: HistoryRunner
    private let hotCache: HotCache?
    private let recorder: Recorder
    private let silences: SilenceRunner
    private let notifier: NotificationRunner
    private let alertmanagers: AlertmanagerSender
    private let rollback: RollbackRunner
    private let gates: GateRunner
    private let rules: RuleRunner
    private let scraper: ScrapeRunner
    private let exporter: ExporterRunner
    private let housekeeping: Housekeeping

    /// The port that is listened on.
    var port: Int { exporter.port }

    /// Reads the configuration and starts everything. Throws, with nothing left running, when something cannot start.
    ///
    /// - Parameter onReload: called by `/-/reload`; returns why the reload failed, or `nil`.
    init(
        _ settings: ServiceSettings, logger: Logger, onReload: @escaping @Sendable () -> String?,
        onQuit: @escaping @Sendable () -> Void
    ) throws(CommandFailure) {
        let (host, port) = try settings.listenHostAndPort()
        let configuration = try Self.configuration(settings)
        guard Paths.makeDirectory(settings.storagePath) else {
            throw CommandFailure("\(settings.storagePath): \(SystemError.current)")
        }
        let registry = Registry()
        let externalURL = settings.externalURL ?? "http://\(host):\(port)"
        self.settings = settings
        self.logger = logger
        state = ServiceState(configuration, registry: registry)

        var storage = StoreConfiguration(directory: "\(settings.storagePath)/samples")
        storage.retentionMilliseconds = settings.retention.rawValue
        storage.retentionBytes = settings.retentionBytes
        storage.maximumExemplars = configuration.prometheus.maximumExemplars ?? settings.maximumExemplars
        let store = try Self.start("the store") { () throws(StoreError) in try MetricStore(storage, registry: registry)
        }
        self.store = store
        for note in store.recoveryNotes { logger.warn(note, ["component": "store"]) }

        let history = try Self.start("the history") { () throws(HistoryError) in
            try HistoryRunner(
                configuration.file.history(storage: settings.storagePath), logger: logger, registry: registry)
        }
        self.history = history
        let hotCache = configuration.file.hotCache.map { HotCache($0, logger: logger, registry: registry) }
        self.hotCache = hotCache
        let reader = try Self.start("the history") { () throws(HistoryError) in
            try ConfigurationReader(directory: "\(settings.storagePath)/history")
        }
        let recorder = Recorder(history, reader: reader, hotCache: hotCache)
        self.recorder = recorder
        let silences = SilenceRunner(
            path: "\(settings.storagePath)/silences.json", logger: logger, registry: registry,
            report: { recorder.silenced($0) })
        self.silences = silences
        let notifier = NotificationRunner(
            externalURL: externalURL, silences: silences, logger: logger, registry: registry,
            onOutcome: { recorder.notified($0) })
        self.notifier = notifier
        let alertmanagers = AlertmanagerSender(logger: logger, registry: registry)
        self.alertmanagers = alertmanagers

        let engine = QueryEngine(options: settings.engineOptions)
        // Parts with threads of their own; they end when a later one cannot start.
        var running: [() -> Void] = [{ history.stop() }, { hotCache?.stop() }]
        do throws(CommandFailure) {
            rollback = try Self.rollback(
                configuration, settings: settings, engine: engine, store: store, history: history,
                recorder: recorder, notifier: notifier, logger: logger, registry: registry)
            let rollback = rollback
            running.append { rollback.stop() }
            gates = try Self.start("the gates") { () throws(GateArchiveError) in
                let now: @Sendable () -> Timestamp = { Timestamp(milliseconds: SystemClock.wallMilliseconds()) }
                return try GateRunner(
                    configuration.file.gates,
                    .init(
                        directory: "\(settings.storagePath)/gates", data: .of(store, engine, now: now),
                        rollback: rollback, event: { recorder.happened($0) }, logger: logger.with("component", "gates"),
                        registry: registry, now: now))
            }
            let gates = gates
            running.append { gates.stop() }
            rules = RuleRunner(
                store: store, engine: engine, groups: configuration.groups,
                settings: configuration.ruleSettings(externalURL: externalURL),
                sinks: RuleRunner.Sinks(
                    alerts: { alerts in
                        // Several Tribunes see the same: the one that leads tells people.
                        guard rollback.isResponsible else { return }
                        notifier.receive(alerts)
                        alertmanagers.receive(alerts)
                        recorder.alerted(alerts)
                    },
                    measurement: { measurement in
                        rollback.measured(measurement)
                        recorder.measured(measurement)
                    }), registry: registry, logger: logger)
            let rules = rules
            var scraping = ScrapeRunner.Settings(constitutionalHash: configuration.file.constitution)
            scraping.zeroesStarts = settings.features.zeroesStarts
            let scraper = try Self.start("the scraper") { () throws(HTTPFailure) in
                try ScrapeRunner(
                    store: store, settings: scraping,
                    registry: registry, logger: logger,
                    onCommit: { rules.scrapeCommitted(lane: $0, at: $1, nanoseconds: $2) })
            }
            self.scraper = scraper
            running.append { scraper.stop() }
            let sources = ServiceSources(
                store: store, scraper: scraper, rules: rules, rollback: rollback, gates: gates, history: history,
                alertmanagers: alertmanagers, notifier: notifier, silences: silences,
                onAlerts: { alerts in
                    // Who sends alerts sends them to every node of a pair; the one that leads tells people.
                    guard rollback.isResponsible else { return true }
                    guard notifier.receive(alerts) else { return false }
                    recorder.alerted(alerts)
                    return true
                }, state: state,
                engine: settings.engineOptions, features: settings.features.parser, onReload: onReload, onQuit: onQuit)
            var web = HTTPServerConfiguration(address: host, port: port)
            web.maximumBodyBytes = 64 << 20
            exporter = try Self.start("the web server") { () throws(HTTPServerError) in
                try ExporterRunner(
                    Exporter(
                        sources: sources.exporterSources, settings: settings.exporterSettings(externalURL),
                        registry: registry), web)
            }
        } catch {
            for stop in running.reversed() { stop() }
            throw error
        }
        housekeeping = Housekeeping(
            store: store, history: history, rollback: rollback, recorder: recorder, silences: silences,
            notify: { [notifier] in _ = notifier.receive($0, urgent: true) }, logger: logger)
        notifier.start(configuration.notification) { [rollback] in rollback.isResponsible }
        reloadAlertmanagers(configuration)
        rollback.start()
        gates.start()
        rules.start()
        housekeeping.start()
        reloadTargets(configuration)
        recorder.configured(
            settings.configFile, files: configuration.files(settings.configFile), error: nil,
            by: LedgerActor(method: "start"))
        state.becameReady()
        logger.info("ready", ["address": "\(host):\(exporter.port)", "targets": scraper.snapshots().count])
    }

    /// Reads the configuration again. Returns its faults; then nothing has changed.
    ///
    /// - Parameter actor: who caused it.
    func reload(by actor: LedgerActor = LedgerActor(method: "signal")) -> String? {
        let configuration: LoadedConfiguration
        do throws(CommandFailure) {
            configuration = try Self.configuration(settings)
        } catch {
            state.reloadFailed(error.message)
            recorder.configured(settings.configFile, error: error.message, by: actor)
            logger.error("the configuration was not reloaded", ["error": error.message])
            return error.message
        }
        let externalURL = settings.externalURL ?? "http://\(settings.listenAddress)"
        let refused = rollback.reload(configuration.plans)
        for refusal in refused { logger.warn("a plan keeps running as it was", ["reason": refusal]) }
        gates.reload(configuration.file.gates)
        rules.reload(configuration.groups, settings: configuration.ruleSettings(externalURL: externalURL))
        notifier.reload(configuration.notification)
        reloadAlertmanagers(configuration)
        store.keepExemplars(configuration.prometheus.maximumExemplars ?? settings.maximumExemplars)
        reloadTargets(configuration)
        state.reloaded(configuration)
        recorder.configured(
            settings.configFile, files: configuration.files(settings.configFile), error: nil, by: actor)
        logger.info("the configuration was reloaded", ["file": settings.configFile])
        return nil
    }

    /// Ends everything in order; samples, journals and spooled records are on the disk afterwards.
    func stop() {
        logger.info("stopping")
        // Heavy queries would slow down everything that follows.
        exporter.cancelQueries()
        state.isStopping()
        scraper.stop()
        rules.stop()
        housekeeping.stop()
        gates.stop()
        rollback.stop()
        notifier.stop()
        alertmanagers.stop()
        recorder.flush(ifOlderThan: 0)
        hotCache?.stop()
        exporter.stop()
        history.stop()
        store.close()
        logger.info("stopped")
    }

    private func reloadTargets(_ configuration: LoadedConfiguration) {
        for warning in configuration.prometheus.warnings { logger.warn(warning.description) }
        do throws(RelabelError) {
            try scraper.reload(configuration.prometheus.pools)
        } catch {
            logger.error("targets were not taken over", ["error": error.description])
        }
    }

    private func reloadAlertmanagers(_ configuration: LoadedConfiguration) {
        for group in configuration.prometheus.alertmanagers where !group.fileDiscovery.isEmpty {
            logger.warn("alertmanagers are taken from static_configs only, file_sd_configs have no effect")
        }
        do throws(RelabelError) {
            alertmanagers.reload(try configuration.alertmanagers())
        } catch {
            logger.error("alertmanagers were not taken over", ["error": error.description])
        }
    }

    private static func configuration(_ settings: ServiceSettings) throws(CommandFailure) -> LoadedConfiguration {
        do throws(ConfigurationError) {
            return try LoadedConfiguration.load(settings.configFile, features: settings.features.parser)
        } catch {
            throw CommandFailure(error.description)
        }
    }

    private static func start<Part, Failure: Error & CustomStringConvertible>(
        _ name: String, _ make: () throws(Failure) -> Part
    ) throws(CommandFailure) -> Part {
        do throws(Failure) { return try make() } catch {
            throw CommandFailure("\(name) cannot start: \(error.description)")
        }
    }

    private static func rollback(
        _ configuration: LoadedConfiguration, settings: ServiceSettings, engine: QueryEngine, store: MetricStore,
        history: HistoryRunner, recorder: Recorder, notifier: NotificationRunner, logger: Logger, registry: Registry
    ) throws(CommandFailure) -> RollbackRunner {
        let directory = "\(settings.storagePath)/journals"
        guard Paths.makeDirectory(directory) else { throw CommandFailure("\(directory): \(SystemError.current)") }
        var lease: LeaseSettings?
        if let wanted = configuration.file.lease {
            recorder.leads(false)
            lease = LeaseSettings(
                store: PostgresLease(wanted, origin: configuration.file.origin),
                holder: try NodeName.text(wanted.node, in: directory), milliseconds: wanted.duration.rawValue,
                onChange: { standing in
                    recorder.leads(standing != .none)
                    history.turnChanged(isOurs: standing != .none)
                })
        }
        let now: @Sendable () -> Timestamp = { Timestamp(milliseconds: SystemClock.wallMilliseconds()) }
        let sinks = RollbackSinks(
            event: { recorder.happened($0) },
            incident: { notifier.receive([IncidentAlerts.firing($0, at: now())], urgent: true) },
            notice: { notice in
                logger.warn(notice.text, ["plan": notice.plan])
                if let alert = IncidentAlerts.alert(of: notice, at: now()) { notifier.receive([alert], urgent: true) }
            },
            report: { report in
                logger.info(
                    "rollback finished",
                    ["plan": report.plan, "id": report.rollback.id, "valid": report.rollback.verdict?.isValid ?? false])
                if let alert = IncidentAlerts.resolved(by: report, at: now()) { notifier.receive([alert]) }
            })
        var engineSettings = RollbackRunner.Settings(
            directory: directory, logger: logger, registry: registry,
            evaluate: { text in
                do throws(QueryError) {
                    return .success(try engine.elements(of: text, at: now(), from: store).map(\.value))
                } catch {
                    return .failure(.init(error.description))
                }
            })
        engineSettings.lease = lease
        return try start("the rollback engine") { () throws(JournalError) in
            try RollbackRunner(plans: configuration.plans, settings: engineSettings, sinks: sinks)
        }
    }
}

extension ServiceSettings {
    /// Limits of the query engine.
    var engineOptions: EngineOptions {
        var options = EngineOptions()
        options.lookback = queryLookback
        options.maximumSamples = queryMaximumSamples
        options.timeout = queryTimeout
        options.delayedNameRemoval = features.delayedNameRemoval
        options.useStartTimestamps = features.useStartTimestamps
        return options
    }

    /// What the flags say about the web side.
    func exporterSettings(_ externalURL: String) -> ExporterSettings {
        var web = ExporterSettings()
        web.externalURL = externalURL
        web.enablesLifecycle = enablesLifecycle
        web.enablesRemoteWrite = enablesRemoteWrite
        web.zeroesStarts = features.zeroesStarts
        web.commandToken = commandToken
        web.maximumConcurrentQueries = queryConcurrency
        web.build.version = Version.number
        web.flags = flags
        web.retention = retention.description
        return web
    }
}

extension LoadedConfiguration {
    /// What the rule engine is told.
    func ruleSettings(externalURL: String) -> RuleSettings {
        RuleSettings(
            externalLabels: prometheus.externalLabels, externalURL: externalURL,
            evaluationInterval: prometheus.evaluationInterval, queryOffset: prometheus.ruleQueryOffset)
    }
}
