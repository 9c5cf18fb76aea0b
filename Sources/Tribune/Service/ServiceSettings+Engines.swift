internal import CurlHTTP
internal import MetricModel
internal import PromQL
internal import PrometheusAPI
internal import RemoteQuery
internal import RemoteWrite
internal import RuleEngine
internal import Runtime
internal import Scraper
internal import WebCore

extension LoadedConfiguration {
    /// Reads the configuration file.
    static func load(_ settings: ServiceSettings) throws(CommandFailure) -> LoadedConfiguration {
        do throws(ConfigurationError) {
            let configuration = try load(
                settings.configFile, features: settings.features.parser, requiresRuleFiles: false)
            let plain = settings.requiresTLS ? configuration.plainLinks(settings.configFile) : []
            guard plain.isEmpty else { throw ConfigurationError(errors: plain) }
            return configuration
        } catch {
            throw CommandFailure(error.description)
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

    /// The settings of the receiver of OTLP.
    var telemetryOptions: TelemetryReceiver.Options {
        var options = TelemetryReceiver.Options()
        options.accumulatesDeltas = features.accumulatesDeltas
        options.storesDeltas = features.storesDeltas
        options.lookback = queryLookback
        return options
    }

    /// The settings of Prometheus's API on a server with the URL `externalURL`.
    func prometheusSettings(_ externalURL: ExternalURL) -> PrometheusSettings {
        var web = PrometheusSettings()
        web.externalURL = externalURL
        web.enablesLifecycle = enablesLifecycle
        web.enablesRemoteWrite = enablesRemoteWrite
        web.enablesAdministration = enablesAdministration
        web.snapshotDirectory = "\(storagePath)/snapshots"
        web.maximumConcurrentQueries = queryConcurrency
        web.build.version = Version.number
        web.flags = flags
        web.retention = retentionText
        return web
    }

    /// Applies `storage.tsdb.retention` of the configuration, which comes before the flags. As in Prometheus, a limit
    /// of the size alone means that the time is not limited, and a percentage of the disk comes before a size.
    mutating func apply(_ configuration: PrometheusConfiguration) throws(CommandFailure) {
        var bytes = configuration.retentionBytes
        if let percentage = configuration.retentionPercentage {
            guard let disk = Paths.fileSystemBytes(storagePath) else {
                throw CommandFailure("storage.tsdb.retention.percentage: \(storagePath): \(SystemError.current)")
            }
            bytes = max(1, Int(Double(disk) * percentage / 100))
        }
        if let time = configuration.retention {
            retention = time
        } else if bytes != nil, !isRetentionGiven {
            retention = Self.unlimitedRetention
        }
        retentionBytes = bytes ?? retentionBytes
    }

    /// How long and up to which size samples are kept, as Prometheus shows it: `15d or 1GiB512MiB`.
    var retentionText: String {
        let time = retention == Self.unlimitedRetention ? [] : [retention.description]
        guard retentionBytes != .max else { return time.joined() }
        var (rest, size) = (retentionBytes, "")
        for (unit, shift) in [("EiB", 60), ("PiB", 50), ("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)] {
            let count = rest >> shift
            if count > 0 { size += "\(count)\(unit)" }
            rest -= count << shift
        }
        return (time + [size]).joined(separator: " or ")
    }
}

extension LoadedConfiguration {
    /// Where connections may go, and whether they must be encrypted.
    func outgoing(_ settings: ServiceSettings) -> OutgoingPolicy {
        var policy = file.outgoing
        policy.requiresTLS = settings.requiresTLS
        return policy
    }

    /// The settings of the rule engine.
    ///
    /// - Parameter flags: those of the service; `nil` for their defaults.
    func ruleSettings(externalURL: String, _ flags: ServiceSettings? = nil) -> RuleSettings {
        var settings = RuleSettings(
            externalLabels: prometheus.externalLabels, externalURL: externalURL,
            evaluationInterval: prometheus.evaluationInterval, queryOffset: prometheus.ruleQueryOffset,
            advancesAtScrapes: flags?.ruleTrigger ?? file.rules.trigger == .scrape, scrapeShare: file.rules.scrapeShare)
        settings.servers = file.queryServers.map { server in
            RuleServerSettings(
                name: server.name, queryOffset: server.queryOffset, concurrency: server.concurrency,
                timeout: server.timeout)
        }
        settings.defaultServer = file.defaultQueryServer
        if let flags {
            settings.outageTolerance = flags.outageTolerance
            settings.gracePeriod = flags.gracePeriod
            settings.resendDelay = flags.resendDelay
        }
        return settings
    }
}
