internal import JSON

/// The kinds of object used by discovery.
enum KubernetesKind: String, CaseIterable {
    case pod, service, endpoints, endpointslice, node, ingress, namespace, replicaset, job

    init(_ role: KubernetesDiscovery.Role) {
        self =
            switch role {
            case .pod: .pod
            case .service: .service
            case .endpoints: .endpoints
            case .endpointslice: .endpointslice
            case .node: .node
            case .ingress: .ingress
            }
    }

    /// The path of the list of all objects in `namespace`, or of the whole cluster.
    func path(_ namespace: String) -> String {
        let scope = namespace.isEmpty || self == .node || self == .namespace ? "" : "namespaces/\(namespace)/"
        return switch self {
        case .pod: "/api/v1/\(scope)pods"
        case .service: "/api/v1/\(scope)services"
        case .endpoints: "/api/v1/\(scope)endpoints"
        case .node: "/api/v1/nodes"
        case .namespace: "/api/v1/namespaces"
        case .endpointslice: "/apis/discovery.k8s.io/v1/\(scope)endpointslices"
        case .ingress: "/apis/networking.k8s.io/v1/\(scope)ingresses"
        case .replicaset: "/apis/apps/v1/\(scope)replicasets"
        case .job: "/apis/batch/v1/\(scope)jobs"
        }
    }
}

/// The unique key of an object.
struct KubernetesKey: Hashable {
    var kind: KubernetesKind
    /// Empty for cluster-wide objects.
    var namespace: String
    var name: String

    init(_ kind: KubernetesKind, _ namespace: String, _ name: String) {
        self.kind = kind
        self.namespace = namespace
        self.name = name
    }

    /// The source of the object's group.
    var source: String {
        let kind = kind == .service ? "svc" : kind.rawValue
        return namespace.isEmpty ? "\(kind)/\(name)" : "\(kind)/\(namespace)/\(name)"
    }
}

/// The parts of an object that discovery uses. A value.
struct KubernetesObject: Equatable {
    enum Content: Equatable {
        case pod(KubernetesPod)
        case service(KubernetesService)
        case endpoints([EndpointSubset])
        case endpointSlice(EndpointSlice)
        case node(KubernetesNode)
        case ingress(KubernetesIngress)
        case namespace
        /// Only its controller is used.
        case controller
    }

    var key: KubernetesKey
    var uid: String
    var labels: [String: String]
    var annotations: [String: String]
    /// The kind and name of the owner that controls the object.
    var controller: ObjectReference?
    var content: Content

    /// `nil` if the object has no name.
    init?(_ json: JSON, _ kind: KubernetesKind) {
        guard let metadata = json["metadata"], let name = metadata["name"]?.text, !name.isEmpty else { return nil }
        key = KubernetesKey(kind, metadata["namespace"]?.text ?? "", name)
        uid = metadata["uid"]?.text ?? ""
        labels = metadata["labels"]?.texts ?? [:]
        annotations = metadata["annotations"]?.texts ?? [:]
        controller = metadata["ownerReferences"]?.elements?.first { $0["controller"]?.bool == true }
            .map { ObjectReference($0) }
        content =
            switch kind {
            case .pod: .pod(KubernetesPod(json))
            case .service: .service(KubernetesService(json))
            case .endpoints: .endpoints((json["subsets"]?.elements ?? []).map { EndpointSubset($0) })
            case .endpointslice: .endpointSlice(EndpointSlice(json))
            case .node: .node(KubernetesNode(json))
            case .ingress: .ingress(KubernetesIngress(json))
            case .namespace: .namespace
            case .replicaset, .job: .controller
            }
    }
}

extension JSON {
    /// The members of an object with text values.
    fileprivate var texts: [String: String] {
        Dictionary((members ?? []).compactMap { member in member.value.text.map { (member.name, $0) } }) { $1 }
    }
}

/// A reference to another object. A value.
struct ObjectReference: Equatable {
    var kind: String
    var namespace: String
    var name: String

    init(_ json: JSON) {
        kind = json.word("kind")
        namespace = json.word("namespace")
        name = json.word("name")
    }
}

/// A port of a container, service or endpoint. A value.
struct KubernetesPort: Equatable {
    var name: String
    /// `nil` if none is given.
    var number: Int64?
    var transport: String
    var application: String

    init(_ json: JSON, number: String) {
        name = json.word("name")
        self.number = json[number]?.integer
        transport = json.word("protocol")
        application = json.word("appProtocol")
    }

    /// The number as text; empty if none is given.
    var text: String { number.map { String($0) } ?? "" }
}

/// A pod. A value.
struct KubernetesPod: Equatable {
    struct Container: Equatable {
        var name: String
        var id: String
        var image: String
        var isInit: Bool
        var ports: [KubernetesPort]
    }

    var address: String
    var addresses: [String]
    var hostAddress: String
    var ready: String
    var phase: String
    var node: String
    var containers: [Container]

