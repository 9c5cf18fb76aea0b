internal import YAML

/// A route through an object of a Kubernetes API server.
public struct KubernetesRoute: Hashable, Sendable {
    /// The object that divides the traffic.
    public enum Object: Hashable, Sendable {
        /// A Service whose selector is set to the labels of one version: all traffic or none.
        case service(stable: [Label], candidate: [Label])
        /// An HTTPRoute of the Gateway API, divided by the weights of two Services.
        case httpRoute(stable: String, candidate: String)
        /// A VirtualService of Istio, divided by the weights of two destinations.
        case virtualService(stable: Destination, candidate: Destination)
        /// The canary Ingress of ingress-nginx, divided by its annotation `canary-weight`.
        case ingress
    }

    /// A label of a selector.
    public struct Label: Hashable, Sendable {
        /// The label's name.
        public var name: String
        /// Its value.
        public var value: String
    }

    /// A destination of a VirtualService, written `host` or `host/subset`.
    public struct Destination: Hashable, Sendable {
        /// The host, as in the VirtualService.
        public var host: String
        /// The subset; `nil` if hosts alone distinguish the versions.
        public var subset: String?
    }

    /// The mark of requests of testers.
    public enum TesterMark: Hashable, Sendable {
        /// A header. Of an HTTPRoute or a VirtualService the rules are for testers whose every match asks for it; the
        /// values there count.
        case header(String)
        /// A cookie with the value `always`. Only an Ingress has it.
        case cookie(String)
    }

    /// The URL of the API server, without a slash at the end.
    public var server: String
    /// The file with the bearer token, read for every request because tokens rotate; `nil` to send none.
    public var tokenFile: String?
    /// The certificates to trust; `nil` for the system's.
    public var authorityFile: String?
    /// The namespace of the object.
    public var namespace: String
    /// The object's name.
    public var name: String
    /// The object that divides the traffic.
    public var object: Object
    /// The mark of requests of testers; `nil` if there are none.
    public var testers: TesterMark?
}

extension KubernetesRoute {
    /// The directory in a pod with the credentials for the API server.
    private static let account = "/var/run/secrets/kubernetes.io/serviceaccount"

    init(_ node: YAMLNode, path: String, file: String, clusterServer: String?) throws(YAMLError) {
        var fields = try FieldReader(node, path: path, file: file)
        let server = try fields.url("server")
        let isInCluster = server == nil
        guard var server = server ?? clusterServer else {
            throw fields.fault("outside of a cluster the field \"server\" is required")
        }
        while server.hasSuffix("/") { server.removeLast() }
        self.server = server
        tokenFile = try fields.optionalText("token_file") ?? (isInCluster ? "\(Self.account)/token" : nil)
        authorityFile = try fields.optionalText("ca_file") ?? (isInCluster ? "\(Self.account)/ca.crt" : nil)
        namespace = try fields.name("namespace")
        name = try fields.name("name")
        switch try fields.text("kind") {
        case "service":
            let stable = try fields.selector("stable")
            let candidate = try fields.selector("candidate")
            // A patch adds labels and removes none: a label of only one side would remain.
            guard Set(stable.map(\.name)) == Set(candidate.map(\.name)), stable != candidate else {
                throw fields.fault(
                    "stable and candidate must give the same labels different values", at: fields.optional("candidate"),
                    field: "candidate")
            }
            object = .service(stable: stable, candidate: candidate)
        case "httproute":
            object = .httpRoute(stable: try fields.name("stable"), candidate: try fields.name("candidate"))
        case "virtualservice":
            object = .virtualService(
                stable: try fields.destination("stable"), candidate: try fields.destination("candidate"))
        case "ingress": object = .ingress
        case _:
            throw fields.fault(
                "expected service, httproute, virtualservice or ingress", at: fields.optional("kind"), field: "kind")
        }
        testers = try fields.optional("testers").map { node throws(YAMLError) in
            try TesterMark(node, path: "\(path).testers", file: file, of: object)
        }
        if !object.distinguishesVersions {
            throw fields.fault(
                "stable and candidate cannot be the same", at: fields.optional("candidate"), field: "candidate")
        }
        try fields.finish()
    }
}

extension KubernetesRoute.TesterMark {
    fileprivate init(
        _ node: YAMLNode, path: String, file: String, of object: KubernetesRoute.Object
    ) throws(YAMLError) {
        var fields = try FieldReader(node, path: path, file: file)
        let isCookie = fields.optional("cookie") != nil
        let name = try fields.name(isCookie ? "cookie" : "header")
        self = isCookie ? .cookie(name) : .header(name)
        switch (object, self) {
        case (.service, _): throw fields.fault("the selector of a Service cannot tell testers from others")
        case (.httpRoute, .cookie), (.virtualService, .cookie):
            throw fields.fault(
                "only an ingress can tell testers by a cookie", at: fields.optional("cookie"), field: "cookie")
        case (.httpRoute, .header), (.virtualService, .header), (.ingress, _): break
        }
        try fields.finish()
    }
}

extension KubernetesRoute.Object {
    fileprivate var distinguishesVersions: Bool {
        switch self {
        case .service(let stable, let candidate): stable != candidate
        case .httpRoute(let stable, let candidate): stable != candidate
        case .virtualService(let stable, let candidate): stable != candidate
        case .ingress: true
        }
    }
}

extension FieldReader {
    fileprivate mutating func selector(_ field: String) throws(YAMLError) -> [KubernetesRoute.Label] {
        var labels: [KubernetesRoute.Label] = []
        for entry in try textMapping(field) {
            labels.append(KubernetesRoute.Label(name: entry.name, value: entry.value))
        }
        guard !labels.isEmpty else {
            throw fault("expected the labels of a selector", at: optional(field), field: field)
        }
        return labels.sorted { $0.name < $1.name }
    }

    fileprivate mutating func destination(_ field: String) throws(YAMLError) -> KubernetesRoute.Destination {
        let parts = try text(field).split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty }) else {
            throw fault("expected host or host/subset", at: optional(field), field: field)
        }
        return KubernetesRoute.Destination(host: parts[0], subset: parts.count == 2 ? parts[1] : nil)
    }
}
