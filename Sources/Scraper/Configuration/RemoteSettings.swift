public import ConfigurationFields
public import MetricModel
internal import YAML

/// One entry of `remote_write`: a server to send samples to. A value.
public struct RemoteWriteSettings: Equatable, Sendable {
    /// The message format.
    public enum Message: String, CaseIterable, Sendable {
        case version1 = "prometheus.WriteRequest"
        case version2 = "io.prometheus.write.v2.Request"
    }

    /// `queue_config`. A value.
    public struct Queue: Equatable, Sendable {
        /// Samples in the queue of one shard.
        public var capacity = 10_000
        /// Maximum of concurrent senders.
        public var maximumShards = 50
        /// Minimum of concurrent senders.
        public var minimumShards = 1
        /// Maximum of samples in one request.
        public var samplesPerSend = 2000
        /// How long a sample waits for others.
        public var sendDeadline = Milliseconds.seconds(5)
        /// The first pause after a temporary error.
        public var minimumBackoff = Milliseconds(rawValue: 30)
        /// The longest pause.
        public var maximumBackoff = Milliseconds.seconds(5)
        /// Whether status 429 is a temporary error.
        public var retriesWhenLimited = false
        /// Older samples are not sent; zero for no limit.
        public var sampleAgeLimit = Milliseconds.zero

        /// Prometheus's defaults.
        public init() {}
    }

    /// `metadata_config`. A value.
    public struct Metadata: Equatable, Sendable {
        /// Whether metadata is sent.
        public var isSent = true
        /// How often, in version 1.
        public var interval = Milliseconds.minutes(1)
        /// Maximum of metric families in one request.
        public var mostPerSend = 2000

        /// Prometheus's defaults.
        public init() {}
    }

    /// The URL to send samples to.
    public var url: String
    /// The name in metrics and log lines; may be empty.
    public var name = ""
    /// The timeout of a request.
    public var timeout = Milliseconds.seconds(30)
    /// The message format.
    public var message = Message.version1
    /// Additional header fields.
    public var headers: [String: String] = [:]
    /// The settings of the HTTP client.
    public var http = HTTPSettings()
    /// `sigv4`: the keys with which requests are signed; `nil` for no signature.
    public var signing: AWSCredentials?
    /// Rules for the labels of sent samples.
    public var relabelRules: [RelabelRule] = []
    /// Whether exemplars are sent.
    public var sendsExemplars = false
    /// Whether native histograms are sent.
    public var sendsNativeHistograms = false
    /// The queue.
    public var queue = Queue()
    /// Metadata of metrics.
    public var metadata = Metadata()

    /// An entry for `url` with Prometheus's defaults.
    public init(url: String) {
        self.url = url
    }
}

/// One entry of `remote_read`: another server for queries. A value.
public struct RemoteReadSettings: Equatable, Sendable {
    /// The URL to query.
    public var url: String
    /// The name in metrics and log lines; may be empty.
    public var name = ""
    /// The timeout of a request.
    public var timeout = Milliseconds.minutes(1)
    /// Whether the server is queried for times that are stored here too.
    public var readsRecent = false
    /// Matchers that a selector must have for a query to the server.
    public var requiredMatchers = Labels.empty
    /// Whether the external labels are added to the query.
    public var filtersExternalLabels = true
    /// Additional header fields.
    public var headers: [String: String] = [:]
    /// The settings of the HTTP client.
    public var http = HTTPSettings()
}

extension RemoteWriteSettings {
    static func list(_ fields: inout FieldReader, _ directory: String) throws(YAMLError) -> [RemoteWriteSettings] {
        try RemoteSection.list("remote_write", &fields, name: \.name) { (entry) throws(YAMLError) in
            try RemoteWriteSettings(&entry, directory)
        }
    }

    private init(_ fields: inout FieldReader, _ directory: String) throws(YAMLError) {
        self.init(url: try RemoteSection.url(&fields, "remote_write"))
        name = try fields.optionalText("name") ?? ""
        timeout = try fields.optionalInterval("remote_timeout") ?? timeout
        if let word = try fields.optionalText("protobuf_message") {
            message = Message(rawValue: word) ?? message
            if Message(rawValue: word) == nil {
                let words = Message.allCases.map(\.rawValue).joined(separator: ", ")
                fields.note(
                    "unknown type for remote write protobuf message \(word), supported: \(words)",
                    at: fields.node["protobuf_message"], field: "protobuf_message")
            }
        }
        headers = try RemoteSection.headers(&fields)
        relabelRules = try RelabelRule.list(&fields, "write_relabel_configs")
        sendsExemplars = try fields.optionalFlag("send_exemplars") ?? false
        sendsNativeHistograms = try fields.optionalFlag("send_native_histograms") ?? false
        _ = try fields.optionalFlag("round_robin_dns")
        http = fields.collect { (fields) throws(YAMLError) in try HTTPSettings(&fields, directory: directory) } ?? http
        if let node = fields.optional("sigv4") {
            let path = fields.path(of: "sigv4")
            signing = fields.collect { (fields) throws(YAMLError) in
                var section = try FieldReader(node, path: path, file: fields.file)
                let credentials = try AWSCredentials(&section, directory: directory)
                try section.finish()
                return credentials
            }
        }
        let others = ["sigv4", "azuread", "google_iam"].filter { fields.optional($0) != nil }
        if others.count + (http.authentication == .none ? 0 : 1) > 1 {
            fields.note(
                "at most one of basic_auth, authorization, oauth2, sigv4, azuread or google_iam must be configured")
        }
        try readQueue(&fields)
        if let node = fields.optional("metadata_config") {
            let path = fields.path(of: "metadata_config")
            metadata =
                fields.collect { (fields) throws(YAMLError) in
                    var section = try FieldReader(node, path: path, file: fields.file)
                    var metadata = Metadata()
                    metadata.isSent = try section.optionalFlag("send") ?? true
                    metadata.interval = try section.optionalDuration("send_interval") ?? metadata.interval
                    metadata.mostPerSend = try section.optionalLimit("max_samples_per_send") ?? metadata.mostPerSend
                    try section.finish()
                    return metadata
                } ?? metadata
        }
    }