    init(_ json: JSON) {
        let status = json["status"] ?? .null
        let spec = json["spec"] ?? .null
        address = status.word("podIP")
        addresses = (status["podIPs"]?.elements ?? []).map { $0.word("ip") }
        hostAddress = status.word("hostIP")
        let condition = status["conditions"]?.elements?.first { $0.word("type") == "Ready" }
        ready = condition?.word("status").lowercased() ?? "unknown"
        phase = status.word("phase")
        node = spec.word("nodeName")
        containers = []
        for (list, statuses, isInit) in [
            ("containers", "containerStatuses", false), ("initContainers", "initContainerStatuses", true),
        ] {
            for container in spec[list]?.elements ?? [] {
                let name = container.word("name")
                let own = status[statuses]?.elements?.first { $0.word("name") == name }
                containers.append(
                    Container(
                        name: name, id: own?.word("containerID") ?? "", image: container.word("image"), isInit: isInit,
                        ports: (container["ports"]?.elements ?? []).map {
                            KubernetesPort($0, number: "containerPort")
                        }))
            }
        }
    }
}

/// A service. A value.
struct KubernetesService: Equatable {
    var type: String
    var clusterAddress: String
    var externalName: String
    var balancerAddress: String
    var ports: [KubernetesPort]

    init(_ json: JSON) {
        let spec = json["spec"] ?? .null
        type = spec.word("type")
        clusterAddress = spec.word("clusterIP")
        externalName = spec.word("externalName")
        balancerAddress = spec.word("loadBalancerIP")
        ports = (spec["ports"]?.elements ?? []).map { KubernetesPort($0, number: "port") }
    }
}

/// Addresses and ports of an `Endpoints` object. A value.
struct EndpointSubset: Equatable {
    struct Address: Equatable {
        var ip: String
        var hostname: String
        var node: String
        var target: ObjectReference?
        var isReady: Bool
    }

    var addresses: [Address]
    var ports: [KubernetesPort]

    init(_ json: JSON) {
        addresses = []
        for (list, isReady) in [("addresses", true), ("notReadyAddresses", false)] {
            addresses += (json[list]?.elements ?? []).map {
                Address(
                    ip: $0.word("ip"), hostname: $0.word("hostname"), node: $0.word("nodeName"),
                    target: $0["targetRef"].map { ObjectReference($0) }, isReady: isReady)
            }
        }
        ports = (json["ports"]?.elements ?? []).map { KubernetesPort($0, number: "port") }
    }
}

/// An `EndpointSlice`. A value.
struct EndpointSlice: Equatable {
    struct Endpoint: Equatable {
        var addresses: [String]
        var ready: Bool?
        var serving: Bool?
        var terminating: Bool?
        var hostname: String
        var node: String
        var zone: String
        var target: ObjectReference?
        var topology: [String: String]
    }

    var addressType: String
    var endpoints: [Endpoint]
    var ports: [KubernetesPort]

    init(_ json: JSON) {
        addressType = json.word("addressType")
        ports = (json["ports"]?.elements ?? []).map { KubernetesPort($0, number: "port") }
        endpoints = (json["endpoints"]?.elements ?? []).map { endpoint in
            let conditions = endpoint["conditions"]
            return Endpoint(
                addresses: (endpoint["addresses"]?.elements ?? []).compactMap(\.text),
                ready: conditions?["ready"]?.bool, serving: conditions?["serving"]?.bool,
                terminating: conditions?["terminating"]?.bool, hostname: endpoint.word("hostname"),
                node: endpoint.word("nodeName"), zone: endpoint.word("zone"),
                target: endpoint["targetRef"].map { ObjectReference($0) },
                topology: endpoint["deprecatedTopology"]?.texts ?? [:])
        }
    }
}

/// A node. A value.
struct KubernetesNode: Equatable {
    struct Address: Equatable {
        var type: String
        var text: String
    }

    var provider: String
    var addresses: [Address]
    var kubeletPort: Int64

    init(_ json: JSON) {
        provider = json["spec"]?.word("providerID") ?? ""
        addresses = (json["status"]?["addresses"]?.elements ?? []).map {
            Address(type: $0.word("type"), text: $0.word("address"))
        }
        kubeletPort = json["status"]?["daemonEndpoints"]?["kubeletEndpoint"]?["Port"]?.integer ?? 0
    }
}

/// An ingress. A value.
struct KubernetesIngress: Equatable {
    struct Rule: Equatable {
        var host: String
        var paths: [String]
    }

    var className: String
    var rules: [Rule]
    var tlsHosts: [String]

    init(_ json: JSON) {
        let spec = json["spec"] ?? .null
        className = spec.word("ingressClassName")
        rules = (spec["rules"]?.elements ?? []).map { rule in
            let paths = rule["http"]?["paths"]?.elements?.map { $0.word("path") }
            return Rule(host: rule.word("host"), paths: (paths ?? ["/"]).map { $0.isEmpty ? "/" : $0 })
        }
        tlsHosts = (spec["tls"]?.elements ?? []).flatMap { ($0["hosts"]?.elements ?? []).compactMap(\.text) }
    }
}
