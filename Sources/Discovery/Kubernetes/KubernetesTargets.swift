internal import MetricModel

/// Turns one object into targets, with the labels of Prometheus. A value that lives as long as one group is built.
struct KubernetesTargets {
    private static let prefix = "__meta_kubernetes_"
    private static let maximumEndpointPorts = 100_000

    private let attached: KubernetesDiscovery.AttachedMetadata
    private let find: (KubernetesKey) -> KubernetesObject?
    /// Every object that was looked up.
    private(set) var asked: Set<KubernetesKey> = []

    /// - Parameter find: looks up another object.
    init(
        _ attached: KubernetesDiscovery.AttachedMetadata, find: @escaping (KubernetesKey) -> KubernetesObject?
    ) {
        self.attached = attached
        self.find = find
    }

    /// The labels of a target or group, without the common prefix.
    private typealias Meta = [String: String]

    /// The targets of `object`.
    mutating func group(of object: KubernetesObject) -> TargetGroup {
        switch object.content {
        case .pod(let pod): group(of: pod, object)
        case .service(let service): group(of: service, object)
        case .endpoints(let subsets): group(of: subsets, object)
        case .endpointSlice(let slice): group(of: slice, object)
        case .node(let node): group(of: node, object)
        case .ingress(let ingress): group(of: ingress, object)
        case .namespace, .controller: TargetGroup(source: object.key.source, targets: [])
        }
    }

    private mutating func lookUp(_ key: KubernetesKey) -> KubernetesObject? {
        asked.insert(key)
        return find(key)
    }

    private static func labels(_ meta: Meta, _ further: (String, String)...) -> Labels {
        Labels(meta: meta.map { (prefix + $0.key, $0.value) } + further)
    }

    /// The name, labels and annotations of `object`.
    private static func metadata(_ object: KubernetesObject) -> Meta {
        let kind = object.key.kind.rawValue
        var meta = ["\(kind)_name": object.key.name]
        add(object.labels, "\(kind)_label", to: &meta)
        add(object.annotations, "\(kind)_annotation", to: &meta)
        return meta
    }

    private static func add(_ pairs: [String: String], _ word: String, to meta: inout Meta) {
        for (name, value) in pairs {
            let name = DiscoveredText.labelName(name)
            meta["\(word)_\(name)"] = value
            meta["\(word)present_\(name)"] = "true"
        }
    }

    private mutating func addNamespace(_ object: KubernetesObject, to meta: inout Meta) {
        meta["namespace"] = object.key.namespace
        guard attached.namespace, let own = lookUp(KubernetesKey(.namespace, "", object.key.namespace)) else { return }
        Self.add(own.labels, "namespace_label", to: &meta)
        Self.add(own.annotations, "namespace_annotation", to: &meta)
    }

    private mutating func addNode(_ name: String, to meta: inout Meta) {
        guard attached.node, !name.isEmpty, let node = lookUp(KubernetesKey(.node, "", name)) else { return }
        meta["node_name"] = name
        Self.add(node.labels, "node_label", to: &meta)
    }

    private mutating func addService(_ name: String, _ namespace: String, to meta: inout Meta) {
        guard let service = lookUp(KubernetesKey(.service, namespace, name)) else { return }
        meta.merge(Self.metadata(service)) { $1 }
    }
}

// MARK: Nodes, services, ingresses

extension KubernetesTargets {
    private static let preferredAddresses = [
        "InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS", "LegacyHostIP", "Hostname",
    ]

    private mutating func group(of node: KubernetesNode, _ object: KubernetesObject) -> TargetGroup {
        var meta = Self.metadata(object)
        meta["node_provider_id"] = node.provider
        let address = Self.preferredAddresses.lazy.compactMap { type in node.addresses.first { $0.type == type } }.first
        guard let address else { return TargetGroup(source: object.key.source, targets: []) }
        var own: Meta = [:]
        for address in node.addresses.reversed() {
            own["node_address_\(DiscoveredText.labelName(address.type))"] = address.text
        }
        let target = Self.labels(
            own, ("__address__", DiscoveredText.address(address.text, node.kubeletPort)), ("instance", object.key.name))
        return TargetGroup(source: object.key.source, targets: [target], labels: Self.labels(meta))
    }

    private mutating func group(of service: KubernetesService, _ object: KubernetesObject) -> TargetGroup {
        var meta = Self.metadata(object)
        addNamespace(object, to: &meta)
        let host = "\(object.key.name).\(object.key.namespace).svc"
        let targets = service.ports.map { port in
            var own = [
                "service_port_name": port.name, "service_port_number": port.text,
                "service_port_protocol": port.transport, "service_type": service.type,
            ]
            if service.type == "ExternalName" {
                own["service_external_name"] = service.externalName
            } else {
                own["service_cluster_ip"] = service.clusterAddress
            }
            if service.type == "LoadBalancer" { own["service_loadbalancer_ip"] = service.balancerAddress }
            return Self.labels(own, ("__address__", DiscoveredText.address(host, port.number ?? 0)))
        }
        return TargetGroup(source: object.key.source, targets: targets, labels: Self.labels(meta))
    }

