internal import ConfigurationFields
internal import CurlHTTP
internal import Discovery
internal import MetricModel
internal import Notification
internal import Scraper

extension LoadedConfiguration {
    /// Returns the findings of a discovery mechanism.
    typealias Finder = (DiscoveryMechanism) -> DiscoveryRunner.Finding

    /// The Alertmanagers from `alerting` and discovery.
    func alertmanagers(_ finder: Finder) throws(RelabelError) -> AlertmanagerSettings {
        let relabelling = try Relabelling(prometheus.alertRelabelRules)
        var servers: [AlertmanagerServer] = []
        for group in prometheus.alertmanagers { servers += try Self.servers(of: group, finder) }
        return AlertmanagerSettings(
            externalLabels: prometheus.externalLabels, relabel: { relabelling.apply(to: $0) }, servers: servers)
    }

    private static func servers(
        of group: PrometheusConfiguration.AlertmanagerGroup, _ finder: Finder
    ) throws(RelabelError) -> [AlertmanagerServer] {
        let ofServers = try Relabelling(group.relabelRules)
        let ofAlerts = try Relabelling(group.alertRelabelRules)
        let prefix = group.pathPrefix.split(separator: "/").map { "/\($0)" }.joined()
        var servers: [AlertmanagerServer] = []
        let discovered = group.discovery.flatMap { finder($0).groups.sorted { $0.key < $1.key }.map(\.value) }
        for targets in group.staticTargets + discovered {
            for target in targets.targets {
                var labels = targets.labels.setting(target)
                labels.set("__scheme__", to: group.scheme)
                labels.set("__alerts_path__", to: "\(prefix)/api/v2/alerts")
                guard let kept = ofServers.apply(to: labels), let address = kept["__address__"], !address.contains("/")
                else { continue }
                servers.append(
                    AlertmanagerServer(
                        url: "\(kept["__scheme__"] ?? "http")://\(address)\(kept["__alerts_path__"] ?? "")",
                        timeout: group.timeout, relabel: { ofAlerts.apply(to: $0) },
                        prepare: { [http = group.http] (request) throws(HTTPFailure) in try http.apply(to: &request) }))
            }
        }
        return servers
    }
}
