public import ConfigurationFields
internal import KubernetesClient
internal import Runtime
internal import YAML

/// `kubernetes_sd_configs`: objects of a cluster that are, or refer to, targets. A value.
public struct KubernetesDiscovery: Equatable, Sendable {
    /// The kind of object that becomes targets.
    public enum Role: String, CaseIterable, Sendable {
        case pod, service, endpoints, endpointslice, node, ingress
    }

    /// The selectors for objects of one kind. A value.
    public struct Selector: Equatable, Sendable {
        /// The kind.
        public var role: Role
        /// A label selector; empty for all.
        public var label = ""
        /// A field selector; empty for all.
        public var field = ""
    }

    /// `attach_metadata`: labels from other objects. A value.
    public struct AttachedMetadata: Equatable, Sendable {
        /// The labels of the node.
        public var node = false
        /// The labels and annotations of the namespace.
        public var namespace = false
        /// The name of the deployment that a pod belongs to.
        public var deployment = false
        /// The name of the job that a pod belongs to.
        public var job = false
        /// The name of the cron job that a pod belongs to.
        public var cronJob = false

        /// No further labels.
        public init() {}
    }

    /// The location of the API server.
    public enum Server: Equatable, Sendable {
        /// The cluster that this process runs in, with the account of its pod.
        case ownCluster
        case url(String)
        /// The current context of the file at this path.
        case kubeconfig(String)
    }

    /// The kind of object.
    public var role: Role
    /// The API server.
    public var server = Server.ownCluster
    /// The settings of the HTTP client, if the API server is given by its URL.
    public var http = HTTPSettings()
    /// The namespaces; empty for all.
    public var namespaces: [String] = []
    /// Whether the namespace of this process's pod is included.
    public var includesOwnNamespace = false
    /// Selectors, at most one for each kind.
    public var selectors: [Selector] = []
    /// The labels from other objects.
    public var attached = AttachedMetadata()

    /// Objects of the kind `role` in the cluster that this process runs in.
    public init(role: Role) {
        self.role = role
    }
}

extension KubernetesDiscovery {
    init(_ fields: inout FieldReader, directory: String) throws(YAMLError) {
        let roles = Role.allCases.map(\.rawValue).joined(separator: ", ")
        guard let word = try fields.optionalText("role") else {
            throw fields.fault("role missing (one of: \(roles))")
        }
        guard let role = Role(rawValue: word) else {
            throw fields.fault("unknown Kubernetes SD role \"\(word)\"", at: fields.node["role"], field: "role")
        }
        self.init(role: role)
        let url = try fields.optionalText("api_server").flatMap { $0.isEmpty ? nil : $0 }
        let kubeconfig = try fields.optionalText("kubeconfig_file").flatMap { $0.isEmpty ? nil : $0 }
        http = try HTTPSettings(&fields, directory: directory)
        try readNamespaces(&fields)
        if let node = fields.optional("attach_metadata") {
            var section = try FieldReader(node, path: fields.path(of: "attach_metadata"), file: fields.file)
            attached.node = try section.optionalFlag("node") ?? false
            attached.namespace = try section.optionalFlag("namespace") ?? false
            attached.deployment = try section.optionalFlag("deployment") ?? false
            attached.job = try section.optionalFlag("job") ?? false
            attached.cronJob = try section.optionalFlag("cronjob") ?? false
            try section.finish()
        }
        try readSelectors(&fields)
        let isCustom = http != HTTPSettings()
        if url != nil, kubeconfig != nil {
            throw fields.fault("cannot use 'kubeconfig_file' and 'api_server' simultaneously")
        }
        if kubeconfig != nil, isCustom {
            throw fields.fault("cannot use a custom HTTP client configuration together with 'kubeconfig_file'")
        }
        if kubeconfig == nil, url == nil, isCustom {
            throw fields.fault(
                "to use custom HTTP client configuration please provide the 'api_server' URL explicitly")
        }
        if includesOwnNamespace, let other = url != nil ? "api_server" : kubeconfig != nil ? "kubeconfig_file" : nil {
            throw fields.fault("cannot use '\(other)' and 'namespaces.own_namespace' simultaneously")
        }
        if let url {
            guard url.hasPrefix("http://") || url.hasPrefix("https://") else {
                throw fields.fault("not a URL: \"\(url)\"", at: fields.node["api_server"], field: "api_server")
            }
            server = .url(url.hasSuffix("/") ? String(url.dropLast()) : url)
        } else if let kubeconfig {
            server = .kubeconfig(Paths.resolve(kubeconfig, from: directory))
        }
    }

    private mutating func readNamespaces(_ fields: inout FieldReader) throws(YAMLError) {
        guard let node = fields.optional("namespaces") else { return }
        var section = try FieldReader(node, path: fields.path(of: "namespaces"), file: fields.file)
        includesOwnNamespace = try section.optionalFlag("own_namespace") ?? false
        namespaces = try section.textList("names")
        try section.finish()
    }

    private mutating func readSelectors(_ fields: inout FieldReader) throws(YAMLError) {
        for (index, node) in try fields.list("selectors").enumerated() {
            let place = "selectors[\(index)]"
            var section = try FieldReader(node, path: fields.path(of: place), file: fields.file)
            let word = try section.optionalText("role") ?? ""
            let label = try section.optionalText("label") ?? ""
            let field = try section.optionalText("field") ?? ""
            try section.finish()
            if selectors.contains(where: { $0.role.rawValue == word }) {
                throw fields.fault("duplicated selector role: \(word)", at: node, field: place)
            }
            guard let kind = Role(rawValue: word), selectable.contains(kind) else {
                let list = selectable.map(\.rawValue).joined(separator: ", ")
                throw fields.fault(
                    "\(role.rawValue) role supports only \(list) selectors", at: node, field: place)
            }
            for term in field.split(separator: ",") where !term.contains("=") {
                throw fields.fault(
                    "invalid selector: '\(field)'; can't understand '\(term)'", at: node["field"],
                    field: "\(place).field")
            }
            if let fault = LabelSelector.fault(in: label) {
                throw fields.fault(
                    "invalid selector: '\(label)'; \(fault)", at: node["label"], field: "\(place).label")
            }
            selectors.append(Selector(role: kind, label: label, field: field))
        }
    }

    /// The kinds that a selector may limit.
    private var selectable: [Role] {
        let kinds: [Role] =
            switch role {
            case .endpoints, .endpointslice: [.pod, .service, role]
            case .pod: [.pod, .node]
            case .service, .node, .ingress: [role]
            }
        return attached.node && !kinds.contains(.node) ? kinds + [.node] : kinds
    }
}
