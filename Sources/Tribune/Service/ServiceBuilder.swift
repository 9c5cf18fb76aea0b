internal import CurlHTTP
internal import Database
internal import DeploymentGates
internal import History
internal import Identity
internal import Instrumentation
internal import MetricModel
internal import MetricStore
internal import Notification
internal import PromQL
internal import RemoteWrite
internal import Rollback
internal import RolloutRunner
internal import RuleEngine
internal import Runtime
internal import Scraper
internal import Tracing
internal import WebConfiguration
internal import WebCore
internal import WebServer

/// Creates the parts of the service from flags, configuration, log and metrics. Each method creates one part;
/// ``TribuneService`` calls them in start order.
struct ServiceBuilder: Sendable {
    let settings: ServiceSettings
    let configuration: LoadedConfiguration
    let logger: Logger
    let registry = Registry()
    let engine: QueryEngine
    /// The addresses of the web server.
    let addresses: [HTTPListenAddress]
    /// TLS, passwords and headers of the web server; `nil` for none.
    let web: WebConfigurationSource?
    /// The external URL of the service.
    let url: ExternalURL
    /// The socket and token of the service's own user; `nil` where there is no directory for them.
    let local: LocalAccess?

    /// The external URL as text.
    var externalURL: String { url.text }

    /// Reads the configuration and creates the storage directory.
    init(_ settings: ServiceSettings, logger: Logger) throws(CommandFailure) {
        let local = LocalAccess()
        self.local = local
        addresses =
            try settings.listenAddresses() + (local.map { [.unix(path: $0.startingSocket, mode: 0o600)] } ?? [])
        let open = settings.requiresTLS ? addresses.first { !$0.isLocal } : nil
        web = try Self.webConfiguration(settings, requiresTLS: open != nil, logger)
        if let open, web == nil {
            throw CommandFailure("--require-tls: \(open) needs TLS (--web.config.file with tls_server_config)")
        }
        configuration = try LoadedConfiguration.load(settings)
        guard Paths.makeDirectory(settings.storagePath, isPrivate: true) else {
            throw CommandFailure("\(settings.storagePath): \(SystemError.current)")
        }
        var settings = settings
        try settings.apply(configuration.prometheus)
        self.settings = settings
        self.logger = logger
        engine = QueryEngine(options: settings.engineOptions)
        url = settings.externalURL(isEncrypted: web?.tls != nil)
    }

    private static func webConfiguration(
        _ settings: ServiceSettings, requiresTLS: Bool, _ logger: Logger
    ) throws(CommandFailure) -> WebConfigurationSource? {
        guard let path = settings.webConfigFile else { return nil }
        return try start("the web server") { () throws(WebConfigurationError) in
            try WebConfigurationSource(path, requiresTLS: requiresTLS) { error in
                if let error {
                    logger.error("web configuration not reloaded", ["error": error.description])
                } else {
                    logger.info("web configuration reloaded", ["file": path])
                }
            }
        }
    }

    static let now: @Sendable () -> Timestamp = { Timestamp(milliseconds: SystemClock.wallMilliseconds()) }

    func openStore() throws(CommandFailure) -> MetricStore {
        var storage = StoreConfiguration(directory: "\(settings.storagePath)/samples")
        storage.retentionMilliseconds = settings.retention.rawValue
        storage.retentionBytes = settings.retentionBytes
        storage.maximumExemplars = configuration.prometheus.maximumExemplars ?? settings.maximumExemplars
        let store = try Self.start("the store") { () throws(StoreError) in
            try MetricStore(storage, registry: registry)
        }
        store.setOutOfOrderWindow(configuration.prometheus.outOfOrderWindow)
        for note in store.recoveryNotes { logger.warn(note, ["component": "store"]) }
        return store
    }

    func startHistory() throws(CommandFailure) -> HistoryRunner {
        try Self.start("the history") { () throws(HistoryError) in
            try HistoryRunner(
                configuration.file.history(storage: settings.storagePath), logger: logger, registry: registry)
        }
    }

    /// Reads the configuration files for the record.
    func openConfigurationReader() throws(CommandFailure) -> ConfigurationReader {
        try Self.start("the history") { () throws(HistoryError) in
            try ConfigurationReader(directory: "\(settings.storagePath)/history")
        }
    }

    /// `nil` if no cache is configured.
    func startHotCache() throws(CommandFailure) -> HotCache? {
        guard let cache = configuration.file.hotCache else { return nil }
        return try Self.start("the hot cache") { () throws(WorkerThread.StartError) in
            try HotCache(cache, logger: logger, registry: registry)
        }
    }

    /// The sender of traces, with the settings of the configuration.
    func startTracing() -> TraceRunner {
        let traces = TraceRunner(
            version: Version.number, node: configuration.file.lease?.node ?? NodeName.host, logger: logger,
            registry: registry)
        traces.reload(configuration.prometheus.tracing, labels: configuration.prometheus.externalLabels)
        return traces
    }

    func readSilences(_ recorder: Recorder) -> SilenceRunner {
        SilenceRunner(
            path: "\(settings.storagePath)/silences.json", logger: logger, registry: registry,
            report: { recorder.silenced($0) })
    }

    /// - Parameter store: where the nodes of the lease share notifications; `nil` for a process that runs alone.
    func makeNotifier(
        _ silences: SilenceRunner, _ recorder: Recorder, _ traces: IncidentTraces, _ relay: DeliveryRelay,
        _ store: PostgresNotifications?
    ) -> NotificationRunner {
        let sharing = store.map {
            NotificationSharing($0, silences: silences, logger: logger, registry: registry)
        }
        return NotificationRunner(
            externalURL: externalURL, silences: silences, logPath: "\(settings.storagePath)/notifications.log",
            sharing: sharing, logger: logger, registry: registry,
            onOutcome: { outcome in
                recorder.notified(outcome)
                traces.notified(outcome)
                relay.finished(outcome)
            })
    }

