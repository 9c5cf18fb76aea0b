internal import ConfigurationFields
internal import CurlHTTP
internal import Discovery
internal import MetricModel
internal import Notification
internal import Scraper

extension LoadedConfiguration {
    /// Returns the findings of a discovery mechanism.
    typealias Finder = (DiscoveryMechanism) -> DiscoveryRunner.Finding

    /// The Alertmanagers from `alerting` and discovery, with the reasons why others are left out, sorted.
    func alertmanagers(_ finder: Finder) throws(RelabelError) -> (settings: AlertmanagerSettings, problems: [String]) {
        let relabelling = try Relabelling(prometheus.alertRelabelRules)
        var servers: [AlertmanagerServer] = []
        var problems: Set<String> = []
        for group in prometheus.alertmanagers { servers += try Self.servers(of: group, finder, &problems) }
        let settings = AlertmanagerSettings(
            externalLabels: prometheus.externalLabels, relabel: { relabelling.apply(to: $0) }, servers: servers)
        return (settings, problems.sorted())
    }

    private static func servers(
        of group: PrometheusConfiguration.AlertmanagerGroup, _ finder: Finder, _ problems: inout Set<String>
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
                guard let kept = ofServers.apply(to: labels) else { continue }
                guard let address = kept["__address__"], !address.isEmpty else {
                    problems.insert("no address in \(labels.setDescription)")
                    continue
                }
                guard !address.contains("/") else {
                    problems.insert("\"\(address)\" is not a valid hostname")
                    continue
                }
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
