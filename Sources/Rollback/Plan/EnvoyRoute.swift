internal import YAML

/// A route through Envoy, divided by the weights of two clusters.
public struct EnvoyRoute: Hashable, Sendable {
    /// How the weights are set in Envoy.
    public enum Division: Hashable, Sendable {
        /// With a discovery file with the route configuration `configuration`, which is replaced as a whole.
        case discoveryFile(path: String, configuration: String)
        /// With runtime keys `prefix.CLUSTER`, set on the admin endpoint. Envoy loses them when it is restarted.
        case runtime(prefix: String)
    }

    /// The URL of the admin endpoint, without a slash at the end.
    public var admin: String
    /// The cluster of the stable version.
    public var stable: String
    /// The cluster of the candidate.
    public var candidate: String
    /// The name of the routes for testers in the route configuration, or their `runtime_key_prefix`: the candidate has
    /// all of their traffic while testers reach it, otherwise none. `nil` if there are no such routes.
    public var testers: String?
    /// How the weights are set in Envoy.
    public var division: Division
}

extension EnvoyRoute {
    init(_ node: YAMLNode, path: String, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: path, file: file)
        guard var admin = try fields.url("admin") else { throw fields.fault("the field \"admin\" is required") }
        while admin.hasSuffix("/") { admin.removeLast() }
        self.admin = admin
        stable = try fields.name("stable")
        candidate = try fields.name("candidate")
        guard stable != candidate else {
            throw fields.fault(
                "stable and candidate cannot be the same cluster", at: fields.optional("candidate"), field: "candidate")
        }
        var divisions: [Division] = []
        if let node = fields.optional("rds") {
            var inner = try FieldReader(node, path: "\(path).rds", file: file)
            let discovery = try inner.text("file")
            guard discovery.hasPrefix("/") else {
                throw inner.fault("expected an absolute path", at: inner.optional("file"), field: "file")
            }
            divisions.append(.discoveryFile(path: discovery, configuration: try inner.name("route_config")))
            try inner.finish()
        }
        if let node = fields.optional("runtime") {
            var inner = try FieldReader(node, path: "\(path).runtime", file: file)
            divisions.append(.runtime(prefix: try inner.name("prefix")))
            try inner.finish()
        }
        guard let division = divisions.first, divisions.count == 1 else {
            throw fields.fault("an Envoy route has exactly one of rds and runtime")
        }
        self.division = division
        testers = try fields.optional("testers").map { node throws(YAMLError) in
            var inner = try FieldReader(node, path: "\(path).testers", file: file)
            let name =
                switch division {
                case .discoveryFile: try inner.name("route")
                case .runtime: try inner.name("prefix")
                }
            try inner.finish()
            return name
        }
        if let testers, division == .runtime(prefix: testers) {
            throw fields.fault(
                "routes of testers need a prefix of their own", at: fields.optional("testers"), field: "testers")
        }
        try fields.finish()
    }
}