    private mutating func group(of ingress: KubernetesIngress, _ object: KubernetesObject) -> TargetGroup {
        var meta = Self.metadata(object)
        addNamespace(object, to: &meta)
        meta["ingress_class_name"] = ingress.className
        let targets = ingress.rules.flatMap { rule in
            let isSecure = ingress.tlsHosts.contains { Self.matches(rule.host, pattern: $0) }
            return rule.paths.map { path in
                Self.labels(
                    [
                        "ingress_scheme": isSecure ? "https" : "http", "ingress_host": rule.host, "ingress_path": path,
                    ], ("__address__", rule.host))
            }
        }
        return TargetGroup(source: object.key.source, targets: targets, labels: Self.labels(meta))
    }

    /// Whether `pattern`, whose first label may be `*`, matches `host`.
    private static func matches(_ host: String, pattern: String) -> Bool {
        if pattern == host { return true }
        let wanted = pattern.split(separator: ".", omittingEmptySubsequences: false)
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return wanted.first == "*" && wanted.count == parts.count && wanted.dropFirst() == parts.dropFirst()
    }
}

// MARK: Pods

extension KubernetesTargets {
    private static func labels(of pod: KubernetesPod, _ object: KubernetesObject) -> Meta {
        var meta = metadata(object)
        meta["pod_ip"] = pod.address
        meta["pod_ipv4"] = pod.addresses.first { $0.contains(".") && !$0.contains(":") }
        meta["pod_ipv6"] = pod.addresses.first { $0.contains(":") }
        meta["pod_ready"] = pod.ready
        meta["pod_phase"] = pod.phase
        meta["pod_node_name"] = pod.node
        meta["pod_host_ip"] = pod.hostAddress
        meta["pod_uid"] = object.uid
        if let controller = object.controller {
            meta["pod_controller_kind"] = controller.kind
            meta["pod_controller_name"] = controller.name
        }
        return meta
    }

    private mutating func group(of pod: KubernetesPod, _ object: KubernetesObject) -> TargetGroup {
        // Without an address it is starting, or was evicted.
        guard !pod.address.isEmpty else { return TargetGroup(source: object.key.source, targets: []) }
        var meta = Self.labels(of: pod, object)
        addNamespace(object, to: &meta)
        addNode(pod.node, to: &meta)
        addOwner(of: object, to: &meta)
        var targets: [Labels] = []
        for container in pod.containers {
            var own = [
                "pod_container_name": container.name, "pod_container_id": container.id,
                "pod_container_image": container.image, "pod_container_init": String(container.isInit),
            ]
            if container.ports.isEmpty {
                let address = pod.address.contains(":") ? "[\(pod.address)]" : pod.address
                targets.append(Self.labels(own, ("__address__", address)))
            }
            for port in container.ports {
                own.merge(Self.labels(of: port)) { $1 }
                targets.append(
                    Self.labels(own, ("__address__", DiscoveredText.address(pod.address, port.number ?? 0))))
            }
        }
        return TargetGroup(source: object.key.source, targets: targets, labels: Self.labels(meta))
    }

    /// Adds the names of the deployment, job and cron job that a pod belongs to. A deployment controls its pods through
    /// a replica set, a cron job through a job.
    private mutating func addOwner(of pod: KubernetesObject, to meta: inout Meta) {
        guard let controller = pod.controller else { return }
        func owner(_ kind: KubernetesKind, _ wanted: String) -> String? {
            let object = lookUp(KubernetesKey(kind, pod.key.namespace, controller.name))
            return object?.controller.flatMap { $0.kind == wanted ? $0.name : nil }
        }
        switch controller.kind {
        case "ReplicaSet":
            if attached.deployment { meta["pod_deployment_name"] = owner(.replicaset, "Deployment") }
        case "Job":
            if attached.job { meta["pod_job_name"] = controller.name }
            if attached.cronJob { meta["pod_cronjob_name"] = owner(.job, "CronJob") }
        default: break
        }
    }

    private static func labels(of port: KubernetesPort) -> Meta {
        [
            "pod_container_port_name": port.name, "pod_container_port_number": port.text,
            "pod_container_port_protocol": port.transport,
        ]
    }
}

// MARK: Endpoints

extension KubernetesTargets {
    /// Pods of endpoints, with the ports that are targets already.
    private struct SeenPods {
        private(set) var pods: [(object: KubernetesObject, pod: KubernetesPod, ports: Set<Int64>)] = []
        private var places: [KubernetesKey: Int] = [:]

        mutating func add(_ object: KubernetesObject, _ pod: KubernetesPod, _ port: Int64?) {
            let place = places[object.key] ?? pods.count
            if place == pods.count {
                places[object.key] = place
                pods.append((object, pod, []))
            }
            if let port { pods[place].ports.insert(port) }
        }

        /// The ports of containers without an endpoint.
        func otherTargets() -> [Labels] {
            pods.flatMap { object, pod, seen -> [Labels] in
                if pod.address.isEmpty { return [] }
                return pod.containers.flatMap { container in
                    container.ports.filter { !seen.contains($0.number ?? -1) }.map { port in
                        let meta = KubernetesTargets.labels(of: container, port)
                            .merging(KubernetesTargets.labels(of: pod, object)) { $1 }
                        return KubernetesTargets.labels(
                            meta, ("__address__", DiscoveredText.address(pod.address, port.number ?? 0)))
                    }
                }
            }
        }
    }