    /// The store in which the nodes of the lease share notifications; `nil` for a process that runs alone.
    func sharedNotifications() throws(CommandFailure) -> PostgresNotifications? {
        guard let wanted = configuration.file.lease else { return nil }
        let session = leaseSession(wanted) { (database) throws(DatabaseError) in
            _ = try Migrator(database, PostgresNotifications.schema, now: Self.now().milliseconds).migrate()
        }
        return PostgresNotifications(session, holder: try NodeName.text(wanted.node, in: try journalDirectory()))
    }

    /// A session with the database of the lease, whose schema is brought up to date: that of the history, then `more`.
    func leaseSession(
        _ lease: TribuneFile.Lease, more: @escaping @Sendable (any SQLDatabase) throws(DatabaseError) -> Void = { _ in }
    ) -> PostgresSession {
        let origin = configuration.file.origin
        return PostgresSession(
            address: lease.address, answerSeconds: max(1, Int(lease.duration.rawValue / 4000)),
            prepare: { (database) throws(DatabaseError) in
                try LedgerSchema.migrate(database, origin: origin, now: Self.now().milliseconds)
                try more(database)
            })
    }

    /// The directory of the journals, which is made.
    func journalDirectory() throws(CommandFailure) -> String {
        let directory = "\(settings.storagePath)/journals"
        guard Paths.makeDirectory(directory, isPrivate: true) else {
            throw CommandFailure("\(directory): \(SystemError.current)")
        }
        return directory
    }

    /// The source of the answers for rules and gates.
    func makeQueries(_ store: MetricStore) -> QuerySources {
        let queries = QuerySources(store, engine, registry: registry)
        queries.reload(configuration)
        return queries
    }

    func openGates(
        _ queries: QuerySources, _ rollback: RollbackRunner, _ recorder: Recorder
    ) throws(CommandFailure) -> GateRunner {
        try Self.start("the gates") { () throws(GateArchiveError) in
            try GateRunner(
                configuration.file.gates,
                .init(
                    directory: "\(settings.storagePath)/gates", data: queries.gateData,
                    rollouts: GateRollouts(rollback), event: { recorder.happened($0) },
                    logger: logger.with("component", "gates"),
                    registry: registry, now: Self.now))
        }
    }

    func makeRules(_ store: MetricStore, _ queries: QuerySources, _ sinks: RuleRunner.Sinks) -> RuleRunner {
        RuleRunner(
            store: store, engine: engine, servers: queries, groups: configuration.groups,
            settings: configuration.ruleSettings(externalURL: externalURL, settings), sinks: sinks,
            registry: registry, logger: logger)
    }

    func startScraper(_ store: MetricStore, _ rules: RuleRunner) throws(CommandFailure) -> ScrapeRunner {
        var scraping = ScrapeRunner.Settings(constitutionalHash: configuration.file.constitution)
        scraping.zeroesStarts = settings.features.zeroesStarts
        scraping.storesExtraReports = settings.features.storesExtraReports
        return try Self.start("the scraper") { () throws(HTTPFailure) in
            try ScrapeRunner(
                store: store, settings: scraping, registry: registry, logger: logger,
                onCommit: { rules.scrapeCommitted(lane: $0, at: $1, nanoseconds: $2) })
        }
    }

    /// The HTTP APIs over `sources`.
    func makeWeb(_ sources: ServiceSources, _ accessControl: AccessControl) -> ServiceWeb {
        ServiceWeb(sources, settings, url, accessControl, registry: registry, logger: logger)
    }

    /// Sends samples to the servers in `remote_write`. Nothing is sent before they are set.
    func makeRemoteWrites(_ store: MetricStore, _ scraper: ScrapeRunner, _ web: ServiceWeb) -> RemoteWriteSenders {
        RemoteWriteSenders(
            store: store, directory: "\(settings.storagePath)/remote-write",
            maximumBacklog: settings.maximumBacklog, registry: registry, logger: logger
        ) { [scraper, written = web.writtenMetadata] in
            scraper.metadata().flatMap(\.metadata) + written()
        }
    }

    /// The permissions.
    func makeAccessControl(_ recorder: Recorder) -> AccessControl {
        AccessControl(AccessPolicy(settings, configuration, url), local: local, registry: registry) {
            recorder.passed($0)
        }
    }

    /// Serves the HTTP APIs.
    func startWebServer(_ apis: ServiceWeb, _ accessControl: AccessControl) throws(CommandFailure) -> WebRunner {
        var server = HTTPServerConfiguration()
        server.addresses = addresses
        server.maximumConnections = settings.maximumConnections
        server.authenticator = AccessAuthenticator(accessControl, passwords: web)
        if let web { server.tls = { web.tls } }
        let runner = try Self.start("the web server") { () throws(HTTPServerError) in
            try apis.start(server)
        }
        guard let local else {
            logger.warn(
                "no directory for the local socket: set RUNTIME_DIRECTORY, or use --web.command-token-file for orders")
            return runner
        }
        if !local.publish(port: runner.port) {
            logger.warn(
                "cannot publish the local socket and token",
                ["directory": local.directory, "error": SystemError.current])
        }
        return runner
    }

    /// Creates one part. The error says which part cannot start.
    static func start<Part, Failure: Error & CustomStringConvertible>(
        _ name: String, _ make: () throws(Failure) -> Part
    ) throws(CommandFailure) -> Part {
        do throws(Failure) { return try make() } catch {
            throw CommandFailure("\(name) cannot start: \(error.description)")
        }
    }
}
