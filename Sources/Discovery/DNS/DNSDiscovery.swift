internal import ConfigurationFields
public import MetricModel
internal import YAML

/// `dns_sd_configs`: names whose records are targets. A value.
public struct DNSDiscovery: Equatable, Sendable {
    /// The type of record to query.
    public enum RecordType: String, CaseIterable, Sendable {
        case a = "A"
        case aaaa = "AAAA"
        case srv = "SRV"
        case mx = "MX"
        case ns = "NS"
    }

    /// The names to query.
    public var names: [String]
    /// The type of record to query.
    public var type = RecordType.srv
    /// The port of targets; SRV records have their own.
    public var port = 0
    /// The interval of queries.
    public var refreshInterval = Milliseconds.seconds(30)
    /// Queried instead of the system's servers.
    public var server: Server?

    /// A DNS server.
    public struct Server: Equatable, Sendable {
        /// An IPv4 address.
        public var address: String
        /// Usually 53.
        public var port: UInt16

        /// The server at `address`.
        public init(address: String, port: UInt16) {
            self.address = address
            self.port = port
        }
    }

    /// Targets from the SRV records of `names`.
    public init(names: [String]) {
        self.names = names
    }
}

extension DNSDiscovery {
    init(_ fields: inout FieldReader) throws(YAMLError) {
        self.init(names: try fields.textList("names"))
        if names.isEmpty { throw fields.fault("DNS-SD config must contain at least one SRV record name") }
        if let word = try fields.optionalText("type") {
            guard let known = RecordType(rawValue: word.uppercased()) else {
                throw fields.fault("invalid DNS-SD records type \(word)", at: fields.node["type"], field: "type")
            }
            type = known
        }
        port = try fields.optionalInteger("port") ?? 0
        if type != .srv, port == 0 {
            throw fields.fault("a port is required in DNS-SD configs for all record types except SRV")
        }
        guard (0...65535).contains(port) else {
            throw fields.fault("not a port", at: fields.node["port"], field: "port")
        }
        refreshInterval = try fields.optionalInterval("refresh_interval") ?? refreshInterval
    }
}
