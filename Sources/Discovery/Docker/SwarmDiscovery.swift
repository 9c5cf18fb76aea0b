internal import JSON
internal import MetricModel
internal import YAML

/// `dockerswarm_sd_configs`: services, tasks or nodes of a Docker swarm. A value.
public struct SwarmDiscovery: Equatable, Sendable {
    /// The kind of object that becomes targets.
    public enum Role: String, CaseIterable, Sendable {
        case services, tasks, nodes
    }

    let server: DockerServer
    /// The kind of object that becomes targets.
    public var role: Role
    /// The port of nodes, and of objects without a published port.
    public var port = 80
    /// The filters of requests.
    public var filters: [DockerFilter] = []
}

extension SwarmDiscovery {
    init(_ fields: inout FieldReader, directory: String) throws(YAMLError) {
        server = try DockerServer(&fields, directory: directory)
        guard let word = try fields.optionalText("role"), !word.isEmpty else {
            throw fields.fault("role missing (one of: tasks, services, nodes)")
        }
        guard let role = Role(rawValue: word) else {
            throw fields.fault(
                "invalid role \(word), expected tasks, services, or nodes", at: fields.node["role"], field: "role")
        }
        self.role = role
        port = try fields.optionalInteger("port") ?? port
        filters = try DockerFilter.list(&fields)
    }
}

extension SwarmDiscovery: RefreshingDiscoverer {
    private static let prefix = "__meta_dockerswarm_"
    private static let maximumInspections = 5000

    var refreshInterval: Milliseconds { server.timeout }

    func refresh(_ session: DiscoverySession) throws(DiscoveryError) -> [TargetGroup] {
        let targets =
            switch role {
            case .services: try services(session)
            case .tasks: try tasks(session)
            case .nodes: try nodes(session)
            }
        return [TargetGroup(source: "DockerSwarm", targets: targets)]
    }

    // MARK: Nodes

    private func nodes(_ session: DiscoverySession) throws(DiscoveryError) -> [Labels] {
        (try server.ask("/nodes", filters, session).elements ?? []).map { node in
            var labels = Self.labels(ofNode: node)
            labels[Self.prefix + "node_engine_version"] = node["Description"]?["Engine"]?.word("EngineVersion")
            if let manager = node["ManagerStatus"], manager != .null {
                labels[Self.prefix + "node_manager_leader"] = String(manager["Leader"]?.bool ?? false)
                labels[Self.prefix + "node_manager_reachability"] = manager.word("Reachability")
                labels[Self.prefix + "node_manager_address"] = manager.word("Addr")
            }
            labels["__address__"] = DiscoveredText.address(node["Status"]?.word("Addr") ?? "", port)
            return Labels(meta: labels)
        }
    }

    private static func labels(ofNode node: JSON) -> [String: String] {
        let spec = node["Spec"] ?? .null
        let description = node["Description"] ?? .null
        let platform = description["Platform"] ?? .null
        let status = node["Status"] ?? .null
        let word = prefix + "node_"
        var labels = [
            word + "id": node.word("ID"), word + "role": spec.word("Role"),
            word + "availability": spec.word("Availability"), word + "hostname": description.word("Hostname"),
            word + "platform_architecture": platform.word("Architecture"), word + "platform_os": platform.word("OS"),
            word + "status": status.word("State"), word + "address": status.word("Addr"),
        ]
        spec["Labels"]?.addLabels(word + "label_", to: &labels)
        return labels
    }

    // MARK: Services

    private static func labels(ofService service: JSON) -> [String: String] {
        let spec = service["Spec"] ?? .null
        let mode = spec["Mode"] ?? .null
        func has(_ name: String) -> Bool { mode[name].map { $0 != .null } ?? false }
        var labels = [
            prefix + "service_id": service.word("ID"), prefix + "service_name": spec.word("Name"),
            prefix + "service_mode": has("Global") ? "global" : has("Replicated") ? "replicated" : "",
        ]
        spec["Labels"]?.addLabels(prefix + "service_label_", to: &labels)
        return labels
    }

    private func services(_ session: DiscoverySession) throws(DiscoveryError) -> [Labels] {
        let services = try server.ask("/services", filters, session).elements ?? []
        let networks = try server.networks(Self.prefix, session)
        return services.flatMap { service -> [Labels] in
            let template = service["Spec"]?["TaskTemplate"]?["ContainerSpec"] ?? .null
            var common = Self.labels(ofService: service)
            common[Self.prefix + "service_task_container_hostname"] = template.word("Hostname")
            common[Self.prefix + "service_task_container_image"] = template.word("Image")
            common[Self.prefix + "service_updating_status"] = service["UpdateStatus"]?.word("State")
            let endpoint = service["Endpoint"] ?? .null
            return (endpoint["VirtualIPs"]?.elements ?? []).flatMap { place in
                let shared = common.merging(networks[place.word("NetworkID")] ?? [:]) { $1 }
                return targets(
                    at: Self.address(place.word("Addr")), Self.ports(endpoint["Ports"]), shared
                ) { port in
                    [
                        Self.prefix + "service_endpoint_port_name": port.word("Name"),
                        Self.prefix + "service_endpoint_port_publish_mode": port.word("PublishMode"),
                    ]
                }
            }
        }
    }

