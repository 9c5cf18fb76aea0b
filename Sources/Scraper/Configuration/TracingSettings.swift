internal import ConfigurationFields
public import CurlHTTP
public import MetricModel
internal import YAML

/// `tracing`: where traces of incidents are sent by OTLP. A value.
public struct TracingSettings: Equatable, Sendable {
    /// The protocol below OTLP.
    public enum Client: String, CaseIterable, Sendable {
        case grpc
        case http
    }

    /// `client_type`
    public var client = Client.grpc
    /// `endpoint`: `host:port`, or a URL.
    public var endpoint: String
    /// `sampling_fraction`: the share of incidents that are sent, from 0 to 1.
    public var samplingFraction = 0.0
    /// `insecure`: whether the connection is not encrypted.
    public var isInsecure = false
    /// `tls_config`
    public var tls = TLSOptions()
    /// `headers`
    public var headers: [String: String] = [:]
    /// `compression`: whether messages are compressed by gzip.
    public var isCompressed = false
    /// `timeout` of one message.
    public var timeout = Milliseconds.seconds(10)

    /// Prometheus's defaults, for a collector at `endpoint`.
    public init(endpoint: String) {
        self.endpoint = endpoint
    }

    /// Whether traces are sent at all.
    public var isEnabled: Bool { samplingFraction > 0 }

    /// The URL that a message is posted to. An endpoint without scheme gets one, and one without path the client's.
    public var url: String {
        let hasScheme = endpoint.firstRange(of: "://") != nil
        let base = hasScheme ? endpoint : (isInsecure ? "http://" : "https://") + endpoint
        let authority = base.firstRange(of: "://").map { base[$0.upperBound...] } ?? base[...]
        let path = authority.firstIndex(of: "/").map { authority[$0...] } ?? ""
        let origin = base.dropLast(path.count)
        switch client {
        case .grpc: return origin + "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        case .http: return path.count > 1 ? base : origin + "/v1/traces"
        }
    }
}

extension TracingSettings {
    init(
        _ node: YAMLNode, file: String, _ directory: String, _ warnings: inout [YAMLError]
    ) throws(YAMLError) {
        var fields = try FieldReader(node, path: "tracing", file: file)
        self.init(endpoint: try fields.optionalText("endpoint") ?? "")
        if let word = try fields.optionalText("client_type"), !word.isEmpty {
            client = Client(rawValue: word) ?? client
            if Client(rawValue: word) == nil {
                fields.note(
                    "expected tracing client type to be http or grpc, but got \(word)", at: node["client_type"],
                    field: "client_type")
            }
        }
        if endpoint.isEmpty { fields.note("tracing endpoint must be set", field: "endpoint") }
        samplingFraction = try fields.optionalNumber("sampling_fraction") ?? 0
        if !(0...1).contains(samplingFraction) {
            // Prometheus takes the number and samples as with the nearest limit.
            warnings.append(
                fields.plainFault(
                    "the fraction is a number from 0 to 1", at: node["sampling_fraction"], field: "sampling_fraction"))
            samplingFraction = samplingFraction > 1 ? 1 : 0
        } else if samplingFraction == 0 {
            warnings.append(
                fields.plainFault(
                    "no trace is sent: sampling_fraction is 0, as without it; 1 sends every incident",
                    at: node["sampling_fraction"], field: "sampling_fraction"))
        }
        isInsecure = try fields.optionalFlag("insecure") ?? false
        if let section = fields.optional("tls_config") {
            tls =
                fields.collect { (fields) throws(YAMLError) in
                    try TLSOptions(section, path: "tracing.tls_config", file: file, directory: directory)
                } ?? tls
        }
        headers = try RemoteSection.headers(&fields, "custom authorization header configuration is not yet supported")
        if let word = try fields.optionalText("compression"), !word.isEmpty {
            isCompressed = word == "gzip"
            if !isCompressed {
                fields.note(
                    "invalid compression type \(word) provided, valid options: gzip", at: node["compression"],
                    field: "compression")
            }
        }
        // As for OTLP's exporters, zero means their default.
        if let given = try fields.optionalDuration("timeout"), given > .zero { timeout = given }
        try fields.finish()
    }
}