    private mutating func readQueue(_ fields: inout FieldReader) throws(YAMLError) {
        guard let node = fields.optional("queue_config") else { return }
        let path = fields.path(of: "queue_config")
        let queue = fields.collect { (fields) throws(YAMLError) in
            var section = try FieldReader(node, path: path, file: fields.file)
            var queue = Queue()
            queue.capacity = try section.optionalLimit("capacity") ?? queue.capacity
            queue.maximumShards = try section.optionalLimit("max_shards") ?? queue.maximumShards
            queue.minimumShards = try section.optionalLimit("min_shards") ?? queue.minimumShards
            queue.samplesPerSend = try section.optionalLimit("max_samples_per_send") ?? queue.samplesPerSend
            queue.sendDeadline = try section.optionalDuration("batch_send_deadline") ?? queue.sendDeadline
            queue.minimumBackoff = try section.optionalDuration("min_backoff") ?? queue.minimumBackoff
            queue.maximumBackoff = try section.optionalDuration("max_backoff") ?? queue.maximumBackoff
            queue.retriesWhenLimited = try section.optionalFlag("retry_on_http_429") ?? false
            queue.sampleAgeLimit = try section.optionalDuration("sample_age_limit") ?? .zero
            try section.finish()
            return queue
        }
        self.queue = queue ?? self.queue
    }
}

extension RemoteReadSettings {
    static func list(_ fields: inout FieldReader, _ directory: String) throws(YAMLError) -> [RemoteReadSettings] {
        try RemoteSection.list("remote_read", &fields, name: \.name) { (entry) throws(YAMLError) in
            try RemoteReadSettings(&entry, directory)
        }
    }

    private init(_ fields: inout FieldReader, _ directory: String) throws(YAMLError) {
        self.init(url: try RemoteSection.url(&fields, "remote_read"))
        name = try fields.optionalText("name") ?? ""
        timeout = try fields.optionalInterval("remote_timeout") ?? timeout
        _ = try fields.optionalLimit("chunked_read_limit")
        readsRecent = try fields.optionalFlag("read_recent") ?? false
        filtersExternalLabels = try fields.optionalFlag("filter_external_labels") ?? true
        requiredMatchers = try fields.labels("required_matchers")
        headers = try RemoteSection.headers(&fields)
        http = fields.collect { (fields) throws(YAMLError) in try HTTPSettings(&fields, directory: directory) } ?? http
    }
}

/// The common parts of `remote_write` and `remote_read`.
enum RemoteSection {
    /// Header fields set by the protocol or the transport.
    private static let reservedHeaders: Set<String> = [
        "host", "content-encoding", "content-length", "content-type", "user-agent", "connection", "keep-alive",
        "proxy-authenticate", "proxy-authorization", "www-authenticate", "accept-encoding",
        "x-prometheus-remote-write-version", "x-prometheus-remote-read-version", "x-amz-date", "x-amz-security-token",
        "x-amz-content-sha256",
    ]

    static func list<Entry>(
        _ section: String, _ fields: inout FieldReader, name: (Entry) -> String,
        _ read: (inout FieldReader) throws(YAMLError) -> Entry
    ) throws(YAMLError) -> [Entry] {
        var entries: [Entry] = []
        for (index, node) in try fields.list(section).enumerated() {
            let path = "\(section)[\(index)]"
            if node.isNull {
                let words = section.split(separator: "_").joined(separator: " ")
                fields.note("empty or null \(words) config section", at: node, field: path)
                continue
            }
            let entry = fields.collect { (fields) throws(YAMLError) in
                var inner = try FieldReader(node, path: path, file: fields.file)
                let entry = try read(&inner)
                try inner.finish()
                return entry
            }
            guard let entry else { continue }
            if !name(entry).isEmpty, entries.contains(where: { name($0) == name(entry) }) {
                let words = section.split(separator: "_").joined(separator: " ")
                fields.note("found multiple \(words) configs with job name \"\(name(entry))\"", at: node, field: path)
            }
            entries.append(entry)
        }
        return entries
    }

    static func url(_ fields: inout FieldReader, _ section: String) throws(YAMLError) -> String {
        let url = try fields.optionalText("url") ?? ""
        if url.isEmpty { fields.note("url for \(section) is empty", field: "url") }
        return url
    }

    /// `headers`, without reserved ones.
    static func headers(_ fields: inout FieldReader, _ authorization: String? = nil) throws(YAMLError) -> [String:
        String]
    {
        var headers: [String: String] = [:]
        for (name, value, node) in try fields.textMapping("headers") {
            if name.lowercased() == "authorization" {
                fields.note(
                    authorization
                        ?? "authorization header must be changed via the basic_auth, authorization, oauth2, sigv4, "
                        + "azuread or google_iam parameter", at: node, field: "headers.\(name)")
            } else if reservedHeaders.contains(name.lowercased()) {
                fields.note(
                    "\(name) is a reserved header. It must not be changed", at: node, field: "headers.\(name)")
            }
            headers[name] = value
        }
        return headers
    }
}
