internal import MetricModel
internal import RuleEngine
internal import Runtime
internal import WebCore
internal import WebServer

/// The flags of `tribune serve`.
struct ServiceSettings: Sendable {
    /// The `tribune.yml`, or a stock `prometheus.yml`.
    var configFile: String
    /// The directory of samples, history and journals.
    var storagePath: String
    /// `host:port`; port 0 for any free port.
    var listenAddress = "127.0.0.1:9190"
    /// More addresses; `unix:PATH` is a Unix socket.
    var furtherListenAddresses: [String] = []
    /// Whether to listen on the sockets from systemd instead of addresses.
    var usesSystemdSockets = false
    /// The file with TLS, passwords and headers of the web server.
    var webConfigFile: String?
    /// Whether every link beyond this machine must be encrypted.
    var requiresTLS = false
    /// The external URL; `nil` to derive it from the listen address.
    var externalURL: ExternalURL?
    /// The prefix of every path; `nil` for the path of the external URL.
    var routePrefix: String?
    /// Whether `/-/reload` and `/-/quit` are enabled.
    var enablesLifecycle = false
    /// Whether samples can be deleted and copied at `/api/v1/admin/tsdb`.
    var enablesAdministration = false
    /// The limit of open connections to the web server.
    var maximumConnections = 512
    /// Whether `/api/v1/write` accepts samples.
    var enablesRemoteWrite = false
    /// Whether `/api/v1/otlp/v1/metrics` accepts metrics.
    var enablesTelemetry = false
    /// The token for rollout commands from other machines, and its file.
    var commandToken: String?
    var commandTokenFile: String?
    /// How long samples are kept.
    var retention = Self.defaultRetention
    /// Whether a flag says how long, or up to which size, samples are kept.
    var isRetentionGiven = false
    /// The limit of the size of samples, in bytes.
    var retentionBytes = Int.max
    /// The limit of the size of samples that are kept beyond the retention until they are sent, in bytes.
    var maximumBacklog = 1 << 30
    /// The limit of the number of exemplars, if the configuration sets none.
    var maximumExemplars = 100_000
    /// Limits of ad hoc queries.
    var queryTimeout = Milliseconds.minutes(2)
    var queryLookback = Milliseconds.minutes(5)
    var queryMaximumSamples = 50_000_000
    var queryConcurrency = 20
    /// The trigger of groups without one; `nil` for the setting of the configuration.
    var ruleTrigger: RuleGroup.Trigger?
    /// The maximum age of alert state that a restart restores.
    var outageTolerance = Milliseconds.hours(1)
    /// The minimum wait after a restart of alerts with at least this `for`.
    var gracePeriod = Milliseconds.minutes(10)
    /// The minimum time before a firing alert is sent again.
    var resendDelay = Milliseconds.minutes(1)
    /// The enabled features.
    var features = Features()
    /// Every flag with its value, for `/api/v1/status/flags`.
    var flags: [String: String] = [:]

    /// As in Prometheus.
    private static let defaultRetention = Milliseconds.hours(15 * 24)
    /// If only the size is limited.
    static let unlimitedRetention = Milliseconds.hours(100 * 365 * 24)

