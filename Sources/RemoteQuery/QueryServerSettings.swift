public import ConfigurationFields
public import MetricModel

/// A server whose query API answers expressions: Prometheus, Thanos, Mimir, VictoriaMetrics. A value.
public struct QueryServerSettings: Equatable, Sendable {
    /// How queries are sent.
    public enum Method: String, Sendable, CaseIterable {
        case post = "POST"
        case get = "GET"
    }

    /// A parameter that is added to each query.
    public struct Parameter: Equatable, Sendable {
        /// Its name.
        public var name: String
        /// Its value.
        public var value: String
    }

    /// The name in rule files and metrics.
    public var name: String
    /// The URL in front of `/api/v1/query`, with `http` or `https`.
    public var url: String
    /// Authentication, TLS, header fields and proxy.
    public var http = HTTPSettings()
    /// How queries are sent.
    public var method = Method.post
    /// Parameters added to each query. They replace those that Tribune sends by itself.
    public var parameters: [Parameter] = []
    /// The longest wait for an answer.
    public var timeout = Milliseconds.seconds(10)
    /// How far in the past rules ask, where their group does not say; `nil` for the setting of all groups.
    public var queryOffset: Milliseconds?
    /// Groups that may ask at once.
    public var concurrency = 4
    /// The maximum size of an answer in bytes.
    public var maximumBytes = 64 << 20

    /// The server at `url`.
    public init(name: String, url: String) {
        self.name = name
        self.url = url
    }
}
