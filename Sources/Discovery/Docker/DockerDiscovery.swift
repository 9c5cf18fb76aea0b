internal import JSON
internal import MetricModel
internal import YAML

/// `docker_sd_configs`: containers of a Docker daemon. A value.
public struct DockerDiscovery: Equatable, Sendable {
    let server: DockerServer
    /// The port of containers without an exposed port.
    public var port = 80
    /// The address of containers in the network of their host.
    public var hostNetworkingHost = "localhost"
    /// Whether a container in several networks is one target, in the network with the first name.
    public var matchesFirstNetwork = true
    /// The filters of containers.
    public var filters: [DockerFilter] = []
}

extension DockerDiscovery {
    init(_ fields: inout FieldReader, directory: String) throws(YAMLError) {
        server = try DockerServer(&fields, directory: directory)
        port = try fields.optionalInteger("port") ?? port
        hostNetworkingHost = try fields.optionalText("host_networking_host") ?? hostNetworkingHost
        matchesFirstNetwork = try fields.optionalFlag("match_first_network") ?? true
        filters = try DockerFilter.list(&fields)
    }
}

extension DockerDiscovery: RefreshingDiscoverer {
    private static let prefix = "__meta_docker_"

    var refreshInterval: Milliseconds { server.timeout }

    func refresh(_ session: DiscoverySession) throws(DiscoveryError) -> [TargetGroup] {
        let containers = try server.ask("/containers/json", filters, session).elements ?? []
        let networks = try server.networks(Self.prefix, session)
        let byID = Dictionary(containers.map { ($0.word("Id"), $0) }) { first, _ in first }
        let targets = containers.flatMap { self.targets(of: $0, byID, networks) }
        return [TargetGroup(source: "Docker", targets: targets)]
    }

    /// The networks of a container, or those of the container whose networks it shares.
    private func attachments(
        of container: JSON, _ byID: [String: JSON]
    ) -> [(name: String, settings: JSON)] {
        var current = container
        var seen: Set<String> = []
        while true {
            let found = (current["NetworkSettings"]?["Networks"]?.members ?? []).filter { $0.value != .null }
            if !found.isEmpty { return found.map { ($0.name, $0.value) }.sorted { $0.0 < $1.0 } }
            let mode = current["HostConfig"]?.word("NetworkMode") ?? ""
            guard mode.hasPrefix("container:"), seen.insert(mode).inserted,
                let next = byID[String(mode.dropFirst(10))]
            else { return [] }
            current = next
        }
    }

    private func targets(
        of container: JSON, _ byID: [String: JSON], _ networks: [String: [String: String]]
    ) -> [Labels] {
        guard let name = container["Names"]?.elements?.first?.text else { return [] }
        let mode = container["HostConfig"]?.word("NetworkMode") ?? ""
        var common = [
            Self.prefix + "container_id": container.word("Id"), Self.prefix + "container_name": name,
            Self.prefix + "container_network_mode": mode,
        ]
        container["Labels"]?.addLabels(Self.prefix + "container_label_", to: &common)
        var attachments = attachments(of: container, byID)
        if matchesFirstNetwork { attachments = Array(attachments.prefix(1)) }
        return attachments.flatMap { _, settings -> [Labels] in
            let address = settings.word("IPAddress")
            var shared = common.merging(networks[settings.word("NetworkID")] ?? [:]) { $1 }
            shared[Self.prefix + "network_ip"] = address
            let ports = (container["Ports"]?.elements ?? []).filter { $0.word("Type") == "tcp" }
            guard !ports.isEmpty else {
                // A container in the network of its host has no own ports.
                shared["__address__"] = mode == "host" ? hostNetworkingHost : DiscoveredText.address(address, port)
                return [Labels(meta: shared)]
            }
            return ports.map { port in
                var labels = shared
                let number = port["PrivatePort"]?.integer ?? 0
                labels["__address__"] = DiscoveredText.address(address, number)
                labels[Self.prefix + "port_private"] = String(number)
                if let published = port["PublicPort"]?.integer, published > 0 {
                    labels[Self.prefix + "port_public"] = String(published)
                    labels[Self.prefix + "port_public_ip"] = port.word("IP")
                }
                return Labels(meta: labels)
            }
        }
    }
}