    /// The options of `serve`.
    static let options: [Command.Option] = [
        .value("config.file", "FILE", "A tribune.yml, or a stock prometheus.yml.", default: "tribune.yml"),
        .value("storage.path", "DIR", "The directory of samples, history and journals.", default: "data"),
        .value(
            "storage.retention.time", "DURATION",
            "How long samples are kept; 15d unless --storage.retention.size is given. prometheus.yml may override it."),
        .value(
            "storage.retention.size", "SIZE",
            "Limit of the size of samples, such as 512MB; 0 or nothing for none. prometheus.yml may override it."),
        .value(
            "storage.remote.max-backlog", "SIZE",
            "Limit of the size of samples that are kept beyond the retention until remote_write has sent them.",
            default: "1GB"),
        .value(
            "storage.exemplars.max", "COUNT",
            "Limit of the exemplars in memory, unless prometheus.yml sets it; 0 disables them.", default: "100000"),
        .value(
            "web.listen-address", "ADDRESS", "Address to listen on: HOST:PORT or unix:PATH. May be repeated.",
            default: "127.0.0.1:9190"),
        .flag("web.systemd-socket", "Listen on the sockets from systemd instead of --web.listen-address."),
        .value("web.config.file", "FILE", "TLS, passwords and headers, in Prometheus's format."),
        .flag(
            "require-tls", "Refuse every connection that is not encrypted, except on this machine and Unix sockets."),
        .value("web.external-url", "URL", "The URL under which users reach this server."),
        .value(
            "web.route-prefix", "PATH",
            "Prefix of every path. Default: the path of --web.external-url. Use \"/\" if a proxy removes that path."),
        .flag("web.enable-lifecycle", "Allow /-/reload and /-/quit."),
        .flag("web.enable-admin-api", "Allow /api/v1/admin/tsdb: delete series, copy the samples."),
        .value("web.max-connections", "COUNT", "Connections held open at once.", default: "512"),
        .flag("web.enable-remote-write-receiver", "Accept samples at /api/v1/write."),
        .flag("web.enable-otlp-receiver", "Accept metrics of OpenTelemetry at /api/v1/otlp/v1/metrics."),
        .value(
            "web.command-token-file", "FILE",
            "File with a bearer token that grants all permissions, also from other machines. With it, silences and alerts need credentials on this machine too."
        ),
        .value("query.timeout", "DURATION", "Time limit of a query.", default: "2m"),
        .value("query.lookback-delta", "DURATION", "The maximum age of a current sample.", default: "5m"),
        .value("query.max-samples", "COUNT", "Limit of the samples that a query loads.", default: "50000000"),
        .value("query.max-concurrency", "COUNT", "Limit of queries that run at the same time.", default: "20"),
        .value(
            "rules.trigger", "TRIGGER",
            "scrape: alerts also appear and fire at each scrape that they read; interval: at evaluations only. Default: rules.trigger of the configuration, or interval."
        ),
        .value(
            "rules.alert.for-outage-tolerance", "DURATION",
            "The maximum age of the state of alerts that is restored at a restart.", default: "1h"),
        .value(
            "rules.alert.for-grace-period", "DURATION",
            "Alerts with at least this \"for\" wait at least so long after a restart.", default: "10m"),
        .value(
            "rules.alert.resend-delay", "DURATION", "Minimum time before a firing alert is sent again.", default: "1m"),
        .enabledFeatures, .value("log.level", "LEVEL", "debug, info, warn or error.", default: "info"),
        .value("log.format", "FORMAT", "logfmt or json.", default: "logfmt"),
    ]

    init(configFile: String, storagePath: String) {
        self.configFile = configFile
        self.storagePath = storagePath
    }

    /// Reads the flags of `serve`.
    init(_ invocation: Invocation) throws(CommandFailure) {
        self.init(configFile: try invocation.path("config.file"), storagePath: try invocation.path("storage.path"))
        let addresses = invocation.values("web.listen-address")
        listenAddress = addresses.first ?? listenAddress
        furtherListenAddresses = Array(addresses.dropFirst())
        usesSystemdSockets = invocation.flag("web.systemd-socket")
        webConfigFile = invocation.value("web.config.file").flatMap { $0.isEmpty ? nil : $0 }
        requiresTLS = invocation.flag("require-tls")
        if let text = invocation.value("web.external-url"), !text.isEmpty {
            guard let url = ExternalURL(text) else {
                throw invocation.misuse(of: "web.external-url", "a URL such as https://host/path")
            }
            externalURL = url
        }
        routePrefix = invocation.value("web.route-prefix").flatMap { $0.isEmpty ? nil : $0 }
        enablesLifecycle = invocation.flag("web.enable-lifecycle")
        enablesRemoteWrite = invocation.flag("web.enable-remote-write-receiver")
        enablesTelemetry = invocation.flag("web.enable-otlp-receiver")
        let size = try invocation.size("storage.retention.size")
        isRetentionGiven = size != nil || invocation.value("storage.retention.time") != nil
        if invocation.value("storage.retention.time") != nil {
            retention = try invocation.duration("storage.retention.time")
        } else if size != nil {
            retention = Self.unlimitedRetention
        }
        retentionBytes = size ?? retentionBytes
        maximumBacklog = try invocation.size("storage.remote.max-backlog") ?? 0
        enablesAdministration = invocation.flag("web.enable-admin-api")
        maximumConnections = try invocation.count("web.max-connections", atMost: 100_000)
        maximumExemplars = try invocation.count("storage.exemplars.max", atLeast: 0, atMost: 10_000_000)
        queryTimeout = try invocation.duration("query.timeout")
        queryLookback = try invocation.duration("query.lookback-delta")
        queryMaximumSamples = try invocation.count("query.max-samples")
        queryConcurrency = try invocation.count("query.max-concurrency", atMost: 1000)
        if let path = invocation.value("web.command-token-file") {
            commandToken = try Console.secret(in: path)
            commandTokenFile = path
        }
        if let text = invocation.value("rules.trigger") {
            guard let trigger = RuleGroup.Trigger(rawValue: text) else {
                throw invocation.misuse(of: "rules.trigger", "interval or scrape")
            }
            ruleTrigger = trigger
        }
        outageTolerance = try invocation.duration("rules.alert.for-outage-tolerance")
        gracePeriod = try invocation.duration("rules.alert.for-grace-period")
        resendDelay = try invocation.duration("rules.alert.resend-delay")
        features = try Features(invocation.values("enable-feature"))
        for option in Self.options {
            flags[option.name] = invocation.value(option.name) ?? (option.value == nil ? "false" : "")
        }
        for (alias, name) in PrometheusFlags.aliases { flags[alias] = flags[name] }
        for option in PrometheusFlags.withoutEffect { flags[option.name] = invocation.value(option.name) }
    }

