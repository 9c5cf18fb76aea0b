internal import MetricModel
internal import PromQL
internal import PrometheusAPI
internal import RuleEngine
internal import Scraper
internal import WebCore

extension LoadedConfiguration {
    /// Reads the configuration file.
    static func load(_ settings: ServiceSettings) throws(CommandFailure) -> LoadedConfiguration {
        do throws(ConfigurationError) {
            return try load(settings.configFile, features: settings.features.parser, requiresRuleFiles: false)
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
        web.retention = retention.description
        return web
    }
}

extension LoadedConfiguration {
    /// The settings of the rule engine.
    ///
    /// - Parameter trigger: that of `--rules.trigger`.
    func ruleSettings(externalURL: String, trigger: RuleGroup.Trigger? = nil) -> RuleSettings {
        RuleSettings(
            externalLabels: prometheus.externalLabels, externalURL: externalURL,
            evaluationInterval: prometheus.evaluationInterval, queryOffset: prometheus.ruleQueryOffset,
            advancesAtScrapes: trigger ?? file.rules.trigger == .scrape, scrapeShare: file.rules.scrapeShare)
    }
}