    private static func labels(of container: KubernetesPod.Container, _ port: KubernetesPort) -> Meta {
        var meta = labels(of: port)
        meta["pod_container_name"] = container.name
        meta["pod_container_image"] = container.image
        meta["pod_container_init"] = String(container.isInit)
        return meta
    }

    /// Adds the labels of the pod of an endpoint.
    private mutating func addPod(
        _ reference: ObjectReference?, _ number: Int64?, to meta: inout Meta, _ seen: inout SeenPods
    ) {
        guard let reference, reference.kind == "Pod",
            let object = lookUp(KubernetesKey(.pod, reference.namespace, reference.name)),
            case .pod(let pod) = object.content
        else { return }
        seen.add(object, pod, number)
        meta.merge(Self.labels(of: pod, object)) { $1 }
        guard let number else { return }
        for container in pod.containers {
            guard let port = container.ports.first(where: { $0.number == number }) else { continue }
            meta.merge(Self.labels(of: container, port)) { $1 }
        }
    }

    private mutating func group(of subsets: [EndpointSubset], _ object: KubernetesObject) -> TargetGroup {
        var meta: Meta = [:]
        addService(object.key.name, object.key.namespace, to: &meta)
        meta.merge(Self.metadata(object)) { $1 }
        addNamespace(object, to: &meta)
        var seen = SeenPods()
        var targets: [Labels] = []
        for subset in subsets {
            for port in subset.ports {
                for address in subset.addresses where targets.count < Self.maximumEndpointPorts {
                    var own = [
                        "endpoint_port_name": port.name, "endpoint_port_protocol": port.transport,
                        "endpoint_ready": String(address.isReady), "endpoint_node_name": address.node,
                        "endpoint_hostname": address.hostname,
                        "endpoint_address_target_kind": address.target?.kind ?? "",
                        "endpoint_address_target_name": address.target?.name ?? "",
                    ]
                    let isNode = address.node.isEmpty && address.target?.kind == "Node"
                    addNode(isNode ? address.target?.name ?? "" : address.node, to: &own)
                    addPod(address.target, port.number, to: &own, &seen)
                    // As in Prometheus: the port of the endpoint is used here, not that of the container.
                    if own["pod_container_port_protocol"] != nil {
                        own["pod_container_port_protocol"] = port.transport
                    }
                    targets.append(
                        Self.labels(own, ("__address__", DiscoveredText.address(address.ip, port.number ?? 0))))
                }
            }
        }
        targets += seen.otherTargets()
        return TargetGroup(source: object.key.source, targets: targets, labels: Self.labels(meta))
    }

    private mutating func group(of slice: EndpointSlice, _ object: KubernetesObject) -> TargetGroup {
        var meta = Self.metadata(object)
        meta["endpointslice_address_type"] = slice.addressType
        addNamespace(object, to: &meta)
        if let service = object.labels["kubernetes.io/service-name"] {
            addService(service, object.key.namespace, to: &meta)
        }
        var seen = SeenPods()
        var targets: [Labels] = []
        for endpoint in slice.endpoints {
            for port in slice.ports {
                for address in endpoint.addresses where targets.count < Self.maximumEndpointPorts {
                    var own = Self.labels(of: endpoint, port)
                    let isNode = endpoint.target?.kind == "Node"
                    addNode(isNode ? endpoint.target?.name ?? "" : endpoint.node, to: &own)
                    addPod(endpoint.target, port.number, to: &own, &seen)
                    let place = port.number.map { DiscoveredText.address(address, $0) } ?? address
                    targets.append(Self.labels(own, ("__address__", place)))
                }
            }
        }
        targets += seen.otherTargets()
        return TargetGroup(source: object.key.source, targets: targets, labels: Self.labels(meta))
    }

    private static func labels(of endpoint: EndpointSlice.Endpoint, _ port: KubernetesPort) -> Meta {
        let word = "endpointslice_"
        var meta = [
            word + "port_name": port.name, word + "port_protocol": port.transport, word + "port": port.text,
            word + "port_app_protocol": port.application, word + "endpoint_hostname": endpoint.hostname,
            word + "endpoint_node_name": endpoint.node, word + "endpoint_zone": endpoint.zone,
            word + "address_target_kind": endpoint.target?.kind ?? "",
            word + "address_target_name": endpoint.target?.name ?? "",
        ]
        let conditions = [
            ("ready", endpoint.ready), ("serving", endpoint.serving), ("terminating", endpoint.terminating),
        ]
        for (name, value) in conditions {
            if let value { meta[word + "endpoint_conditions_\(name)"] = String(value) }
        }
        for (name, value) in endpoint.topology {
            let name = DiscoveredText.labelName(name)
            meta[word + "endpoint_topology_\(name)"] = value
            meta[word + "endpoint_topology_present_\(name)"] = "true"
        }
        return meta
    }
}