    private static func ports(_ list: JSON?) -> [JSON] {
        (list?.elements ?? []).filter { $0.word("Protocol") == "tcp" }
    }

    /// An address without its prefix length.
    private static func address(_ text: String) -> String { String(text.prefix { $0 != "/" }) }

    /// A target for each port, or one without a port.
    private func targets(
        at address: String, _ ports: [JSON], _ shared: [String: String], _ further: (JSON) -> [String: String]
    ) -> [Labels] {
        var labels = shared
        guard !ports.isEmpty else {
            labels["__address__"] = DiscoveredText.address(address, port)
            return [Labels(meta: labels)]
        }
        return ports.map { port in
            var own = labels.merging(further(port)) { $1 }
            own["__address__"] = DiscoveredText.address(address, port["PublishedPort"]?.integer ?? 0)
            return Labels(meta: own)
        }
    }

    // MARK: Tasks

    private func tasks(_ session: DiscoverySession) throws(DiscoveryError) -> [Labels] {
        let tasks = try server.ask("/tasks", filters, session).elements ?? []
        let services = try server.ask("/services", [], session).elements ?? []
        let nodes = try server.ask("/nodes", [], session).elements ?? []
        let networks = try server.networks(Self.prefix, session)
        let servicesByID = Dictionary(services.map { ($0.word("ID"), $0) }) { first, _ in first }
        let nodesByID = Dictionary(nodes.map { ($0.word("ID"), $0) }) { first, _ in first }
        let containers = containerLabels(of: tasks, session)
        return tasks.flatMap { task -> [Labels] in
            let service = servicesByID[task.word("ServiceID")]
            var common = labels(ofTask: task, containers)
            if let service { common.merge(Self.labels(ofService: service)) { $1 } }
            if let node = nodesByID[task.word("NodeID")] { common.merge(Self.labels(ofNode: node)) { $1 } }
            let mode = { (port: JSON) in [Self.prefix + "task_port_publish_mode": port.word("PublishMode")] }
            var targets: [Labels] = []
            let published = Self.ports(task["Status"]?["PortStatus"]?["Ports"])
            if !published.isEmpty {
                targets += self.targets(at: common[Self.prefix + "node_address"] ?? "", published, common, mode)
            }
            for attachment in task["NetworksAttachments"]?.elements ?? [] {
                let network = attachment["Network"]?.word("ID") ?? ""
                let shared = common.merging(networks[network] ?? [:]) { $1 }
                for address in (attachment["Addresses"]?.elements ?? []).compactMap(\.text) {
                    targets += self.targets(
                        at: Self.address(address), Self.ports(service?["Endpoint"]?["Ports"]), shared, mode)
                }
            }
            return targets
        }
    }

    private func labels(ofTask task: JSON, _ containers: [String: JSON]) -> [String: String] {
        let status = task["Status"] ?? .null
        let word = Self.prefix + "task_"
        var labels = [
            word + "id": task.word("ID"), word + "desired_state": task.word("DesiredState"),
            word + "state": status.word("State"), word + "slot": String(task["Slot"]?.integer ?? 0),
        ]
        let container = status["ContainerStatus"]?.word("ContainerID") ?? ""
        labels[word + "container_id"] = container
        guard let spec = task["Spec"]?["ContainerSpec"], spec != .null else { return labels }
        // Labels of the image, then those of the task.
        containers[container]?.addLabels(Self.prefix + "container_label_", to: &labels)
        spec["Labels"]?.addLabels(Self.prefix + "container_label_", to: &labels)
        return labels
    }

    /// The labels of the tasks' containers that are known to this daemon.
    private func containerLabels(of tasks: [JSON], _ session: DiscoverySession) -> [String: JSON] {
        var labels: [String: JSON] = [:]
        let ids = tasks.compactMap { $0["Status"]?["ContainerStatus"]?["ContainerID"]?.text }.filter { !$0.isEmpty }
        for id in Set(ids).sorted().prefix(Self.maximumInspections) where !session.stop.isRaised {
            // Containers on other nodes are unknown to this daemon; their labels are omitted.
            guard let container = try? server.ask("/containers/\(id)/json", [], session) else { continue }
            labels[id] = container["Config"]?["Labels"]
        }
        return labels
    }
}
