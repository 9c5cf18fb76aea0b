public import ConfigurationFields
public import MetricModel
internal import YAML

/// `consul_sd_configs`: services in the catalogue of Consul. A value.
public struct ConsulDiscovery: Equatable, Sendable {
    /// `host:port` of the agent.
    public var server = "localhost:8500"
    /// `http` or `https`.
    public var scheme = "http"
    /// Prepended to the paths of the API.
    public var pathPrefix = ""
    /// Sent as `X-Consul-Token`.
    public var token: HTTPSettings.Secret?
    /// The datacenter; empty for that of the agent.
    public var datacenter = ""
    /// The namespace (Consul Enterprise).
    public var namespace = ""
    /// The partition (Consul Enterprise).
    public var partition = ""
    /// Separates and surrounds tags.
    public var tagSeparator = ","
    /// The services; empty for all.
    public var services: [String] = []
    /// Tags that a service must have.
    public var tags: [String] = []
    /// Metadata that a node must have.
    public var nodeMetadata: [String: String] = [:]
    /// An expression that filters the catalogue.
    public var filter = ""
    /// An expression that filters the nodes of a service.
    public var healthFilter = ""
    /// Whether servers other than the leader may respond.
    public var allowsStale = true
    /// The minimum interval of queries; responses arrive after a change.
    public var refreshInterval = Milliseconds.seconds(30)
    /// The settings of the HTTP client.
    public var http = HTTPSettings()

    /// All services of the local agent's catalogue.
    public init() {}
}

extension ConsulDiscovery {
    init(_ fields: inout FieldReader, directory: String) throws(YAMLError) {
        self.init()
        server = try fields.optionalText("server") ?? server
        if server.allSatisfy(\.isWhitespace) {
            throw fields.fault("consul SD configuration requires a server address", field: "server")
        }
        scheme = try fields.optionalText("scheme") ?? scheme
        if server.hasPrefix("http://") || server.hasPrefix("https://") {
            scheme = String(server.prefix { $0 != ":" })
            server = String(server.dropFirst(scheme.count + 3))
        }
        guard scheme == "http" || scheme == "https" else {
            throw fields.fault("unsupported scheme \"\(scheme)\"", at: fields.node["scheme"], field: "scheme")
        }
        pathPrefix = try fields.optionalText("path_prefix") ?? ""
        token = try fields.optionalText("token").map { .text($0) }
        datacenter = try fields.optionalText("datacenter") ?? ""
        namespace = try fields.optionalText("namespace") ?? ""
        partition = try fields.optionalText("partition") ?? ""
        tagSeparator = try fields.optionalText("tag_separator") ?? tagSeparator
        services = try fields.textList("services")
        tags = try fields.textList("tags")
        for pair in try fields.textMapping("node_meta") { nodeMetadata[pair.name] = pair.value }
        filter = try fields.optionalText("filter") ?? ""
        healthFilter = try fields.optionalText("health_filter") ?? ""
        allowsStale = try fields.optionalFlag("allow_stale") ?? true
        refreshInterval = try fields.optionalInterval("refresh_interval") ?? refreshInterval
        let user = try fields.optionalText("username") ?? ""
        let password = try fields.optionalText("password") ?? ""
        http = try HTTPSettings(&fields, directory: directory)
        switch http.authentication {
        case .credentials where token != nil, .oauth2 where token != nil:
            throw fields.fault("at most one of token, authorization and oauth2 must be configured")
        case .none, .basic, .credentials, .oauth2: break
        }
        guard !user.isEmpty || !password.isEmpty else { return }
        guard http.authentication == .none else {
            throw fields.fault(
                "at most one of the configuration of basic_auth and username/password must be configured")
        }
        http.authentication = .basic(user: .text(user), password: .text(password))
    }
}