    /// The external URL; by default, that of the first listen address, with the name of the host in place of an address
    /// that means all addresses: links in notifications must lead somewhere.
    func externalURL(isEncrypted: Bool) -> ExternalURL {
        var address = listenAddress
        // An address that cannot be read stops the start elsewhere.
        if case .tcp(let host, let port)? = try? Self.address(listenAddress),
            ["", "0.0.0.0", "::", "[::]"].contains(host)
        {
            address = "\(NodeName.host):\(port)"
        }
        return externalURL ?? ExternalURL("\(isEncrypted ? "https" : "http")://\(address)") ?? ExternalURL()
    }

    /// The addresses of the web server.
    func listenAddresses() throws(CommandFailure) -> [HTTPListenAddress] {
        if usesSystemdSockets { return try SystemdSockets.addresses() }
        var addresses: [HTTPListenAddress] = []
        for text in [listenAddress] + furtherListenAddresses { addresses.append(try Self.address(text)) }
        return addresses
    }

    /// Host and port of the first address, which must be a TCP address.
    func listenHostAndPort() throws(CommandFailure) -> (host: String, port: Int) {
        guard case .tcp(let host, let port) = try Self.address(listenAddress) else {
            throw CommandFailure("--web.listen-address must be HOST:PORT, got \"\(listenAddress)\"", code: .usage)
        }
        return (host.isEmpty ? "0.0.0.0" : host, port)
    }

    private static func address(_ text: String) throws(CommandFailure) -> HTTPListenAddress {
        if text.hasPrefix("unix:"), text.utf8.count > 5 { return .unix(path: String(text.dropFirst(5)), mode: 0o600) }
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65535).contains(port)
        else {
            throw CommandFailure(
                "--web.listen-address must be HOST:PORT or unix:PATH, got \"\(text)\"", code: .usage)
        }
        return .tcp(host: String(text[..<colon].filter { $0 != "[" && $0 != "]" }), port: port)
    }
}

extension Invocation {
    /// The logger with the level and format of the flags.
    func logger() throws(CommandFailure) -> Logger {
        guard let level = LogLevel(name: value("log.level") ?? "info") else {
            throw misuse(of: "log.level", "debug, info, warn or error")
        }
        guard let format = LogFormat(rawValue: value("log.format") ?? "logfmt") else {
            throw misuse(of: "log.format", "logfmt or json")
        }
        return Logger(level: level, format: format)
    }

    /// A path. An empty one would mean the root of the file system.
    func path(_ name: String) throws(CommandFailure) -> String {
        guard let path = value(name), !path.isEmpty else {
            throw CommandFailure("--\(name) must not be empty", code: .usage)
        }
        return path
    }

    func duration(_ name: String) throws(CommandFailure) -> Milliseconds {
        guard let duration = value(name).flatMap({ Milliseconds(parsing: $0) }), duration > .zero else {
            throw misuse(of: name, "a duration such as 90s or 24h")
        }
        return duration
    }

    func count(_ name: String, atLeast least: Int = 1, atMost limit: Int = .max) throws(CommandFailure) -> Int {
        guard let count = value(name).flatMap({ Int($0) }), (least...limit).contains(count) else {
            throw misuse(of: name, "a whole number from \(least) \(limit == .max ? "on" : "to \(limit)")")
        }
        return count
    }

    /// Bytes with one of Prometheus's units: `512MB` is 512 × 2^20. `nil` if there is none, or zero.
    func size(_ name: String) throws(CommandFailure) -> Int? {
        guard let text = value(name), !["", "0", "0B"].contains(text) else { return nil }
        let units = [("B", 0), ("KB", 10), ("MB", 20), ("GB", 30), ("TB", 40), ("PB", 50)]
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = units.first { $0.0 == text.dropFirst(digits.count) }
        guard let unit, let number = Int(digits), number > 0, number <= Int.max >> unit.1 else {
            throw misuse(of: name, "a size such as 512MB or 1GB")
        }
        return number << unit.1
    }
}
